//! The status that was written last, where the watch does not show it yet.
//!
//! Without it, a pass that comes before the watch would write the same status again, at another time, and tell the same
//! transition twice.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use mcp_operator_api::v1alpha1::{McpServer, McpServerStatus};

use super::reference::{Guarded, ServerRef, reference};

/// Answers to writes of a status, by server. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<HashMap<ServerRef, Answer>>>);

struct Answer {
    uid: Option<String>,
    version: Option<u64>,
    status: Option<McpServerStatus>,
}

impl Told {
    /// A server with the newest status that is known of it.
    pub(super) fn newest<'a>(&self, server: &'a McpServer) -> Cow<'a, McpServer> {
        let answers = self.lock();
        let newer = answers
            .get(&reference(server))
            .filter(|answer| answer.uid == server.uid() && answer.version > version(server));
        newer.map_or(Cow::Borrowed(server), |answer| {
            let mut server = server.clone();
            server.status.clone_from(&answer.status);
            Cow::Owned(server)
        })
    }

    /// Notes what the API server answered to a write.
    pub(super) fn wrote(&self, answer: McpServer) {
        let server = reference(&answer);
        let answer = Answer {
            uid: answer.uid(),
            version: version(&answer),
            status: answer.status,
        };
        self.lock().insert(server, answer);
    }

    /// Forgets what the watch has caught up with.
    pub(super) fn seen(&self, event: &Event<Guarded>) {
        let mut answers = self.lock();
        match event {
            Event::Apply(server) => {
                let key = ObjectRef::from_obj(server);
                let is_behind = |answer: &Answer| {
                    answer.uid == server.meta().uid && answer.version > version(server)
                };
                if !answers.get(&key).is_some_and(is_behind) {
                    answers.remove(&key);
                }
            }
            Event::Delete(server) => {
                answers.remove(&ObjectRef::from_obj(server));
            }
            // A new list is as new as anything that was written before it.
            Event::InitDone => answers.clear(),
            Event::Init | Event::InitApply(_) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerRef, Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert!(told.lock().is_empty());
    }

    #[test]
    fn an_answer_about_a_namesake_that_is_gone_does_not_count() {
        let told = Told::default();
        told.wrote(server("1", "10", "Ready"));
        assert_eq!(phase(&told, &server("2", "5", "Pending")), Phase::Pending);
        told.seen(&Event::Delete(server("1", "10", "Ready")));
        assert!(told.lock().is_empty());
    }
}
