//! The thread that interrupts guests, by incrementing the epoch of their engines.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::Engine;

/// How often a running guest is interrupted: it yields to other tasks, or ends if its deadline has passed.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// A thread that increments the epochs of the engines. Dropping this ends it.
#[derive(Debug)]
pub(crate) struct Ticker {
    ticks: Arc<AtomicU64>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(engines: Vec<Engine>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let ticks = Arc::new(AtomicU64::new(0));
        let count = ticks.clone();
        let thread = thread::Builder::new()
            .name("plugin-ticker".into())
            .spawn(move || {
                while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    count.fetch_add(1, Ordering::Relaxed);
                    engines.iter().for_each(Engine::increment_epoch);
                }
            })?;
        Ok(Self {
            ticks,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The number of ticks so far. Ticks that were missed while the process was suspended are not made up for.
    pub(crate) fn ticks(&self) -> Arc<AtomicU64> {
        self.ticks.clone()
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // An error means that the thread panicked; there is nothing left to clean up then.
            let _ = thread.join();
        }
    }
}
