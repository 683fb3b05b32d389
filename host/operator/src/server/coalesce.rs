//! Wakes a server once for the many things that happen to its objects and pods within a moment.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::sleep;

use super::pending::Pending;
use super::reference::ServerRef;

/// Short for who watches a rollout, long for the controllers that write the status of a Deployment step by step.
const MOMENT: Duration = Duration::from_millis(200);

/// Passes on each server at most once a moment.
pub(super) fn coalesced(wake: UnboundedSender<ServerRef>) -> UnboundedSender<ServerRef> {
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(pass_on(told, wake, None));
    tell
}

/// Passes on each server at most once a moment, and gives way to those whose users have changed something.
///
/// In a burst of new servers, the steps of their rollouts would otherwise be nearly half of what is written before the last
/// of them has its objects.
pub(super) fn giving_way(
    wake: UnboundedSender<ServerRef>,
    pending: Pending,
) -> UnboundedSender<ServerRef> {
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(pass_on(told, wake, Some(pending)));
    tell
}

async fn pass_on(
    mut told: UnboundedReceiver<ServerRef>,
    wake: UnboundedSender<ServerRef>,
    pending: Option<Pending>,
) {
    let mut queue = Queue::default();
    while let Some(first) = told.recv().await {
        sleep(MOMENT).await;
        queue.add(first);
        loop {
            if let Some(pending) = &pending {
                pending.turn().await;
            }
            while let Ok(server) = told.try_recv() {
                queue.add(server);
            }
            let Some(server) = queue.next() else { break };
            if let Some(pending) = &pending {
                pending.give_turn(&server);
            }
            // The receiver is gone only when the program ends.
            let _ = wake.send(server);
        }
    }
}

/// Servers in the order in which they came, each once.
#[derive(Default)]
struct Queue {
    order: VecDeque<ServerRef>,
    waiting: HashSet<ServerRef>,
}

impl Queue {
    fn add(&mut self, server: ServerRef) {
        if self.waiting.insert(server.clone()) {
            self.order.push_back(server);
        }
    }

    fn next(&mut self) -> Option<ServerRef> {
        let first = self.order.pop_front()?;
        self.waiting.remove(&first);
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector::ObjectRef;
    use tokio::time::Instant;

    use super::*;

    fn server(name: &str) -> ServerRef {
        ObjectRef::new(name).within("tools")
    }

    #[tokio::test(start_paused = true)]
    async fn many_events_of_a_moment_wake_once() {
        let (wake, mut woken) = mpsc::unbounded_channel();
        let tell = coalesced(wake);
        for name in ["a", "b", "a", "a"] {
            tell.send(server(name)).unwrap();
        }
        assert_eq!(woken.recv().await, Some(server("a")));
        assert_eq!(woken.recv().await, Some(server("b")));
        sleep(MOMENT * 2).await;
        assert!(woken.try_recv().is_err());
        tell.send(server("a")).unwrap();
        assert_eq!(woken.recv().await, Some(server("a")));
    }

    #[tokio::test(start_paused = true)]
    async fn while_a_change_waits_others_come_one_after_the_other() {
        let (wake, mut woken) = mpsc::unbounded_channel();
        let pending = Pending::default();
        let tell = giving_way(wake, pending.clone());
        pending.add(&server("new"));
        let began = Instant::now();
        for name in ["a", "b", "c", "d", "a"] {
            tell.send(server(name)).unwrap();
        }
        for name in ["a", "b"] {
            assert_eq!(woken.recv().await, Some(server(name)));
            tell.send(server("c")).unwrap();
        }
        assert!(began.elapsed() > MOMENT * 2, "{:?}", began.elapsed());
        let (acted_on, before) = (pending.remove(&server("new")), Instant::now());
        assert!(acted_on);
        for name in ["c", "d"] {
            assert_eq!(woken.recv().await, Some(server(name)));
        }
        assert_eq!(before.elapsed(), Duration::ZERO);
        sleep(MOMENT * 2).await;
        assert!(woken.try_recv().is_err());
    }
}
