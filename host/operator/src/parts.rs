//! The parts of the operator that run side by side, and how they end.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;
use tracing::{error, warn};

/// Parts that run.
#[derive(Default)]
pub(crate) struct Parts {
    forever: FuturesUnordered<Named>,
    until_shutdown: FuturesUnordered<Named>,
}

type Named = futures::future::Map<JoinHandle<()>, WithName>;
type WithName = Box<dyn FnOnce(Result<(), JoinError>) -> &'static str + Send>;

impl Parts {
    /// Starts a part that ends only with the program.
    pub(crate) fn forever(
        &mut self,
        name: &'static str,
        part: impl Future<Output = ()> + Send + 'static,
    ) {
        self.forever.push(start(name, part));
    }

    /// Starts a part that finishes what it does when it is asked to stop.
    pub(crate) fn until_shutdown(
        &mut self,
        name: &'static str,
        part: impl Future<Output = ()> + Send + 'static,
    ) {
        self.until_shutdown.push(start(name, part));
    }

    /// The name of the first part that ends, which none should.
    pub(crate) async fn first_to_end(&mut self) -> &'static str {
        tokio::select! {
            Some(name) = self.forever.next() => name,
            Some(name) = self.until_shutdown.next() => name,
        }
    }

    /// Waits for all that were asked to stop.
    pub(crate) async fn finish(mut self, patience: Duration) {
        let all = async { while self.until_shutdown.next().await.is_some() {} };
        if timeout(patience, all).await.is_err() {
            warn!("what was going on did not end within {patience:?}");
        }
    }
}

fn start(name: &'static str, part: impl Future<Output = ()> + Send + 'static) -> Named {
    let named: WithName = Box::new(move |ended| {
        if let Err(error) = ended {
            error!(part = name, %error, "panicked");
        }
        name
    });
    futures::FutureExt::map(tokio::spawn(part), named)
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_parts_are_waited_for_and_none_for_ever() {
        let mut parts = Parts::default();
        parts.forever("forever", std::future::pending());
        parts.until_shutdown("quick", sleep(Duration::from_secs(1)));
        parts.until_shutdown("slow", sleep(Duration::from_secs(5)));
        let began = Instant::now();
        parts.finish(Duration::from_secs(20)).await;
        assert_eq!(began.elapsed().as_secs(), 5);

        let mut parts = Parts::default();
        parts.until_shutdown("stuck", std::future::pending());
        parts.finish(Duration::from_secs(20)).await;
        assert_eq!(began.elapsed().as_secs(), 25);
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_ends_or_panics_is_named() {
        let mut parts = Parts::default();
        parts.forever("other", std::future::pending());
        parts.until_shutdown("broken", async { assert_eq!(1, 2, "a test's panic") });
        assert_eq!(parts.first_to_end().await, "broken");
    }
}
