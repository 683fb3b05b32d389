//! What keeps a pod from serving, in one sentence.

use mcp_operator_core::pods::{Pod, PodIssue};
use serde_json::Value;

/// Nothing, if it serves or still starts.
pub(crate) fn trouble(pod: &Value) -> Option<String> {
    let pod = serde_json::from_value::<Pod>(pod.clone()).ok()?;
    PodIssue::of(&pod).map(|issue| format!("{}: {}", issue.reason, issue.message))
}
