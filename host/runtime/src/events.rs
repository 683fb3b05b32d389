//! Events. One that cannot be written stops nothing; the log says once why.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, Recorder, Reporter};
use mcp_operator_core::retry::Classify;
use mcp_operator_core::text::cut;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::error::{ApiError, request};
use crate::event_budget::EventBudget;

/// Events that are remembered, so that a repeated one counts up instead of being written as another one. kube's recorder
/// remembers those of six minutes, whatever their number: after a burst, that takes more memory than the objects.
const REMEMBERED: usize = 500;

/// Bytes of a note. The API server takes up to 1024 of them.
const LONGEST_NOTE: usize = 1000;

/// Writes events. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    client: Client,
    recorders: Arc<Mutex<Recorders>>,
    budget: Arc<Mutex<EventBudget>>,
    causes: Arc<Causes>,
}

/// A recorder for each event that is remembered, by a hash of all that it says. To one recorder, events of one reason about one
/// object are the same: it would count up the first of them, and what the others say would be lost.
type Recorders = HashMap<u64, Recorder>;

impl Events {
    /// In the name of the operator.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            recorders: Arc::default(),
            budget: Arc::default(),
            causes: Arc::default(),
        }
    }

    fn is_within_budget(&self, about: &ObjectReference) -> bool {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.take(about, Instant::now())
    }

    /// The recorder of what is said of an object.
    fn recorder(&self, event: &Event, about: &ObjectReference) -> Recorder {
        let mut hasher = DefaultHasher::new();
        (&event.reason, &event.note, &event.action).hash(&mut hasher);
        (&about.kind, &about.namespace, &about.name, &about.uid).hash(&mut hasher);
        let mut recorders = self
            .recorders
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if recorders.len() >= REMEMBERED {
            recorders.clear();
        }
        let recorder = recorders
            .entry(hasher.finish())
            .or_insert_with(|| recorder(&self.client));
        recorder.clone()
    }

    /// Writes an event about an object, or says why that is not possible, if that is not known yet. One about an object with
    /// too many of them is left out, and a long note is cut: conditions say the same.
    pub async fn publish(&self, mut event: Event, about: &ObjectReference) {
        let note = event.note.as_deref();
        event.note = note.map(|note| cut(note, LONGEST_NOTE).to_owned());
        // Its future is large, and part of those of all reconciles.
        Box::pin(self.write(&event, about)).await;
    }

    async fn write(&self, event: &Event, about: &ObjectReference) {
        if !self.is_within_budget(about) {
            debug!(reason = event.reason, ?about.namespace, ?about.name, "too many events, one is left out");
            return;
        }
        let recorder = self.recorder(event, about);
        let published = request(|| "write event".into(), recorder.publish(event, about));
        match published.await {
            Ok(()) => {
                if self.causes.clear() {
                    info!("events are written again");
                }
            }
            Err(error) => {
                let is_lasting = !concerns_deleted_object(&error);
                let category = error.category();
                if is_lasting && self.causes.add(category) {
                    let remedy = remedy(category);
                    warn!(category, %error, remedy, "events are not written");
                } else {
                    debug!(category, %error, "event not written");
                }
            }
        }
    }
}

fn recorder(client: &Client) -> Recorder {
    Recorder::new(client.clone(), Reporter::from("mcp-operator"))
}

/// Nobody reads events about an object that is being deleted.
fn concerns_deleted_object(error: &ApiError) -> bool {
    let ApiError::Request { source, .. } = error else {
        return false;
    };
    let kube::Error::Api(status) = &**source else {
        return false;
    };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let mut reasons = causes.map(|cause| cause.reason.as_str());
    status.code == 404 || reasons.any(|reason| reason == "NamespaceTerminating")
}

fn remedy(category: &str) -> &'static str {
    match category {
        "Forbidden" => {
            "allow the operator's ServiceAccount to create and patch events of events.k8s.io, as deploy/base/rbac.yaml does"
        }
        _ => "nothing else depends on them: conditions say the same",
    }
}

/// Why events could not be written since the last one that could: each is news once.
#[derive(Default)]
struct Causes(Mutex<BTreeSet<&'static str>>);

impl Causes {
    /// Whether it is news.
    fn add(&self, cause: &'static str) -> bool {
        self.lock().insert(cause)
    }

    /// Forgets all; whether there were any.
    fn clear(&self) -> bool {
        !std::mem::take(&mut *self.lock()).is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::events::EventType;
    use mcp_testkit::ApiServer;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_cause_is_told_once_until_events_are_written_again() {
        let causes = Causes::default();
        assert!(causes.add("Forbidden"));
        assert!(!causes.add("Forbidden"));
        assert!(causes.add("ApiServerUnreachable"));
        assert!(causes.clear());
        assert!(!causes.clear());
        assert!(causes.add("Forbidden"));
    }

    #[test]
    fn a_namespace_that_goes_is_no_lack_of_a_permission() {
        let refused = |code: u16, reason: &str| {
            let details = json!({ "causes": [{ "reason": reason }] });
            let status = json!({ "code": code, "details": details });
            let status = serde_json::from_value(status).unwrap();
            ApiError::new("write event", kube::Error::Api(status))
        };
        assert!(concerns_deleted_object(&refused(
            403,
            "NamespaceTerminating"
        )));
        assert!(concerns_deleted_object(&refused(404, "")));
        assert!(!concerns_deleted_object(&refused(403, "")));
    }

    fn event(note: &str) -> Event {
        Event {
            type_: EventType::Warning,
            reason: "Overruled".into(),
            note: Some(note.into()),
            action: "Reconcile".into(),
            secondary: None,
        }
    }

    fn notes(api: &ApiServer) -> Vec<(String, i64)> {
        let events = api.objects_of("Event");
        let said = events.iter().map(|event| {
            let note = event["note"].as_str().unwrap_or_default().to_owned();
            (note, event["series"]["count"].as_i64().unwrap_or(1))
        });
        said.collect()
    }

    #[tokio::test]
    async fn the_same_is_counted_and_what_is_different_is_said() {
        let api = ApiServer::new();
        let events = Events::new(api.client());
        let about = ObjectReference {
            namespace: Some("tools".into()),
            name: Some("weather".into()),
            ..ObjectReference::default()
        };
        for note in ["the Deployment", "the Service", "the Deployment"] {
            events.publish(event(note), &about).await;
        }
        let mut said = notes(&api);
        said.sort();
        assert_eq!(
            said,
            [("the Deployment".into(), 2), ("the Service".into(), 1)]
        );
    }

    /// The API server counts bytes.
    #[tokio::test]
    async fn a_long_note_is_cut() {
        let api = ApiServer::new();
        let about = ObjectReference {
            namespace: Some("tools".into()),
            name: Some("weather".into()),
            ..ObjectReference::default()
        };
        let events = Events::new(api.client());
        events.publish(event(&"\u{fc}".repeat(1000)), &about).await;
        assert_eq!(notes(&api)[0].0.len(), 1000);
    }
}
