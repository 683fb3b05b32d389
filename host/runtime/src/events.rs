//! Events. One that cannot be written stops nothing; the log says once why.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, Recorder, Reporter};
use mcp_operator_core::retry::Classify;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::error::{ApiError, request};
use crate::event_budget::EventBudget;

/// Events that a recorder remembers, so that a repeated one counts up instead of being written as another one. kube's
/// recorder remembers those of six minutes, whatever their number: after a burst, that takes more memory than the objects.
const REMEMBERED: usize = 500;

/// Writes events. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    client: Client,
    recorder: Arc<Mutex<BoundedRecorder>>,
    budget: Arc<Mutex<EventBudget>>,
    causes: Arc<Causes>,
}

/// A recorder, and how many events it remembers by now.
struct BoundedRecorder {
    recorder: Recorder,
    events: usize,
}

impl Events {
    /// In the name of the operator.
    pub fn new(client: Client) -> Self {
        let bounded = BoundedRecorder {
            recorder: recorder(&client),
            events: 0,
        };
        Self {
            client,
            recorder: Arc::new(Mutex::new(bounded)),
            budget: Arc::default(),
            causes: Arc::default(),
        }
    }

    fn is_within_budget(&self, about: &ObjectReference) -> bool {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.take(about, Instant::now())
    }

    /// The present recorder, or a new one where that remembers too many events.
    fn recorder(&self) -> Recorder {
        let mut bounded = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        if bounded.events == REMEMBERED {
            *bounded = BoundedRecorder {
                recorder: recorder(&self.client),
                events: 0,
            };
        }
        bounded.events += 1;
        bounded.recorder.clone()
    }

    /// Writes an event about an object, or says why that is not possible, if that is not known yet. One about an object with
    /// too many of them is left out: conditions say the same.
    pub async fn publish(&self, event: &Event, about: &ObjectReference) {
        if !self.is_within_budget(about) {
            debug!(reason = event.reason, ?about.namespace, ?about.name, "too many events, one is left out");
            return;
        }
        let recorder = self.recorder();
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
}
