//! Read-your-writes for statuses: the answers to our own writes, laid over what the informer shows.
//!
//! Without it, a reconcile that runs before the watch has caught up would write the same status again, with another time,
//! and emit the event of the same transition twice.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use mcp_operator_api::v1alpha1::{McpServer, McpServerStatus};
use mcp_operator_core::server_key::ServerKey;

use crate::guarded_server::GuardedServer;

/// The newest status of each server that was written and that the informer does not show yet. Cheap to clone.
#[derive(Clone, Default)]
pub struct StatusOverlay(Arc<Mutex<Answers>>);

#[derive(Default)]
struct Answers {
    by_server: HashMap<ServerKey, Answer>,
    /// A list is being read.
    is_listing: bool,
}

struct Answer {
    uid: Option<String>,
    version: Option<u64>,
    status: Option<McpServerStatus>,
    /// A list was being read when it was written: the list may be older.
    written_while_listing: bool,
}

impl StatusOverlay {
    /// The server with the latest status that is known.
    pub fn latest<'a>(&self, server: &'a McpServer) -> Cow<'a, McpServer> {
        let (mut answers, key) = (self.lock(), ServerKey::of(server));
        let answer = answers.by_server.get(&key);
        let Some(answer) = answer.filter(|answer| answer.uid == server.uid()) else {
            return Cow::Borrowed(server);
        };
        if answer.version <= version(server) {
            // The watch was quicker than the answer.
            answers.by_server.remove(&key);
            return Cow::Borrowed(server);
        }
        let mut server = server.clone();
        server.status.clone_from(&answer.status);
        Cow::Owned(server)
    }

    /// Whether a server is shown with the very status, or an older one, that was written last.
    pub fn shows(&self, server: &GuardedServer) -> bool {
        let answers = self.lock();
        let answer = answers.by_server.get(&ServerKey::of(server));
        answer.is_some_and(|answer| {
            answer.uid == server.meta().uid && answer.version >= version(server)
        })
    }

    /// Records what the API server answered to a write of a status.
    pub fn record_write(&self, answer: McpServer) {
        let server = ServerKey::of(&answer);
        let mut answers = self.lock();
        let answer = Answer {
            uid: answer.uid(),
            version: version(&answer),
            status: answer.status,
            written_while_listing: answers.is_listing,
        };
        // Of two writers, the one that was first may have its answer last.
        let is_older = |known: &Answer| known.uid == answer.uid && known.version > answer.version;
        if !answers.by_server.get(&server).is_some_and(is_older) {
            answers.by_server.insert(server, answer);
        }
    }

    /// Drops what the watch has caught up with. To be called with every event of the informer.
    pub fn observe_event(&self, event: &Event<GuardedServer>) {
        let mut answers = self.lock();
        match event {
            Event::Apply(server) | Event::InitApply(server) => {
                answers.drop_if_caught_up(server);
            }
            Event::Delete(server) => {
                answers.by_server.remove(&ServerKey::of(server));
            }
            Event::Init => {
                answers.is_listing = true;
                for answer in answers.by_server.values_mut() {
                    answer.written_while_listing = false;
                }
            }
            // What was written before a list is in it, or is no longer stored: etcd may have been restored from a backup.
            Event::InitDone => {
                answers.is_listing = false;
                answers
                    .by_server
                    .retain(|_, answer| answer.written_while_listing);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    /// The watch shows a server: drops an answer that is not newer.
    fn drop_if_caught_up(&mut self, server: &GuardedServer) {
        let key = ServerKey::of(server);
        let is_newer =
            |answer: &Answer| answer.uid == server.meta().uid && answer.version > version(server);
        if !self.by_server.get(&key).is_some_and(is_newer) {
            self.by_server.remove(&key);
        }
    }
}

fn version(server: &impl Resource) -> Option<u64> {
    server.meta().resource_version.as_ref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use mcp_operator_api::v1alpha1::Phase;
    use serde_json::{Value, json};

    use super::*;

    fn server<T: serde::de::DeserializeOwned>(uid: &str, version: &str, phase: &str) -> T {
        let server: Value = json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": "a", "namespace": "tools", "uid": uid, "resourceVersion": version },
            "spec": { "image": { "repository": "acme/mcp" } },
            "status": { "phase": phase },
        });
        serde_json::from_value(server).unwrap()
    }

    fn phase(overlay: &StatusOverlay, shown: &McpServer) -> Phase {
        let newest = overlay.latest(shown);
        newest.status.as_ref().unwrap().phase.unwrap()
    }

    #[test]
    fn an_answer_counts_until_the_watch_has_caught_up() {
        let overlay = StatusOverlay::default();
        let shown: McpServer = server("1", "5", "Pending");
        overlay.record_write(server("1", "10", "Ready"));
        assert_eq!(phase(&overlay, &shown), Phase::Ready);
        overlay.observe_event(&Event::Apply(server("1", "9", "Pending")));
        assert_eq!(phase(&overlay, &shown), Phase::Ready);
        overlay.observe_event(&Event::Apply(server("1", "10", "Ready")));
        assert!(overlay.lock().by_server.is_empty());
    }

    #[test]
    fn the_newest_of_several_answers_counts() {
        let overlay = StatusOverlay::default();
        overlay.record_write(server("1", "10", "Ready"));
        overlay.record_write(server("1", "9", "Creating"));
        assert_eq!(phase(&overlay, &server("1", "5", "Pending")), Phase::Ready);
        assert_eq!(phase(&overlay, &server("1", "11", "Failed")), Phase::Failed);
        assert!(overlay.lock().by_server.is_empty(), "it has had its time");
    }

    #[test]
    fn an_answer_about_a_namesake_that_is_gone_does_not_count() {
        let overlay = StatusOverlay::default();
        overlay.record_write(server("1", "10", "Ready"));
        assert_eq!(
            phase(&overlay, &server("2", "5", "Pending")),
            Phase::Pending
        );
        overlay.observe_event(&Event::Delete(server("1", "10", "Ready")));
        assert!(overlay.lock().by_server.is_empty());
    }

    /// A list is as old as its first page, and may be read for long.
    #[test]
    fn an_answer_that_is_newer_than_a_list_outlives_it() {
        let overlay = StatusOverlay::default();
        let named = |name: &str, version: &str| {
            let mut server: McpServer = server("1", version, "Ready");
            server.metadata.name = Some(name.into());
            server
        };
        for name in ["a", "gone"] {
            overlay.record_write(named(name, "5"));
        }
        overlay.observe_event(&Event::Init);
        overlay.record_write(named("new", "12"));
        overlay.record_write(named("a", "10"));
        overlay.observe_event(&Event::InitApply(server("1", "9", "Pending")));
        overlay.observe_event(&Event::InitDone);
        assert_eq!(phase(&overlay, &server("1", "9", "Pending")), Phase::Ready);
        let mut kept: Vec<String> = overlay
            .lock()
            .by_server
            .keys()
            .map(|it| it.name.clone())
            .collect();
        kept.sort();
        assert_eq!(kept, ["a", "new"]);
        overlay.observe_event(&Event::Init);
        overlay.observe_event(&Event::InitApply(server("1", "10", "Ready")));
        overlay.observe_event(&Event::InitDone);
        assert!(overlay.lock().by_server.is_empty());
    }

    /// Versions begin anew where a backup of etcd was restored.
    #[test]
    fn a_list_that_began_after_an_answer_counts_more() {
        let overlay = StatusOverlay::default();
        overlay.record_write(server("1", "10", "Ready"));
        let restored: McpServer = server("1", "5", "Pending");
        overlay.observe_event(&Event::Init);
        overlay.observe_event(&Event::InitApply(server("1", "5", "Pending")));
        assert_eq!(phase(&overlay, &restored), Phase::Ready, "not complete yet");
        overlay.observe_event(&Event::InitDone);
        assert_eq!(phase(&overlay, &restored), Phase::Pending);
    }
}
