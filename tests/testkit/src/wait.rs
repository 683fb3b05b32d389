//! Waiting for something to come about, without sleeping.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::timeout;

use crate::log::Recorded;
use crate::server::ApiServer;

/// A condition that has not come about by then does not.
const PATIENCE: Duration = Duration::from_secs(10);

impl ApiServer {
    /// Waits until a condition is true, which is looked at whenever something happens.
    ///
    /// # Errors
    /// When it does not come about, with the last requests.
    pub async fn wait_for(&self, condition: impl Fn(&Self) -> bool) -> Result<(), String> {
        let mut activity = self.shared.activity();
        let comes_about = async {
            loop {
                activity.mark_unchanged();
                if condition(self) {
                    return;
                }
                // The sender lives as long as the server.
                let _ = activity.changed().await;
            }
        };
        timeout(PATIENCE, comes_about).await.map_err(|_| {
            let requests = self.requests();
            let last: Vec<String> = requests
                .iter()
                .rev()
                .take(20)
                .rev()
                .map(Recorded::line)
                .collect();
            format!(
                "nothing of the kind within {PATIENCE:?}; the last requests: {}",
                last.join(", ")
            )
        })
    }

    /// Waits until all requests are answered and nobody sends another one without waiting for time to pass, or for the
    /// test. For a runtime of one thread.
    pub async fn idle(&self) {
        const TURNS: usize = 200;
        let mut quiet = 0;
        let mut activity = self.shared.activity();
        while quiet < TURNS {
            activity.mark_unchanged();
            yield_now().await;
            let is_quiet = self.shared.in_flight.load(Ordering::SeqCst) == 0
                && !activity.has_changed().unwrap_or_default();
            quiet = if is_quiet { quiet + 1 } else { 0 };
        }
    }
}
