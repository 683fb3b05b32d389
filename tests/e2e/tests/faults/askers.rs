//! Admissions that go on while something happens to the webhook.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow, ensure};
use serde_json::json;

use crate::world::{World, list};

/// Threads that have a server judged, again and again.
pub(crate) struct Askers {
    done: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Askers {
    /// Three of them, each with a server of its own.
    pub(crate) fn start(world: &World) -> Self {
        let (done, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let threads = (0..3).map(|asker| {
            let (kubectl, done, asked) = (world.kubectl().clone(), done.clone(), asked.clone());
            let server = list(asker..asker + 1, &json!({}));
            thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let dry = ["apply", "--dry-run=server", "--filename", "-"];
                    kubectl.pipe(&dry, &server)?;
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        });
        let threads = threads.collect();
        Self {
            done,
            asked,
            threads,
        }
    }

    /// Ends them.
    ///
    /// # Errors
    /// The first request that failed, or that there were too few to mean something.
    pub(crate) fn finish(self) -> Result<()> {
        self.done.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| anyhow!("an asker panicked"))??;
        }
        let asked = self.asked.load(Ordering::Relaxed);
        ensure!(asked > 30, "{asked} are too few to mean something");
        Ok(())
    }
}
