//! From the work queue to kube's `Controller`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::WorkQueue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::requeue::Requeue;

/// Gives kube's `Controller` no more servers than it reconciles at once: its scheduler takes whatever it is offered, and
/// knows neither priorities nor namespaces that take turns. What waits, waits in the work queue, which does.
pub(crate) struct Dispatcher {
    queue: WorkQueue<ServerKey>,
    free: Arc<Semaphore>,
    given: Mutex<HashMap<ServerKey, OwnedSemaphorePermit>>,
}

impl Dispatcher {
    /// `concurrency`: reconciles that may run at the same time; 0: no limit.
    pub(crate) fn new(queue: WorkQueue<ServerKey>, concurrency: u16) -> Self {
        let permits = match concurrency {
            0 => Semaphore::MAX_PERMITS,
            limit => usize::from(limit),
        };
        Self {
            queue,
            free: Arc::new(Semaphore::new(permits)),
            given: Mutex::default(),
        }
    }

    /// Waits until another reconcile may begin, and for a server that is due.
    pub(crate) async fn next(&self) -> ServerKey {
        let permit = Arc::clone(&self.free).acquire_owned().await;
        let server = self.queue.next().await;
        // Only a closed semaphore gives no permit, and nothing closes this one. One that is given again while its reconcile
        // runs gives its first permit back: the Controller never runs the same server twice at once.
        if let Ok(permit) = permit {
            self.given().insert(server.clone(), permit);
        }
        server
    }

    /// The reconcile of a server has ended, or there is no such server.
    pub(crate) fn done(&self, server: ServerKey, requeue: Option<Requeue>) {
        self.given().remove(&server);
        if let Some(Requeue { after, priority }) = requeue {
            self.queue.add_after(server, after, priority);
        }
    }

    fn given(&self) -> MutexGuard<'_, HashMap<ServerKey, OwnedSemaphorePermit>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;
    use mcp_operator_runtime::Priority;

    use super::*;

    fn server(name: &str) -> ServerKey {
        ServerKey::new("tools", name)
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_while_all_places_are_taken_is_still_put_in_order() {
        let queue = WorkQueue::default();
        let dispatcher = Dispatcher::new(queue.clone(), 2);
        let low = |name| queue.add_after(server(name), Duration::ZERO, Priority::Low);
        ["a", "b", "c", "d"].into_iter().for_each(low);
        assert_eq!(dispatcher.next().await, server("a"));
        assert_eq!(dispatcher.next().await, server("b"));
        assert_eq!(dispatcher.next().now_or_never(), None);
        queue.add(server("new"));
        dispatcher.done(server("b"), None);
        assert_eq!(dispatcher.next().now_or_never(), Some(server("new")));
        assert_eq!(dispatcher.next().now_or_never(), None);
        let requeue = Requeue::look_again(Duration::from_secs(10));
        dispatcher.done(server("a"), Some(requeue));
        dispatcher.done(server("new"), None);
        assert_eq!(dispatcher.next().await, server("c"));
        assert_eq!(dispatcher.next().await, server("d"));
        dispatcher.done(server("c"), None);
        assert_eq!(dispatcher.next().now_or_never(), None);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(dispatcher.next().now_or_never(), Some(server("a")));
    }

    #[tokio::test]
    async fn one_that_is_given_twice_takes_one_place() {
        let queue = WorkQueue::default();
        let dispatcher = Dispatcher::new(queue.clone(), 2);
        for _ in 0..3 {
            queue.add(server("a"));
            assert_eq!(dispatcher.next().now_or_never(), Some(server("a")));
        }
        queue.add(server("b"));
        assert_eq!(dispatcher.next().now_or_never(), Some(server("b")));
        dispatcher.done(server("a"), None);
        dispatcher.done(server("b"), None);
        assert_eq!(dispatcher.free.available_permits(), 2);
    }

    #[tokio::test]
    async fn without_a_limit_all_that_is_due_is_given() {
        let queue = WorkQueue::default();
        let dispatcher = Dispatcher::new(queue.clone(), 0);
        for number in 0..100 {
            queue.add(server(&number.to_string()));
        }
        let given = std::iter::from_fn(|| dispatcher.next().now_or_never());
        assert_eq!(given.count(), 100);
    }
}
