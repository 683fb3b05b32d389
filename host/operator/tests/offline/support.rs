//! The program, and the components that it needs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// What the program printed, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

/// Runs it with components at hand.
pub(crate) fn run(args: &[&str]) -> Printed {
    run_with(args, "")
}

/// The same, with something to read.
pub(crate) fn run_with(args: &[&str], input: &str) -> Printed {
    let mut command = bare(args);
    command
        .arg("--builtin-plugins")
        .arg(components())
        .arg("--cache-dir")
        .arg(scratch().join("components"));
    finish(command, input)
}

/// The program without anything of this machine.
pub(crate) fn bare(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-operator"));
    command
        .args(args)
        .env_clear()
        .current_dir(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn finish(mut command: Command, input: &str) -> Printed {
    let mut child = command.spawn().unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Printed {
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code(),
    }
}

/// Where the data of these tests is.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/offline")
}

/// Where tests may leave things for the next run.
pub(crate) fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// Folder with the plugins of this repository, built once per process.
fn components() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let target = scratch().join("plugins");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "--locked"])
            .args(["--target", "wasm32-wasip2", "--target-dir"])
            .arg(&target)
            .args(["--package", "validation", "--package", "compliance"])
            .args(["--package", "litellm-configmap", "--package", "tenancy"])
            .args(["--package", "require-team-label"])
            .args(["--package", "cel-plugin", "--package", "rego"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins"))
            .status()
            .unwrap();
        assert!(status.success(), "the plugins do not build");
        target.join("wasm32-wasip2/release")
    });
    &FOLDER
}
