//! Admissions that go on while something happens to the webhook.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use serde_json::json;

use crate::world::{World, list};

/// Askers, and servers of each that it has judged at once: starting kubectl takes longer than a judgement.
const ASKERS: usize = 4;
const AT_ONCE: usize = 25;

/// Threads that have servers judged, again and again.
pub(crate) struct Askers {
    done: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Result<()>>>,
    began: Instant,
}

impl Askers {
    /// As many as two cores can start without pause, each with servers of its own: some hundred of them are judged each second.
    pub(crate) fn start(world: &World) -> Self {
        let manifest = |asker| {
            let servers = list(asker * AT_ONCE..(asker + 1) * AT_ONCE, &json!({}));
            (servers, AT_ONCE)
        };
        Self::asking(world, (0..ASKERS).map(manifest))
    }

    /// One for each manifest, which holds so many servers.
    pub(crate) fn asking(
        world: &World,
        manifests: impl IntoIterator<Item = (String, usize)>,
    ) -> Self {
        let (done, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let threads = manifests.into_iter().map(|(manifest, servers)| {
            let (kubectl, done, asked) = (world.kubectl().clone(), done.clone(), asked.clone());
            thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    kubectl.pipe(
                        &["create", "--dry-run=server", "--filename", "-"],
                        &manifest,
                    )?;
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
            began: Instant::now(),
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
        let each_second = f64::from(u32::try_from(asked)?) / self.began.elapsed().as_secs_f64();
        eprintln!("{asked} servers were judged, {each_second:.0} a second");
        ensure!(asked > few, "{asked} are too few to mean something");
        Ok(asked)
    }
}
