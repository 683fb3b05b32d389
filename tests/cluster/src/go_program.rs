//! A Go program of one file that stands in a folder of `tests`, with the modules that it pins.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{Cache, content_key, make_folder, read, repository};
use crate::command::run_logged;
use crate::machine;

/// The program of `tests/NAME`, which is built unless it is there.
///
/// # Errors
/// When Go is missing, or its modules cannot be downloaded.
pub(crate) fn build(cache: &Cache, name: &str) -> Result<PathBuf> {
    let source = repository().join("tests").join(name);
    let files = ["go.mod", "go.sum", "main.go"].map(|file| read(&source.join(file)));
    let files = files.into_iter().collect::<Result<Vec<_>>>()?;
    let key = content_key(files.iter().map(Vec::as_slice));
    let folder = cache.root().join("go").join(name).join(key);
    let program = folder.join(name);
    let _lock = cache.lock(name)?;
    if !program.is_file() {
        machine::ensure_go()?;
        make_folder(&folder)?;
        let unfinished = folder.join("unfinished");
        let mut command = Command::new("go");
        command
            .current_dir(source)
            .env("CGO_ENABLED", "0")
            .args(["build", "-trimpath", "-ldflags", "-s -w", "-o"])
            .arg(&unfinished);
        run_logged(&mut command, &folder.join("build.log"))?;
        fs::rename(unfinished, &program).with_context(|| format!("cannot rename {name}"))?;
    }
    Ok(program)
}
