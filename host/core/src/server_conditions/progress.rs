//! Whether a server that is not ready comes to be ready by itself.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use mcp_operator_api::names::conditions::SPEC_VALID;

use crate::conditions::{ConditionDraft, ConditionStatus};
use crate::desired_entries::NOT_REGISTERED;
use crate::outcome::{ReconcileOutcome, Verdict};

/// Whether somebody has to do something before the server can be ready. Those who wait for it give up by this, so it is not
/// said of what a later try may mend: an image that cannot be pulled or a pod that crashes stalls a server when the deadline
/// of its rollout has passed, as it does a Deployment.
pub(super) fn is_stalled(
    requirements: &[&ConditionDraft],
    outcome: &ReconcileOutcome,
    registered: Option<&Condition>,
) -> bool {
    let needs_somebody = outcome
        .failure
        .as_ref()
        .is_some_and(|failure| failure.needs_somebody);
    let mut requirements = requirements.iter();
    match requirements.find(|draft| draft.status != ConditionStatus::True) {
        Some(missing) if missing.kind == SPEC_VALID => {
            matches!(outcome.verdict, Verdict::Invalid(_))
        }
        Some(_) => {
            let rollout = outcome.rollout.as_ref();
            needs_somebody || rollout.is_some_and(|rollout| rollout.stuck.is_some())
        }
        None => {
            let refused = registered.is_some_and(|condition| {
                condition.status == "False" && condition.reason != NOT_REGISTERED
            });
            needs_somebody || refused
        }
    }
}
