//! `cargo xtask bench`

use std::process::Command;

use anyhow::{Context, Result, ensure};
use mcp_cluster::{Cache, ensure_rust_targets, handle_signals, repository};
use mcp_e2e::Artifacts;

pub(crate) fn run() -> Result<()> {
    handle_signals()?;
    ensure_rust_targets()?;
    let artifacts = Artifacts::build(&Cache::open()?)?;
    let mut command = Command::new("cargo");
    command
        .current_dir(repository())
        .args(["bench", "--package", "mcp-bench"])
        .env("MCP_TEST_PLUGINS", &artifacts.plugins);
    let status = command.status().context("cannot run cargo")?;
    ensure!(status.success(), "`cargo bench` failed ({status})");
    Ok(())
}
