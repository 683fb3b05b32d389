//! Admission of a new object, as an API server carries it out.

use kube::api::DynamicObject;
use kube::core::Status;
use kube::core::admission::{AdmissionRequest, AdmissionResponse};
use mcp_operator_api::names::{API_VERSION, GROUP};
use serde_json::{Value, json};

use super::definition::Definition;
use crate::webhook;

/// What comes of an object.
pub(super) enum Answer {
    /// It is stored like this.
    Admitted(Value),
    /// It is refused.
    Denied(Box<Status>),
    /// There is no such field.
    BadRequest(String),
    /// Nobody can say.
    Unanswered(String),
}

/// Admits one object after the other.
pub(super) struct Admission {
    pub(super) definition: Definition,
    pub(super) state: webhook::State,
}

impl Admission {
    /// The answer, and what the user is warned of besides.
    pub(super) async fn admit(&self, object: &Value) -> (Answer, Vec<String>) {
        let mut warnings = Vec::new();
        let answer = self.judge(object, &mut warnings).await;
        (answer.unwrap_or_else(|refusal| refusal), warnings)
    }

    async fn judge(&self, object: &Value, warnings: &mut Vec<String>) -> Result<Answer, Answer> {
        let decoded = self.definition.decode(object).map_err(Answer::BadRequest)?;

        let request = request_for(&self.definition, &decoded).map_err(Answer::Unanswered)?;
        let response = webhook::mutate(&self.state, &request, None).await;
        let patch = response.patch.clone();
        passed(response, warnings)?;
        let mut admitted = patched(decoded, patch).map_err(Answer::Unanswered)?;
        self.definition.complete(&mut admitted);

        judge_by_schema(&self.definition, &admitted)?;

        let request = request_for(&self.definition, &admitted).map_err(Answer::Unanswered)?;
        passed(
            webhook::validate(&self.state, &request, None).await,
            warnings,
        )?;
        Ok(Answer::Admitted(admitted))
    }
}

/// Whether the schema and its rules allow it.
pub(super) fn judge_by_schema(definition: &Definition, object: &Value) -> Result<(), Answer> {
    let errors = definition.violations(object).map_err(Answer::Unanswered)?;
    if errors.is_empty() {
        return Ok(());
    }
    let request = request_for(definition, object).map_err(Answer::Unanswered)?;
    Err(Answer::Denied(Box::new(webhook::invalid(
        &request, &errors,
    ))))
}

fn passed(response: AdmissionResponse, warnings: &mut Vec<String>) -> Result<(), Answer> {
    warnings.extend(response.warnings.unwrap_or_default());
    match response.result {
        _ if response.allowed => Ok(()),
        status if status.reason == "Invalid" => Err(Answer::Denied(Box::new(status))),
        status => Err(Answer::Unanswered(status.message)),
    }
}

fn patched(mut object: Value, patch: Option<Vec<u8>>) -> Result<Value, String> {
    if let Some(patch) = patch {
        let apply = |object: &mut Value| -> anyhow::Result<()> {
            let patch: json_patch::Patch = serde_json::from_slice(&patch)?;
            Ok(json_patch::patch(object, &patch)?)
        };
        apply(&mut object)
            .map_err(|error| format!("the defaults of plugins do not fit: {error}"))?;
    }
    Ok(object)
}

/// What the API server sends to a webhook about a new object.
fn request_for(
    definition: &Definition,
    object: &Value,
) -> Result<AdmissionRequest<DynamicObject>, String> {
    let version = API_VERSION.rsplit('/').next();
    let (kind, plural) = (&definition.kind, &definition.plural);
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "offline", "operation": "CREATE", "dryRun": false, "userInfo": {},
            "kind": { "group": GROUP, "version": version, "kind": kind },
            "resource": { "group": GROUP, "version": version, "resource": plural },
            "name": object["metadata"]["name"], "namespace": object["metadata"]["namespace"],
            "object": object,
        },
    });
    webhook::parse(review.to_string().as_bytes())
}
