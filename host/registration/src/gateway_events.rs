//! Warning events about workloads of the gateway whose rollout does not come to its end. Nobody can be registered meanwhile, so
//! it is told where the gateway's own people look, and not only in the conditions of those who wait.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType};
use mcp_operator_core::registration_plan::{Observed, RolloutObstacle, Workload};
use mcp_operator_runtime::Events;

use crate::plan::PlannedRegistration;

const REASON: &str = "RolloutStuck";

/// Which workloads are known to be stuck.
pub(crate) struct GatewayEvents {
    events: Events,
    published: HashSet<(String, String)>,
}

impl GatewayEvents {
    pub(crate) fn new(events: Events) -> Self {
        Self {
            events,
            published: HashSet::new(),
        }
    }

    /// Tells of each workload once that its rollout is stuck, and again only when it was not in between.
    pub(crate) async fn observe(&mut self, planned: &PlannedRegistration) {
        let observations = planned.observations.iter();
        let obstacles: Vec<&RolloutObstacle> = observations
            .filter_map(|observation| match &observation.state {
                Observed::Workload(Some(state)) => state.obstacle.as_ref(),
                _ => None,
            })
            .collect();
        let before = std::mem::take(&mut self.published);
        for RolloutObstacle { workload, message } in obstacles {
            let key = (workload.namespace.clone(), workload.name.clone());
            if !before.contains(&key) {
                self.events
                    .publish(event(message), &reference(workload))
                    .await;
            }
            self.published.insert(key);
        }
    }

    #[cfg(test)]
    pub(crate) fn is_quiet(&self) -> bool {
        self.published.is_empty()
    }
}

fn event(message: &str) -> Event {
    let note = format!("MCPServers wait for its rollout to be registered or removed: {message}");
    Event {
        type_: EventType::Warning,
        reason: REASON.into(),
        note: Some(note),
        action: "Register".into(),
        secondary: None,
    }
}

fn reference(workload: &Workload) -> ObjectReference {
    ObjectReference {
        api_version: Some("apps/v1".into()),
        kind: Some(workload.kind.clone()),
        namespace: Some(workload.namespace.clone()),
        name: Some(workload.name.clone()),
        ..ObjectReference::default()
    }
}
