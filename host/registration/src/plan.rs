//! What a registrar saw, and what it would do.

use mcp_operator_connections::Session;
use mcp_operator_core::registration_plan::{Observation, Observed, Plan};

/// What a registrar saw, and what it would do.
#[derive(Default)]
pub(crate) struct PlannedRegistration {
    /// Carries the plan's requests, with the credentials that its reads had.
    pub(crate) session: Session,
    pub(crate) observations: Vec<Observation>,
    pub(crate) plan: Plan,
}

impl PlannedRegistration {
    /// Whether something could not be read that may be readable later.
    pub(crate) fn has_unanswered_reads(&self) -> bool {
        self.observations
            .iter()
            .any(|observation| match &observation.state {
                Observed::Unavailable(_) => true,
                Observed::Http(answer) => matches!(answer.status, 408 | 425 | 429 | 500..),
                Observed::ConfigKey(_) | Observed::Workload(_) => false,
            })
    }

    /// Whether the registrar has workloads that it restarts.
    pub(crate) fn has_workloads(&self) -> bool {
        self.observations
            .iter()
            .any(|observation| matches!(observation.state, Observed::Workload(_)))
    }

    /// Whether the plan does nothing, and nothing that was observed will be something else soon.
    pub(crate) fn is_idle(&self) -> bool {
        let mut states = self
            .observations
            .iter()
            .map(|observation| &observation.state);
        self.plan.steps.is_empty() && !states.any(Observed::is_transient)
    }
}
