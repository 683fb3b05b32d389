//! Admission of a new object, as an API server carries it out.

use std::collections::BTreeSet;

use kube::core::DynamicObject;
use kube::core::Status;
use kube::core::admission::{AdmissionRequest, AdmissionResponse};
use mcp_operator_admission::{ANSWERED, AdmissionState, invalid, mutate, parse, validate};
use mcp_operator_api::names::{API_VERSION, GROUP};
use serde_json::{Value, json};

use crate::definition::Definition;

/// Why an object is not stored.
pub(crate) enum Refusal {
    /// It breaks rules.
    Denied(Box<Status>),
    /// There is no such field.
    BadRequest(String),
    /// Nobody can say.
    Unanswered(String),
}

/// What is said in any case.
#[derive(Default)]
pub(crate) struct Notes {
    /// Of what the user is warned.
    pub(crate) warnings: Vec<String>,
    /// The plugins that have answered, sorted.
    pub(crate) answered: BTreeSet<String>,
}

/// Admits one object after the other.
pub(crate) struct Admission {
    pub(crate) definition: Definition,
    pub(crate) state: AdmissionState,
}

impl Admission {
    /// The object as it is stored.
    pub(crate) async fn admit(&self, object: &Value) -> (Result<Value, Refusal>, Notes) {
        let mut notes = Notes::default();
        let answer = self.stored(object, &mut notes).await;
        (answer, notes)
    }

    async fn stored(&self, object: &Value, notes: &mut Notes) -> Result<Value, Refusal> {
        let decoded = self
            .definition
            .decode(object)
            .map_err(Refusal::BadRequest)?;

        let request = request_for(&self.definition, &decoded).map_err(Refusal::Unanswered)?;
        let response = mutate(&self.state, &request, None).await;
        let patch = response.patch.clone();
        allowed(response, notes)?;
        let mut admitted = patched(decoded, patch).map_err(Refusal::Unanswered)?;
        self.definition.complete(&mut admitted);

        validate_by_schema(&self.definition, &admitted)?;

        let request = request_for(&self.definition, &admitted).map_err(Refusal::Unanswered)?;
        allowed(validate(&self.state, &request, None).await, notes)?;
        Ok(admitted)
    }
}

/// Whether the schema and its rules allow it.
pub(crate) fn validate_by_schema(definition: &Definition, object: &Value) -> Result<(), Refusal> {
    let errors = definition.violations(object).map_err(Refusal::Unanswered)?;
    if errors.is_empty() {
        return Ok(());
    }
    let request = request_for(definition, object).map_err(Refusal::Unanswered)?;
    Err(Refusal::Denied(Box::new(invalid(&request, &errors))))
}

fn allowed(mut response: AdmissionResponse, notes: &mut Notes) -> Result<(), Refusal> {
    notes.warnings.extend(response.warnings.unwrap_or_default());
    let answered = response.audit_annotations.remove(ANSWERED);
    let answered = answered.unwrap_or_default();
    let answered = answered.split(", ").filter(|name| !name.is_empty());
    notes.answered.extend(answered.map(str::to_owned));
    match response.result {
        _ if response.allowed => Ok(()),
        status if status.reason == "Invalid" => Err(Refusal::Denied(Box::new(status))),
        status => Err(Refusal::Unanswered(status.message)),
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
    parse(review.to_string().as_bytes())
}
