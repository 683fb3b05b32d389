//! AdmissionReviews: read and written, purely.

use kube::core::DynamicObject;
use kube::core::Status;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview, Operation};
use kube::core::response::{StatusCause, StatusDetails};
use mcp_operator_core::admission::{Decision, Denial};
use mcp_operator_core::field::FieldError;
use mcp_operator_core::text::{cut, one_line};
use serde::Deserialize;
use serde_json::{Value, json};

/// Longest value of an audit annotation.
const MAX_ANNOTATION_BYTES: usize = 4096;
/// Longest warning: the API server cuts all of them off when they are 4 KiB together.
const MAX_WARNING_BYTES: usize = 512;

/// Reads an AdmissionReview.
///
/// # Errors
/// What is wrong with it.
pub fn parse(body: &[u8]) -> Result<AdmissionRequest<DynamicObject>, String> {
    let review: AdmissionReview<DynamicObject> = serde_json::from_slice(body)
        .map_err(|error| format!("the body is no AdmissionReview: {error}"))?;
    review
        .try_into()
        .map_err(|_| "the AdmissionReview has no request".to_owned())
}

/// What an answer to an AdmissionReview needs to know of it. Objects are passed over, and take no memory.
#[derive(Deserialize)]
pub(crate) struct Head {
    request: HeadRequest,
}

#[derive(Deserialize)]
struct HeadRequest {
    uid: String,
    operation: Operation,
}

/// Reads the head of an AdmissionReview.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn head(body: &[u8]) -> Result<Head, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is no AdmissionReview: {error}"))
}

impl Head {
    pub(crate) fn is_update(&self) -> bool {
        self.request.operation == Operation::Update
    }

    /// By what the request is found in logs.
    pub(crate) fn uid(&self) -> &str {
        &self.request.uid
    }

    /// An AdmissionReview that refuses the object as too large.
    pub(crate) fn refusal(&self, message: &str) -> Value {
        let status = Status::failure(message, "RequestEntityTooLarge").with_code(413);
        json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": { "uid": self.request.uid, "allowed": false, "status": status },
        })
    }
}

/// Audit annotation with the names of the plugins that have answered. Those of findings have a dot.
pub const ANSWERED: &str = "answered";

/// The answer to a request, by what was decided.
pub(crate) fn respond(
    request: &AdmissionRequest<DynamicObject>,
    decision: Decision,
) -> AdmissionResponse {
    let mut response = AdmissionResponse::from(request);
    response.warnings = Some(
        decision
            .warnings
            .into_iter()
            .map(|text| one_line(&text, MAX_WARNING_BYTES))
            .collect(),
    );
    response.audit_annotations = decision
        .audit
        .into_iter()
        .map(|(key, text)| {
            (
                annotation_key(&key),
                cut(&text, MAX_ANNOTATION_BYTES).to_owned(),
            )
        })
        .collect();
    if !decision.answered.is_empty() {
        let answered: Vec<String> = decision.answered.into_iter().collect();
        let answered = answered.join(", ");
        let answered = cut(&answered, MAX_ANNOTATION_BYTES).to_owned();
        response.audit_annotations.insert(ANSWERED.into(), answered);
    }
    match decision.denial {
        None => {}
        Some(Denial::Invalid(errors)) => deny(&mut response, invalid(request, &errors)),
        Some(Denial::PluginFailed(failures)) => {
            let messages: Vec<&str> = failures
                .iter()
                .map(|failure| failure.message.as_str())
                .collect();
            let message = format!(
                "the request may be in order, but could not be judged: {}",
                messages.join("; ")
            );
            deny(
                &mut response,
                Status::failure(&message, "InternalError").with_code(500),
            );
        }
    }
    response
}

/// An answer that refuses because nobody can decide about the request.
pub(crate) fn undecided(
    request: &AdmissionRequest<DynamicObject>,
    reason: &str,
    code: u16,
    message: &str,
) -> AdmissionResponse {
    let mut response = AdmissionResponse::from(request);
    deny(
        &mut response,
        Status::failure(message, reason).with_code(code),
    );
    response
}

/// The answer, with a patch that makes `after` of `before`.
pub(crate) fn with_changes(
    response: AdmissionResponse,
    before: &Value,
    after: &Value,
) -> AdmissionResponse {
    let patch = json_patch::diff(before, after);
    if patch.0.is_empty() {
        return response;
    }
    response.clone().with_patch(patch).unwrap_or(response)
}

fn deny(response: &mut AdmissionResponse, status: Status) {
    response.allowed = false;
    response.result = status;
}

/// As apimachinery's `NewInvalid` makes it: kubectl shows the causes, other clients the message.
pub fn invalid(request: &AdmissionRequest<DynamicObject>, errors: &[FieldError]) -> Status {
    let (kind, name) = (&request.kind, name(request));
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let all = if let [only] = texts.as_slice() {
        only.clone()
    } else {
        format!("[{}]", texts.join(", "))
    };
    let message = format!("{}.{} {name:?} is invalid: {all}", kind.kind, kind.group);
    let causes = errors.iter().map(|error| StatusCause {
        reason: error.error_type.cause_reason().into(),
        message: error.body(),
        field: error.field.clone(),
    });
    let details = StatusDetails {
        name,
        group: kind.group.clone(),
        kind: kind.kind.clone(),
        causes: causes.collect(),
        uid: String::new(),
        retry_after_seconds: 0,
    };
    Status::failure(&message, "Invalid")
        .with_code(422)
        .with_details(details)
}

/// The name of the object, or what it is generated from.
fn name(request: &AdmissionRequest<DynamicObject>) -> String {
    if !request.name.is_empty() {
        return request.name.clone();
    }
    let metadata = request.object.as_ref().map(|object| &object.metadata);
    metadata
        .and_then(|metadata| metadata.name.clone().or(metadata.generate_name.clone()))
        .unwrap_or_default()
}

/// Keys of annotations take letters, digits, `-`, `_`, `.` and 63 of them.
fn annotation_key(key: &str) -> String {
    let valid = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '_'
        }
    };
    let key: String = key.chars().map(valid).take(63).collect();
    let trimmed = key.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if trimmed.is_empty() {
        "finding".into()
    } else {
        trimmed.into()
    }
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
