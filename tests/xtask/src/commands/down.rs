//! `cargo xtask down`

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use mcp_cluster::{Cache, terminate};

use super::background::Background;

pub(crate) fn run() -> Result<()> {
    let background = Background::open(&Cache::open()?)?;
    let Some(pid) = background.process() else {
        println!("no cluster is up");
        return Ok(());
    };
    terminate(pid)?;
    while background.process().is_some() {
        sleep(Duration::from_millis(50));
    }
    background.end()?;
    println!("the cluster is stopped");
    Ok(())
}
