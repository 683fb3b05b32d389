//! Waiting for what should happen, and for what should not.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Between two attempts. Most of them run kubectl, which takes 60 ms of a processor, and tests wait beside each other.
const INTERVAL: Duration = Duration::from_millis(250);
/// Between two checks: what must not happen may be there for a moment only.
const CLOSE: Duration = Duration::from_millis(100);

/// Tries until it works; the last error is told when it never does.
///
/// # Errors
/// When `timeout` is over.
pub fn eventually<T>(
    what: &str,
    timeout: Duration,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let began = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if began.elapsed() > timeout => {
                return Err(error)
                    .with_context(|| format!("{what}: not within {} s", timeout.as_secs()));
            }
            Err(_) => sleep(INTERVAL),
        }
    }
}

/// Checks again and again that something stays so.
///
/// # Errors
/// The first time that it is not.
pub fn holds_for(what: &str, time: Duration, mut check: impl FnMut() -> Result<()>) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < time {
        check().with_context(|| {
            format!("{what}: not any more after {} s", began.elapsed().as_secs())
        })?;
        sleep(CLOSE);
    }
    Ok(())
}
