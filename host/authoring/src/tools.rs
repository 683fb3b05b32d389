//! Tools of languages: where they are, and what to do where they are not.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A program that a language needs.
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    /// How to get it, as the end of a sentence.
    pub(crate) remedy: &'static str,
}

pub(crate) const CARGO: Tool = Tool {
    program: "cargo",
    remedy: "install Rust by https://rustup.rs",
};
pub(crate) const PYTHON: Tool = Tool {
    program: "python3",
    remedy: "install Python 3.10 or newer (Debian: apt-get install python3 python3-venv)",
};
pub(crate) const NPM: Tool = Tool {
    program: "npm",
    remedy: "install Node.js 20 or newer, of which npm is a part (https://nodejs.org)",
};
pub(crate) const GO: Tool = Tool {
    program: "go",
    remedy: "install Go 1.25 or newer (https://go.dev/dl)",
};

impl Tool {
    /// Where it is.
    ///
    /// # Errors
    /// When it is not on the path: what it is for and how to get it.
    pub(crate) fn find(&self) -> Result<PathBuf> {
        on_path(self.program).with_context(|| {
            format!(
                "{} is not installed, or not on PATH: {}",
                self.program, self.remedy
            )
        })
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// A command in a folder, which is shown as it would be typed.
pub(crate) struct Step<'a> {
    folder: &'a Path,
    command: Command,
    shown: String,
}

impl<'a> Step<'a> {
    pub(crate) fn new<I: AsRef<OsStr>>(
        folder: &'a Path,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = I>,
    ) -> Self {
        let arguments: Vec<OsString> = arguments
            .into_iter()
            .map(|one| one.as_ref().to_owned())
            .collect();
        let program = program.as_ref();
        let name = Path::new(program)
            .file_name()
            .unwrap_or(program)
            .to_string_lossy()
            .into_owned();
        let words = arguments
            .iter()
            .map(|one| one.to_string_lossy().into_owned());
        let shown = std::iter::once(name)
            .chain(words)
            .collect::<Vec<_>>()
            .join(" ");
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder);
        Self {
            folder,
            command,
            shown,
        }
    }

    /// With a folder of programs before all others.
    pub(crate) fn with_programs(mut self, folder: &Path) -> Result<Self> {
        let folder = folder
            .canonicalize()
            .with_context(|| format!("{} is missing", folder.display()))?;
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&others)))?;
        self.command.env("PATH", path);
        Ok(self)
    }

    /// Runs it, shows what it prints, and fails as it does.
    pub(crate) fn run(mut self) -> Result<()> {
        eprintln!("$ {}", self.shown);
        let status = self
            .command
            .status()
            .with_context(|| format!("{} cannot be run", self.shown))?;
        if !status.success() {
            bail!(
                "`{}` in {} ended with {status}: what it printed says why",
                self.shown,
                self.folder.display()
            );
        }
        Ok(())
    }

    /// Runs it, and returns what it prints on standard output.
    pub(crate) fn output(mut self) -> Result<Vec<u8>> {
        let output = self
            .command
            .output()
            .with_context(|| format!("{} cannot be run", self.shown))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            bail!(
                "`{}` in {} ended with {}: {}",
                self.shown,
                self.folder.display(),
                output.status,
                why.trim()
            );
        }
        Ok(output.stdout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_is_missing_is_named_with_its_remedy() {
        let missing = Tool {
            program: "no-such-tool",
            remedy: "make one",
        };
        assert_eq!(
            missing.find().unwrap_err().to_string(),
            "no-such-tool is not installed, or not on PATH: make one"
        );
        assert!(
            Tool {
                program: "sh",
                remedy: ""
            }
            .find()
            .is_ok()
        );
    }

    #[test]
    fn a_step_that_fails_is_shown_as_it_would_be_typed() {
        let folder = Path::new("/");
        let error = Step::new(folder, "/bin/sh", ["-c", "exit 3"])
            .run()
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("`sh -c exit 3` in / ended with exit status: 3"),
            "{error}"
        );
        assert_eq!(
            Step::new(folder, "sh", ["-c", "echo a"]).output().unwrap(),
            b"a\n"
        );
    }
}
