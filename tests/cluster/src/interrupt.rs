//! Ctrl-C and termination: noted once, looked at by everything that waits.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Makes Ctrl-C and the termination signal end waits instead of the program, so that what was started is stopped in
/// order. A second signal ends the program at once; its servers end with it.
///
/// # Errors
/// When another handler is already set.
pub fn handle_signals() -> Result<()> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        eprintln!("stopping; press Ctrl-C again to stop at once");
    })
    .context("cannot handle Ctrl-C")
}

/// Whether a signal to stop has come.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Fails when a signal to stop has come.
///
/// # Errors
/// Then.
pub fn check_interrupted() -> Result<()> {
    if interrupted() {
        bail!("interrupted");
    }
    Ok(())
}
