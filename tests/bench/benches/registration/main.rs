//! The cost of registration: `cargo xtask bench registration`.
//!
//! A plan for 10,000 servers, through the plugins (`cargo xtask bench plan` measures only that); and how often the cluster
//! and LiteLLM are asked for a burst of 1,000.

mod burst;
mod plan;

use std::process::ExitCode;

use anyhow::Result;
use mcp_bench::{exit_code, machine};
use mcp_plugin_host::compile;

fn main() -> ExitCode {
    // The plugin host starts this program to compile components.
    if std::env::args().any(|argument| argument == "compile-component") {
        return compile::child_main();
    }
    exit_code(run())
}

fn run() -> Result<()> {
    println!("{}", machine::facts());
    plan::measure()?;
    if std::env::args().any(|argument| argument == "--plan") {
        return Ok(());
    }
    burst::by_the_file()?;
    burst::by_the_admin_api()
}
