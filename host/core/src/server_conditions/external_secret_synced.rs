//! The condition `ExternalSecretSynced`.

use mcp_operator_api::names::conditions::EXTERNAL_SECRET_SYNCED;
use mcp_operator_api::names::labels;
use serde_json::Value;

use super::{failure_of, reasons};
use crate::conditions::{ConditionDraft, ConditionStatus};
use crate::manifest::ManagedKind;
use crate::outcome::{Presence, ReconcileOutcome};

/// Repeats what External Secrets says about its objects. Optional secrets that are missing do not count.
pub(super) fn external_secret_synced(
    server: &str,
    outcome: &ReconcileOutcome,
) -> Option<ConditionDraft> {
    let draft = |status, reason: &str, message: String| {
        Some(ConditionDraft::new(
            EXTERNAL_SECRET_SYNCED,
            status,
            reason,
            message,
        ))
    };
    if outcome.external_secrets.is_empty() {
        return None;
    }
    let failed = |kind| kind == ManagedKind::ExternalSecret;
    if let Some(failure) = failure_of(outcome, failed).filter(|failure| failure.kind.is_some()) {
        return draft(
            ConditionStatus::False,
            &failure.reason,
            failure.message.clone(),
        );
    }
    let mut notes = Vec::new();
    for (secret, presence) in &outcome.external_secrets {
        let (status, reason, message) = synced(server, &secret.name, presence);
        match status {
            ConditionStatus::True => {}
            _ if secret.optional => notes.push(message),
            _ => return draft(status, &reason, message),
        }
    }
    if notes.is_empty() {
        draft(
            ConditionStatus::True,
            "SecretSynced",
            "All secrets are synced".into(),
        )
    } else {
        let message = format!(
            "All required secrets are synced; optional: {}",
            notes.join("; ")
        );
        draft(ConditionStatus::True, "SecretSynced", message)
    }
}

fn synced(server: &str, name: &str, presence: &Presence) -> (ConditionStatus, String, String) {
    let object = match presence {
        Presence::NotServed => {
            let message = format!(
                "External Secrets (external-secrets.io/v1) is not installed: install it, or create Secret {name} yourself, with the label {}={server}, without which no pod is replaced when it changes",
                labels::SERVER
            );
            return (ConditionStatus::False, "ApiNotInstalled".into(), message);
        }
        Presence::Missing => {
            let message = format!("ExternalSecret {name} has not been created");
            return (ConditionStatus::False, reasons::NOT_CREATED.into(), message);
        }
        Presence::Present(object) => object,
    };
    let conditions = object["status"]["conditions"].as_array();
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready");
    let text =
        |condition: &Value, name: &str| condition[name].as_str().unwrap_or_default().to_owned();
    match ready {
        Some(ready) if ready["status"] == "True" && is_outdated(object) => {
            let message = format!(
                "ExternalSecret {name}: External Secrets has synced an older version of it, not yet the present one"
            );
            (ConditionStatus::Unknown, "Waiting".into(), message)
        }
        Some(ready) if ready["status"] == "True" => (
            ConditionStatus::True,
            text(ready, "reason"),
            text(ready, "message"),
        ),
        Some(ready) if ready["status"] == "False" => {
            let message = format!("ExternalSecret {name}: {}", text(ready, "message"));
            (ConditionStatus::False, text(ready, "reason"), message)
        }
        _ => {
            let message = format!("ExternalSecret {name}: External Secrets has not answered yet");
            (ConditionStatus::Unknown, "Waiting".into(), message)
        }
    }
}

/// Whether External Secrets has synced an older version: it notes `<generation>-<hash of labels and annotations>`.
fn is_outdated(external_secret: &Value) -> bool {
    let synced = external_secret["status"]["syncedResourceVersion"].as_str();
    let generation = synced
        .and_then(|version| version.split('-').next())
        .and_then(|generation| generation.parse::<i64>().ok());
    let present = external_secret["metadata"]["generation"].as_i64();
    generation
        .zip(present)
        .is_some_and(|(synced, present)| synced < present)
}
