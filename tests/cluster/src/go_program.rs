//! A small program in Go that tests use, built from a module of `tests/` when it is not there yet.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{Cache, content_key, make_folder, read, repository};
use crate::command::run_logged;
use crate::machine;
use crate::progress::Progress;

/// The program, built from the folder of this name: the package, and the files that decide about it.
///
/// # Errors
/// When Go is missing, or its modules cannot be downloaded.
pub(crate) fn build(cache: &Cache, name: &str, package: &str, files: &[&str]) -> Result<PathBuf> {
    let source = repository().join("tests").join(name);
    let contents = files.iter().map(|file| read(&source.join(file)));
    let contents = contents.collect::<Result<Vec<_>>>()?;
    let key = content_key(contents.iter().map(Vec::as_slice));
    let folder = cache.root().join("go").join(name).join(key);
    let program = folder.join(name);
    let _lock = cache.lock(name)?;
    if program.is_file() {
        return Ok(program);
    }
    machine::ensure_go()?;
    make_folder(&folder)?;
    let unfinished = folder.join("unfinished");
    let mut command = Command::new("go");
    command
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        .args(["build", "-trimpath", "-o"])
        .arg(&unfinished)
        .arg(package);
    Progress::new(1).step(&format!("build {name}"), || {
        run_logged(&mut command, &folder.join("build.log"))
    })?;
    std::fs::rename(unfinished, &program).with_context(|| format!("cannot rename {name}"))?;
    Ok(program)
}
