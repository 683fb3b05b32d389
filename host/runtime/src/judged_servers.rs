//! What the controller has found out about MCPServers, for the registration and for later reconciles.
//!
//! It goes from one to the other in memory: a status can be written by others, too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{Resource, ResourceExt};
use mcp_operator_api::v1alpha1::{DefaultedField, McpServer};
use mcp_operator_core::registration_basis::RegistrationBasis;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_core::violation::Violation;
use tokio::sync::watch;

/// What the controller has found out about each MCPServer since the process began. Cheap to clone.
#[derive(Clone)]
pub struct JudgedServers {
    servers: Arc<Mutex<HashMap<ServerKey, Entry>>>,
    changed: watch::Sender<()>,
    asked: watch::Sender<()>,
}

/// What the controller has found out about an MCPServer.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedServer {
    /// What the rules in force let be registered of it.
    pub basis: RegistrationBasis,
    /// The generation of the specification that they said it about. None: they have said nothing yet.
    pub generation: Option<i64>,
    /// The fields that plugins set. None: no reconcile has asked them yet.
    pub defaults: Option<Vec<DefaultedField>>,
    /// Its condition `Available`, as the controller computed it.
    pub available: Option<Condition>,
}

/// Which rules of plugins a server breaks.
#[derive(Clone, Debug, Default)]
pub struct BrokenRules {
    /// The plugins that were asked last, whatever came of it, as a hash of the snapshot's fingerprint. None: no plugins were.
    pub asked: Option<u64>,
    /// What they found when they last could say it.
    pub violations: Arc<[Violation]>,
}

struct Entry {
    uid: Option<String>,
    judged: JudgedServer,
    broken_rules: BrokenRules,
    /// The fingerprint of the entry that `LiteLLMRegistered` was last said about.
    registered: Option<u64>,
}

impl Default for JudgedServers {
    fn default() -> Self {
        Self {
            servers: Arc::default(),
            changed: watch::Sender::new(()),
            asked: watch::Sender::new(()),
        }
    }
}

impl JudgedServers {
    /// Records what the rules in force say about a server. [`RegistrationBasis::Unknown`] leaves what was known before.
    pub fn record_basis(&self, server: &McpServer, basis: RegistrationBasis) {
        self.update(server, |judged| {
            if basis != RegistrationBasis::Unknown {
                judged.basis = basis;
                judged.generation = server.meta().generation;
            }
        });
    }

    /// Records that what is known holds for this generation, too: its specification is one that was judged before.
    pub fn record_same(&self, server: &McpServer) {
        self.update(server, |judged| {
            if judged.basis != RegistrationBasis::Unknown {
                judged.generation = server.meta().generation;
            }
        });
    }

    /// Records of which entry the registration has just said how it stands, by its fingerprint; nothing where it cannot say.
    /// Nobody is woken by it: the condition that is written does that.
    pub fn record_registered(&self, server: &McpServer, entry: Option<u64>) {
        let mut servers = self.lock();
        let known = servers.get_mut(&ServerKey::of(server));
        if let Some(known) = known.filter(|known| known.uid == server.uid()) {
            known.registered = entry;
        }
    }

    /// Whether `LiteLLMRegistered` was last said about what the rules now let be registered. Not to be known after a start.
    pub fn is_registered_as_judged(&self, server: &McpServer) -> bool {
        let servers = self.lock();
        let known = servers.get(&ServerKey::of(server));
        known
            .filter(|known| known.uid == server.uid())
            .is_some_and(|known| match &known.judged.basis {
                RegistrationBasis::Admitted(entry) => known.registered == Some(entry.fingerprint()),
                _ => false,
            })
    }

    /// Records which fields plugins set, for the status: a reconcile that changes nothing does not ask them.
    pub fn record_defaults(&self, server: &McpServer, defaults: Vec<DefaultedField>) {
        self.update(server, |judged| judged.defaults = Some(defaults));
    }

    /// Records which plugins were asked about a server, and what it breaks of their rules. Nothing: nobody can say, and what
    /// was known stays.
    pub fn record_violations(
        &self,
        server: &McpServer,
        asked: u64,
        violations: Option<Vec<Violation>>,
    ) {
        // It may be the first that is known of the server.
        self.update(server, |_| {});
        let mut servers = self.lock();
        let Some(entry) = servers.get_mut(&ServerKey::of(server)) else {
            return;
        };
        let known = &mut entry.broken_rules;
        let is_same = known.asked == Some(asked)
            && violations
                .as_ref()
                .is_none_or(|violations| *known.violations == **violations);
        if is_same {
            return;
        }
        known.asked = Some(asked);
        if let Some(violations) = violations {
            known.violations = violations.into();
        }
        self.asked.send_replace(());
    }

    /// Which rules a server breaks, as far as that is known.
    pub fn broken_rules(&self, server: &McpServer) -> BrokenRules {
        let servers = self.lock();
        let entry = servers.get(&ServerKey::of(server));
        let entry = entry.filter(|entry| entry.uid == server.uid());
        entry
            .map(|entry| entry.broken_rules.clone())
            .unwrap_or_default()
    }

    /// Tells when plugins were asked that were not asked before, or servers break other rules, or one is gone.
    pub fn broken_rules_changes(&self) -> watch::Receiver<()> {
        self.asked.subscribe()
    }

    /// Records whether a pod of a server serves. Its time, which decides about grace periods, is that of the status only once
    /// after a start, and never in the future: others can write a status.
    pub fn record_available(
        &self,
        server: &McpServer,
        available: Option<Condition>,
        now: Timestamp,
    ) {
        self.update(server, |judged| {
            let before = judged.available.take();
            judged.available = available.map(|available| Condition {
                last_transition_time: match before {
                    Some(before) if before.status == available.status => {
                        before.last_transition_time
                    }
                    Some(_) => Time(now),
                    None => Time(available.last_transition_time.0.min(now)),
                },
                ..available
            });
        });
    }

    /// Forgets all: whoever was the leader meanwhile may have found something else.
    pub fn clear(&self) {
        self.lock().clear();
        self.changed.send_replace(());
        self.asked.send_replace(());
    }

    /// Forgets a server that is gone.
    pub fn forget(&self, server: &ServerKey) {
        if self.lock().remove(server).is_some() {
            self.changed.send_replace(());
            self.asked.send_replace(());
        }
    }

    /// What is known of a server; nothing if no reconcile of it has ended since the process began.
    pub fn get(&self, server: &McpServer) -> Option<JudgedServer> {
        let servers = self.lock();
        let entry = servers.get(&ServerKey::of(server))?;
        (entry.uid == server.uid()).then(|| entry.judged.clone())
    }

    /// Tells when something else is known.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn update(&self, server: &McpServer, change: impl FnOnce(&mut JudgedServer)) {
        let uid = server.meta().uid.clone();
        let unknown = || JudgedServer {
            basis: RegistrationBasis::Unknown,
            generation: None,
            defaults: None,
            available: None,
        };
        let mut servers = self.lock();
        let key = ServerKey::of(server);
        let before = servers.get(&key).filter(|entry| entry.uid == uid);
        let registered = before.and_then(|entry| entry.registered);
        let broken_rules = before.map(|entry| entry.broken_rules.clone());
        let before = before.map(|entry| entry.judged.clone());
        let mut judged = before.clone().unwrap_or_else(unknown);
        change(&mut judged);
        if before.as_ref() != Some(&judged) {
            let entry = Entry {
                uid,
                judged,
                broken_rules: broken_rules.unwrap_or_default(),
                registered,
            };
            servers.insert(key, entry);
            self.changed.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerKey, Entry>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server(uid: &str) -> McpServer {
        serde_json::from_value(json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": "a", "namespace": "tools", "uid": uid },
            "spec": { "image": { "repository": "acme/mcp" } },
        }))
        .unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_time_is_believed_once_and_never_in_the_future() {
        let judged = JudgedServers::default();
        let since = |status: &str, shown: i64, now: i64| {
            let condition = json!({ "type": "Available", "status": status, "reason": "R", "message": "", "lastTransitionTime": at(shown).to_string() });
            let condition = serde_json::from_value(condition).unwrap();
            judged.record_available(&server("1"), Some(condition), at(now));
            let available = judged.get(&server("1")).unwrap().available.unwrap();
            available.last_transition_time.0.as_second()
        };
        assert_eq!(since("False", 1_000, 100), 100);
        assert_eq!(since("False", 5, 110), 100, "the time that somebody wrote");
        assert_eq!(since("True", 5, 120), 120);
        judged.forget(&ServerKey::new("tools", "a"));
        assert_eq!(since("True", 50, 130), 50, "after a restart");
    }

    #[test]
    fn what_nobody_can_say_leaves_what_was_known() {
        let judged = JudgedServers::default();
        assert_eq!(judged.get(&server("1")), None);
        judged.record_basis(&server("1"), RegistrationBasis::Unknown);
        let basis = |uid| judged.get(&server(uid)).map(|judged| judged.basis);
        assert_eq!(basis("1"), Some(RegistrationBasis::Unknown));
        judged.record_basis(&server("1"), RegistrationBasis::OptedOut);
        judged.record_basis(&server("1"), RegistrationBasis::Unknown);
        assert_eq!(basis("1"), Some(RegistrationBasis::OptedOut));
    }

    #[test]
    fn a_namesake_is_another_server() {
        let judged = JudgedServers::default();
        judged.record_basis(&server("1"), RegistrationBasis::OptedOut);
        assert_eq!(judged.get(&server("2")), None);
        judged.record_available(&server("2"), None, at(1));
        let second = judged.get(&server("2")).unwrap();
        assert_eq!(second.basis, RegistrationBasis::Unknown);
        judged.forget(&ServerKey::new("tools", "a"));
        assert_eq!(judged.get(&server("2")), None);
    }

    #[test]
    fn what_is_registered_is_compared_with_what_was_judged_last() {
        let judged = JudgedServers::default();
        let admitted = |server: &McpServer| {
            RegistrationBasis::of_admitted(server, &mcp_operator_core::build::Settings::default())
        };
        let fingerprint = |basis: &RegistrationBasis| match basis {
            RegistrationBasis::Admitted(entry) => Some(entry.fingerprint()),
            _ => None,
        };
        let mut first = server("1");
        first.metadata.generation = Some(1);
        let entry = fingerprint(&admitted(&first));
        judged.record_registered(&first, entry);
        assert!(!judged.is_registered_as_judged(&first), "nobody knows it");
        judged.record_basis(&first, admitted(&first));
        assert!(!judged.is_registered_as_judged(&first), "after a start");
        judged.record_registered(&first, entry);
        assert!(judged.is_registered_as_judged(&first));
        // Labels of a server and its pods are nothing that callers of LiteLLM would notice.
        let mut second = first.clone();
        second.metadata.generation = Some(2);
        second.metadata.labels = Some([("a".into(), "b".into())].into());
        second.spec.replicas = 5;
        judged.record_basis(&second, admitted(&second));
        assert!(judged.is_registered_as_judged(&second));
        second.spec.litellm.description = Some("another".into());
        judged.record_basis(&second, admitted(&second));
        assert!(!judged.is_registered_as_judged(&second));
        assert_eq!(judged.get(&second).unwrap().generation, Some(2));
        judged.record_same(&first);
        assert_eq!(judged.get(&second).unwrap().generation, Some(1));
        judged.record_basis(&first, admitted(&first));
        assert!(judged.is_registered_as_judged(&first), "it was put back");
    }

    #[test]
    fn only_changes_are_told() {
        let judged = JudgedServers::default();
        let mut changes = judged.changes();
        let mut has_changed = || {
            let changed = changes.has_changed().unwrap();
            changes.mark_unchanged();
            changed
        };
        judged.record_basis(&server("1"), RegistrationBasis::OptedOut);
        assert!(has_changed());
        judged.record_basis(&server("1"), RegistrationBasis::OptedOut);
        judged.record_available(&server("1"), None, at(1));
        assert!(!has_changed());
        judged.forget(&ServerKey::new("tools", "a"));
        assert!(has_changed());
    }
}
