//! Admissions that go on while something happens to the webhook.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow, ensure};
use serde_json::json;

use crate::world::{World, list};

/// Threads that have servers judged, again and again.
pub(crate) struct Askers {
    done: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Askers {
    /// Three of them, each with a server of its own.
    pub(crate) fn start(world: &World) -> Self {
        let server = |asker| (list(asker..asker + 1, &json!({})), 1);
        Self::asking(world, "apply", (0..3).map(server))
    }

    /// One for each manifest, which holds so many servers and is given to this verb of kubectl.
    pub(crate) fn asking(
        world: &World,
        verb: &'static str,
        manifests: impl IntoIterator<Item = (String, usize)>,
    ) -> Self {
        let (done, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let threads = manifests.into_iter().map(|(manifest, servers)| {
            let (kubectl, done, asked) = (world.kubectl().clone(), done.clone(), asked.clone());
            thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    kubectl.pipe(&[verb, "--dry-run=server", "--filename", "-"], &manifest)?;
                    asked.fetch_add(servers, Ordering::Relaxed);
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

    /// How many servers were judged until now.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Ends them.
    ///
    /// # Errors
    /// The first request that failed, or that no more than `few` were judged, which would mean nothing.
    pub(crate) fn finish(self, few: usize) -> Result<usize> {
        self.done.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| anyhow!("an asker panicked"))??;
        }
        let asked = self.asked.load(Ordering::Relaxed);
        ensure!(asked > few, "{asked} are too few to mean something");
        Ok(asked)
    }
}
