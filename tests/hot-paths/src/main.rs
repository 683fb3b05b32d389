//! Runs one of the paths that the operator takes most often, as many times as is said: `mcp-hot-paths build 11`.
//!
//! `cargo xtask instructions` starts it under valgrind's callgrind, with two numbers of times: the difference is what one
//! more time takes, whatever starting and preparing take.

mod paths;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::paths::Path;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        for path in Path::ALL {
            println!("{}", path.name());
        }
        return Ok(());
    };
    let times = arguments.next().context("how many times?")?;
    let times: u32 = times.parse().context("the number of times is no number")?;
    let Some(path) = Path::ALL.into_iter().find(|path| path.name() == name) else {
        bail!("there is no path `{name}`: without arguments they are listed");
    };
    let mut take = path.prepare()?;
    for _ in 0..times {
        take()?;
    }
    Ok(())
}
