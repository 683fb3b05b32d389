//! Wakes a server once for the many things that happen to its objects and pods within a moment.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::time::sleep;

use super::servers::ServerRef;

/// Short for who watches a rollout, long for the controllers that write the status of a Deployment step by step.
const MOMENT: Duration = Duration::from_millis(200);

/// Passes on each server at most once a moment.
pub(super) fn coalesced(wake: UnboundedSender<ServerRef>) -> UnboundedSender<ServerRef> {
    let (tell, mut told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(first) = told.recv().await {
            sleep(MOMENT).await;
            let mut servers = HashSet::from([first]);
            while let Ok(server) = told.try_recv() {
                servers.insert(server);
            }
            for server in servers {
                // The receiver is gone only when the program ends.
                let _ = wake.send(server);
            }
        }
    });
    tell
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector::ObjectRef;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_events_of_a_moment_wake_once() {
        let (wake, mut woken) = mpsc::unbounded_channel();
        let tell = coalesced(wake);
        let server = |name: &str| ServerRef::from(ObjectRef::new(name).within("tools"));
        for name in ["a", "b", "a", "a"] {
            tell.send(server(name)).unwrap();
        }
        let mut names =
            [woken.recv().await.unwrap(), woken.recv().await.unwrap()].map(|it| it.name);
        names.sort();
        assert_eq!(names, ["a", "b"]);
        assert!(woken.try_recv().is_err());
        tell.send(server("a")).unwrap();
        assert_eq!(woken.recv().await.unwrap().name, "a");
    }
}
