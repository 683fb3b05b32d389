//! What kstatus makes of an object: tools that wait for one, such as Flux, Argo CD and Helm, go by its code, or by the same
//! rules.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cache::{Cache, content_key, make_folder, read, repository};
use crate::command::{checked, run_logged};
use crate::machine;

/// The program of `tests/kstatus`.
#[derive(Debug, Clone)]
pub struct Kstatus {
    program: PathBuf,
}

impl Kstatus {
    /// Builds it, unless it is there.
    ///
    /// # Errors
    /// When Go is missing, or its modules cannot be downloaded.
    pub fn build(cache: &Cache) -> Result<Self> {
        let source = repository().join("tests/kstatus");
        let files = ["go.mod", "go.sum", "main.go"].map(|file| read(&source.join(file)));
        let files = files.into_iter().collect::<Result<Vec<_>>>()?;
        let key = content_key(files.iter().map(Vec::as_slice));
        let folder = cache.root().join("go/kstatus").join(key);
        let program = folder.join("kstatus");
        let _lock = cache.lock("kstatus")?;
        if !program.is_file() {
            machine::ensure_go()?;
            make_folder(&folder)?;
            let unfinished = folder.join("unfinished");
            let mut command = Command::new("go");
            command
                .current_dir(source)
                .env("CGO_ENABLED", "0")
                .args(["build", "-trimpath", "-o"])
                .arg(&unfinished);
            run_logged(&mut command, &folder.join("build.log"))?;
            std::fs::rename(unfinished, &program).context("cannot rename kstatus")?;
        }
        Ok(Self { program })
    }

    /// What it says: `Current`, `InProgress`, `Failed`, each with a message.
    ///
    /// # Errors
    /// When the object cannot be judged.
    pub fn of(&self, object: &Value) -> Result<String> {
        let mut command = Command::new(&self.program);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start kstatus")?;
        let mut input = child.stdin.take().context("kstatus has no input")?;
        input.write_all(object.to_string().as_bytes())?;
        drop(input);
        checked(&command, child.wait_with_output()?)
    }
}
