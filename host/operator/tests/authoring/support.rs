//! The program, run as a person runs it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// What the program printed, and its exit code.
pub(crate) struct Printed {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl Printed {
    /// Everything, for assertions that say what was seen.
    pub(crate) fn all(&self) -> String {
        format!(
            "{}\n{}\nexit code {:?}",
            self.stdout, self.stderr, self.code
        )
    }
}

/// Runs `mcp-operator` in a folder, with these arguments separated by spaces.
pub(crate) fn mcp_operator(folder: &Path, arguments: &[&str]) -> Printed {
    let output = Command::new(env!("CARGO_BIN_EXE_mcp-operator"))
        .args(arguments)
        .current_dir(folder)
        .env("CACHE_DIR", scratch().join("compiled-by-authors"))
        // What is built is not to depend on who builds the tests.
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    Printed {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code(),
    }
}

/// Where tests may leave things for the next run.
fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// The folder of the sample rule's component and of the default rules, built once per process.
pub(crate) fn components() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let target = scratch().join("plugins");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "--locked"])
            .args(["--target", "wasm32-wasip2", "--target-dir"])
            .arg(&target)
            .args(["--package", "validation", "--package", "require-team-label"])
            .args(["--package", "conformance"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins"))
            .status()
            .unwrap();
        assert!(status.success(), "the plugins do not build");
        target.join("wasm32-wasip2/release")
    });
    &FOLDER
}
