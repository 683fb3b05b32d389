//! The status that was written last, where the watch does not show it yet.
//!
//! Without it, a pass that comes before the watch would write the same status again, at another time, and tell the same
//! transition twice.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use mcp_operator_api::v1alpha1::{McpServer, McpServerStatus};

use super::reference::{Guarded, ServerRef, reference};

/// Answers to writes of a status, by server. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<Answers>>);

#[derive(Default)]
struct Answers {
    by_server: HashMap<ServerRef, Answer>,
    /// Servers of a list that is not complete yet.
    listing: Option<HashSet<ServerRef>>,
}

struct Answer {
    uid: Option<String>,
    version: Option<u64>,
    status: Option<McpServerStatus>,
    /// A list was being read: it may be older.
    came_while_listing: bool,
}

impl Told {
    /// A server with the newest status that is known of it.
    pub(super) fn newest<'a>(&self, server: &'a McpServer) -> Cow<'a, McpServer> {
        let (mut answers, key) = (self.lock(), reference(server));
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

    /// Notes what the API server answered to a write.
    pub(super) fn wrote(&self, answer: McpServer) {
        let server = reference(&answer);
        let mut answers = self.lock();
        let answer = Answer {
            uid: answer.uid(),
            version: version(&answer),
            status: answer.status,
            came_while_listing: answers.listing.is_some(),
        };
        // Of two writers, the one that was first may have its answer last.
        let is_older = |known: &Answer| known.uid == answer.uid && known.version > answer.version;
        if !answers.by_server.get(&server).is_some_and(is_older) {
            answers.by_server.insert(server, answer);
        }
    }

    /// Forgets what the watch has caught up with.
    pub(super) fn seen(&self, event: &Event<Guarded>) {
        let mut answers = self.lock();
        match event {
            Event::Apply(server) => answers.shown(server),
            Event::Delete(server) => {
                answers.by_server.remove(&ObjectRef::from_obj(server));
            }
            Event::Init => answers.listing = Some(HashSet::new()),
            Event::InitApply(server) => {
                answers.shown(server);
                if let Some(listing) = &mut answers.listing {
                    listing.insert(ObjectRef::from_obj(server));
                }
            }
            Event::InitDone => {
                let listed = answers.listing.take().unwrap_or_default();
                answers
                    .by_server
                    .retain(|server, answer| answer.came_while_listing || listed.contains(server));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    /// The watch shows a server: an answer that is not newer has had its time.
    fn shown(&mut self, server: &Guarded) {
        let key = ObjectRef::from_obj(server);
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

    fn phase(told: &Told, shown: &McpServer) -> Phase {
        let newest = told.newest(shown);
        newest.status.as_ref().unwrap().phase.unwrap()
    }

    #[test]
    fn an_answer_counts_until_the_watch_has_caught_up() {
        let told = Told::default();
        let shown: McpServer = server("1", "5", "Pending");
        told.wrote(server("1", "10", "Ready"));
        assert_eq!(phase(&told, &shown), Phase::Ready);
        told.seen(&Event::Apply(server("1", "9", "Pending")));
        assert_eq!(phase(&told, &shown), Phase::Ready);
        told.seen(&Event::Apply(server("1", "10", "Ready")));
        assert!(told.lock().by_server.is_empty());
    }

    #[test]
    fn the_newest_of_several_answers_counts() {
        let told = Told::default();
        told.wrote(server("1", "10", "Ready"));
        told.wrote(server("1", "9", "Creating"));
        assert_eq!(phase(&told, &server("1", "5", "Pending")), Phase::Ready);
        assert_eq!(phase(&told, &server("1", "11", "Failed")), Phase::Failed);
        assert!(told.lock().by_server.is_empty(), "it has had its time");
    }

    #[test]
    fn an_answer_about_a_namesake_that_is_gone_does_not_count() {
        let told = Told::default();
        told.wrote(server("1", "10", "Ready"));
        assert_eq!(phase(&told, &server("2", "5", "Pending")), Phase::Pending);
        told.seen(&Event::Delete(server("1", "10", "Ready")));
        assert!(told.lock().by_server.is_empty());
    }

    /// A list is as old as its first page, and may be read for long.
    #[test]
    fn an_answer_that_is_newer_than_a_list_outlives_it() {
        let told = Told::default();
        let named = |name: &str, version: &str| {
            let mut server: McpServer = server("1", version, "Ready");
            server.metadata.name = Some(name.into());
            server
        };
        for name in ["a", "gone"] {
            told.wrote(named(name, "5"));
        }
        told.seen(&Event::Init);
        told.wrote(named("new", "12"));
        told.wrote(named("a", "10"));
        told.seen(&Event::InitApply(server("1", "9", "Pending")));
        told.seen(&Event::InitDone);
        assert_eq!(phase(&told, &server("1", "9", "Pending")), Phase::Ready);
        let mut kept: Vec<String> = told
            .lock()
            .by_server
            .keys()
            .map(|it| it.name.clone())
            .collect();
        kept.sort();
        assert_eq!(kept, ["a", "new"]);
        told.seen(&Event::Init);
        told.seen(&Event::InitApply(server("1", "10", "Ready")));
        told.seen(&Event::InitDone);
        assert!(!told.lock().by_server.keys().any(|it| it.name == "a"));
    }
}
