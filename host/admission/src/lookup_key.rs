//! By what a request is found again: its uid is in the log and in the API server's audit log, and the id of its trace in both
//! and in what the user is told.
//!
//! Neither is in the message of a denial: clients keep that in statuses and events, and one that is different with each try
//! would be a new event, or a new status, each time.

use kube::api::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse};
use mcp_operator_core::text::one_line;
use mcp_operator_metrics::Webhook;
use tracing::{Span, info, warn};

use crate::request_span::operation;

/// Audit annotation with the uid of a request that is refused. Those of findings have a dot.
pub const REQUEST: &str = "request";
/// Audit annotation with the id of the trace of a request, where one is exported.
pub const TRACE: &str = "trace";

/// The longest uid that is repeated.
const MAX_UID_BYTES: usize = 64;
/// The longest list of fields in a line of the log.
const MAX_FIELDS_BYTES: usize = 512;
/// The longest name.
const MAX_NAME_BYTES: usize = 253;

/// Logs a denial, and puts the ids into the answer.
pub(crate) fn tell(
    webhook: Webhook,
    request: &AdmissionRequest<DynamicObject>,
    trace: Option<String>,
    response: &mut AdmissionResponse,
) {
    if !response.allowed {
        let uid = one_line(&request.uid, MAX_UID_BYTES);
        if let Some(trace) = &trace {
            let told = format!("to ask about this refusal: request {uid}, trace {trace}");
            response.warnings.get_or_insert_default().push(told);
        }
        log(webhook, request, &uid, response);
        response.audit_annotations.insert(REQUEST.into(), uid);
    }
    if let Some(trace) = trace {
        response.audit_annotations.insert(TRACE.into(), trace);
    }
}

/// Logs that an object was refused before it was read.
pub(crate) fn tell_unread(uid: &str, why: &str) {
    let uid = one_line(uid, MAX_UID_BYTES);
    Span::current().record("uid", uid.as_str());
    info!(uid, why, "request denied unread");
}

/// Says which fields are wrong, and not what is in them.
fn log(
    webhook: Webhook,
    request: &AdmissionRequest<DynamicObject>,
    uid: &str,
    response: &AdmissionResponse,
) {
    let (webhook, operation) = (webhook.label(), operation(&request.operation));
    let namespace = one_line(
        request.namespace.as_deref().unwrap_or_default(),
        MAX_NAME_BYTES,
    );
    let name = one_line(&request.name, MAX_NAME_BYTES);
    let code = response.result.code;
    if code >= 500 {
        let error = one_line(&response.result.message, MAX_FIELDS_BYTES);
        warn!(
            uid,
            webhook, operation, namespace, name, code, error, "request could not be judged"
        );
        return;
    }
    let details = response.result.details.iter();
    let causes = details.flat_map(|details| &details.causes);
    let fields: Vec<&str> = causes.map(|cause| cause.field.as_str()).collect();
    let fields = one_line(&fields.join(", "), MAX_FIELDS_BYTES);
    info!(
        uid,
        webhook, operation, namespace, name, code, fields, "request denied"
    );
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use serde_json::{Value, json};

    use super::*;
    use crate::review;

    const UID: &str = "705ab4f5-6393-11e8-b7cc-42010a800002";
    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    /// Annotations and warnings of an answer.
    fn told(allowed: bool, trace: Option<&str>) -> (Value, Vec<String>) {
        let body = json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": UID, "operation": "CREATE", "name": "a", "namespace": "tools", "userInfo": {}, "dryRun": false,
            "kind": { "group": "mcp.litellm.ai", "version": "v1alpha1", "kind": "MCPServer" },
            "resource": { "group": "mcp.litellm.ai", "version": "v1alpha1", "resource": "mcpservers" },
        } });
        let request = review::parse(body.to_string().as_bytes()).unwrap();
        let mut response = AdmissionResponse::from(&request);
        if !allowed {
            response.allowed = false;
            response.result = Status::failure("no", "Invalid").with_code(422);
        }
        let trace = trace.map(str::to_owned);
        tell(Webhook::ValidateServer, &request, trace, &mut response);
        assert!(!response.result.message.contains(UID), "it is as it was");
        let warnings = response.warnings.unwrap_or_default();
        (json!(response.audit_annotations), warnings)
    }

    #[test]
    fn a_denial_is_found_by_its_request_and_by_its_trace() {
        let (annotations, warnings) = told(false, Some(ID));
        assert_eq!(annotations, json!({ "request": UID, "trace": ID }));
        assert_eq!(
            warnings,
            [format!(
                "to ask about this refusal: request {UID}, trace {ID}"
            )]
        );
    }

    #[test]
    fn without_a_trace_users_see_what_they_did_before() {
        assert_eq!(told(false, None), (json!({ "request": UID }), vec![]));
        assert_eq!(told(true, None), (json!({}), vec![]));
        assert_eq!(told(true, Some(ID)), (json!({ "trace": ID }), vec![]));
    }
}
