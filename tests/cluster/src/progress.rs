//! Progress on standard error: one line that is rewritten on a terminal, a line per start and end elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Counts steps and tells which one runs and for how long.
#[derive(Debug)]
pub struct Progress {
    total: usize,
    index: usize,
}

impl Progress {
    /// For a known number of steps.
    pub fn new(total: usize) -> Self {
        Self { total, index: 0 }
    }

    /// Runs the next step and tells its time.
    ///
    /// # Errors
    /// The error of the step itself.
    pub fn step<T>(&mut self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.index += 1;
        let label = format!("{} {what}", self.position());
        let began = Instant::now();
        let result = if stderr().is_terminal() {
            ticking(&label, began, work)
        } else {
            eprintln!("{label}: started");
            work()
        };
        let outcome = if result.is_ok() { "done" } else { "failed" };
        eprintln!(
            "{label}: {outcome} in {:.1} s",
            began.elapsed().as_secs_f32()
        );
        result
    }

    fn position(&self) -> String {
        format!("[{} of {}]", self.index, self.total)
    }
}

/// Rewrites the line every second until the work is done, then clears it.
fn ticking<T>(label: &str, began: Instant, work: impl FnOnce() -> T) -> T {
    let (done, waiting) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            loop {
                let mut terminal = stderr();
                // A terminal that cannot be written to is no reason to stop the work.
                let _ = write!(
                    terminal,
                    "\r\x1b[2K{label} ... {} s",
                    began.elapsed().as_secs()
                );
                let _ = terminal.flush();
                if waiting.recv_timeout(Duration::from_secs(1)) != Err(RecvTimeoutError::Timeout) {
                    let _ = write!(terminal, "\r\x1b[2K");
                    return;
                }
            }
        });
        let result = work();
        drop(done);
        result
    })
}
