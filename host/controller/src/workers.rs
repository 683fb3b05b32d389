//! The workers: reconciles of what is due, so many at once, and never two of the same server.
//!
//! kube's `Controller` is not between them and the work queue. Its scheduler takes whatever it is offered, knows neither
//! priorities nor namespaces that take turns, and keeps each request for two milliseconds in a wheel of timers (2.1 ms in the
//! median of 1,000, by kube 5).

use std::collections::HashMap;
use std::panic::resume_unwind;

use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::WorkQueue;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::requeue::Requeue;

/// Takes servers from the work queue until `shutdown`, and then waits for those that are being reconciled.
///
/// `concurrency`: reconciles that may run at the same time; 0: no limit. `reconcile` says when the next one of the server
/// comes.
///
/// # Panics
/// When a reconcile does.
pub(crate) async fn run<R>(
    queue: &WorkQueue<ServerKey>,
    concurrency: u16,
    shutdown: CancellationToken,
    reconcile: impl Fn(ServerKey) -> R,
) where
    R: Future<Output = Option<Requeue>> + Send + 'static,
{
    let limit = match concurrency {
        0 => usize::MAX,
        limit => usize::from(limit),
    };
    let mut running = Running {
        queue,
        tasks: JoinSet::new(),
        servers: HashMap::new(),
    };
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = running.tasks.join_next() => running.end(ended),
            // What waits, waits in the work queue, which puts it in order.
            server = queue.next(), if running.servers.len() < limit => {
                running.begin(server, &reconcile);
            }
        }
    }
    while let Some(ended) = running.tasks.join_next().await {
        running.end(ended);
    }
}

/// The reconciles that are going on.
struct Running<'a> {
    queue: &'a WorkQueue<ServerKey>,
    tasks: JoinSet<(ServerKey, Option<Requeue>)>,
    servers: HashMap<ServerKey, Meanwhile>,
}

/// What has come for a server since its reconcile began.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    /// It has to be looked at again: the reconcile may have seen what was before.
    Change,
}

impl Running<'_> {
    fn begin<R>(&mut self, server: ServerKey, reconcile: impl Fn(ServerKey) -> R)
    where
        R: Future<Output = Option<Requeue>> + Send + 'static,
    {
        if let Some(meanwhile) = self.servers.get_mut(&server) {
            *meanwhile = Meanwhile::Change;
            return;
        }
        self.servers.insert(server.clone(), Meanwhile::Nothing);
        let reconcile = reconcile(server.clone());
        self.tasks.spawn(async move { (server, reconcile.await) });
    }

    fn end(&mut self, ended: Result<(ServerKey, Option<Requeue>), JoinError>) {
        let (server, requeue) = match ended {
            Ok(ended) => ended,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // Only the end of the runtime cancels one.
                Err(_) => return,
            },
        };
        let meanwhile = self.servers.remove(&server);
        if let Some(Requeue { after, priority }) = requeue {
            self.queue.add_after(server.clone(), after, priority);
        }
        if meanwhile == Some(Meanwhile::Change) {
            self.queue.add(server);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use mcp_operator_runtime::Priority;
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;
    use tokio::time::sleep;

    use super::*;

    /// Reconciles that wait until they are let go.
    #[derive(Clone, Default)]
    struct World {
        queue: WorkQueue<ServerKey>,
        begun: Arc<Mutex<Vec<String>>>,
        waiting: Arc<Mutex<HashMap<String, Arc<Notify>>>>,
        shutdown: CancellationToken,
    }

    impl World {
        fn start(concurrency: u16) -> (Self, JoinHandle<()>) {
            let world = Self::default();
            let this = world.clone();
            let running = tokio::spawn(async move {
                let reconcile = |server: ServerKey| {
                    let go = Arc::<Notify>::default();
                    let mut waiting = this.waiting.lock().unwrap();
                    let before = waiting.insert(server.name.clone(), Arc::clone(&go));
                    assert!(before.is_none(), "{server} is reconciled twice at once");
                    this.begun.lock().unwrap().push(server.name.clone());
                    let this = this.clone();
                    async move {
                        go.notified().await;
                        this.waiting.lock().unwrap().remove(&server.name);
                        Some(Requeue::look_again(Duration::from_hours(1)))
                    }
                };
                run(&this.queue, concurrency, this.shutdown.clone(), reconcile).await;
            });
            (world, running)
        }

        fn add_low(&self, names: &[&str]) {
            for name in names {
                self.queue
                    .add_after(server(name), Duration::ZERO, Priority::Low);
            }
        }

        fn end(&self, name: &str) {
            self.waiting.lock().unwrap()[name].notify_one();
        }

        /// Those that have begun, in order, once nothing more can happen at this time.
        async fn begun(&self) -> Vec<String> {
            sleep(Duration::from_millis(1)).await;
            self.begun.lock().unwrap().clone()
        }
    }

    fn server(name: &str) -> ServerKey {
        ServerKey::new("tools", name)
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_while_all_places_are_taken_is_still_put_in_order() {
        let (world, _running) = World::start(2);
        world.add_low(&["a", "b", "c", "d"]);
        assert_eq!(world.begun().await, ["a", "b"]);
        world.queue.add(server("new"));
        world.end("b");
        assert_eq!(world.begun().await, ["a", "b", "new"]);
        world.end("a");
        world.end("new");
        assert_eq!(world.begun().await, ["a", "b", "new", "c", "d"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_while_a_server_is_reconciled_has_it_reconciled_once_more() {
        let (world, _running) = World::start(2);
        for _ in 0..3 {
            world.queue.add(server("a"));
            assert_eq!(world.begun().await, ["a"]);
        }
        // It takes one place, however often it comes.
        world.queue.add(server("b"));
        assert_eq!(world.begun().await, ["a", "b"]);
        world.end("a");
        assert_eq!(world.begun().await, ["a", "b", "a"]);
        world.end("a");
        assert_eq!(world.begun().await, ["a", "b", "a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_comes_again_when_its_reconcile_says() {
        let (world, _running) = World::start(1);
        world.queue.add(server("a"));
        assert_eq!(world.begun().await, ["a"]);
        world.end("a");
        sleep(Duration::from_mins(59)).await;
        assert_eq!(world.begun().await, ["a"]);
        sleep(Duration::from_mins(1)).await;
        assert_eq!(world.begun().await, ["a", "a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_all_that_is_due_begins() {
        let (world, _running) = World::start(0);
        for number in 0..100 {
            world.queue.add(server(&number.to_string()));
        }
        let begun = world.begun().await;
        assert_eq!(begun.iter().collect::<BTreeSet<_>>().len(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_end_nothing_begins_and_what_runs_is_waited_for() {
        let (world, running) = World::start(1);
        world.add_low(&["a", "b"]);
        assert_eq!(world.begun().await, ["a"]);
        world.shutdown.cancel();
        assert_eq!(world.begun().await, ["a"]);
        assert!(!running.is_finished());
        world.end("a");
        assert_eq!(world.begun().await, ["a"]);
        assert!(running.is_finished());
    }

    #[tokio::test]
    #[should_panic(expected = "of a reconcile")]
    async fn a_panic_is_not_kept_to_itself() {
        let queue = WorkQueue::default();
        queue.add(server("a"));
        let reconcile = |_| async { panic!("of a reconcile") };
        run(&queue, 1, CancellationToken::new(), reconcile).await;
    }
}
