//! Requests for `mcpservers/scale`. What they carry is a Scale of the API `autoscaling/v1`, and what they do is an update of
//! an MCPServer: that is what rules have to judge.

use kube::core::DynamicObject;
use kube::core::GroupVersionKind;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, Operation};
use mcp_operator_api::names::annotations::PLUGINS_REVISION;
use mcp_operator_api::names::{GROUP, SERVER_KIND};
use mcp_operator_api::v1alpha1::MAX_REPLICAS;
use mcp_operator_core::admission::{Decision, Denial};
use mcp_operator_core::field::{ErrorType, FieldError};
use serde_json::{Value, json};

use crate::review;
use crate::state::AdmissionState;

/// Whether somebody scales.
pub(crate) fn is_scale(request: &AdmissionRequest<DynamicObject>) -> bool {
    request.sub_resource.as_deref() == Some("scale") && request.operation == Operation::Update
}

/// The update of the MCPServer that a Scale asks for; or the answer, where there is nothing to judge.
pub(crate) async fn as_update(
    state: &AdmissionState,
    request: &AdmissionRequest<DynamicObject>,
) -> Result<AdmissionRequest<DynamicObject>, Box<AdmissionResponse>> {
    let namespace = request.namespace.as_deref().unwrap_or_default();
    let found = state.servers.server(namespace, &request.name).await;
    let mut stored = match found {
        Ok(Some(stored)) => stored,
        Ok(None) => {
            let message = format!("there is no MCPServer {namespace}/{}", request.name);
            let response = review::undecided(request, "NotFound", 404, &message);
            return Err(Box::new(response));
        }
        Err(why) => {
            let response = review::undecided(request, "InternalError", 500, &why);
            return Err(Box::new(response));
        }
    };
    // It was completed by the plugins of its last write, and what is asked now by none: those in force judge it.
    if let Some(annotations) = &mut stored.metadata.annotations {
        annotations.remove(PLUGINS_REVISION);
    }
    let replicas = replicas(request.object.as_ref());
    let mut object = stored.clone();
    if let Some(data) = object.data.as_object_mut() {
        let spec = data.entry("spec").or_insert_with(|| json!({}));
        if let Some(spec) = spec.as_object_mut() {
            spec.insert("replicas".into(), json!(replicas));
        }
    }
    let update = AdmissionRequest {
        kind: GroupVersionKind::gvk(GROUP, "v1alpha1", SERVER_KIND),
        sub_resource: None,
        object: Some(object),
        old_object: Some(stored),
        ..request.clone()
    };
    match out_of_bounds(replicas) {
        None => Ok(update),
        Some(error) => {
            let decision = Decision {
                denial: Some(Denial::Invalid(vec![error])),
                ..Decision::default()
            };
            Err(Box::new(review::respond(&update, decision)))
        }
    }
}

/// The API server leaves out a zero.
fn replicas(scale: Option<&DynamicObject>) -> i64 {
    scale
        .and_then(|scale| scale.data.pointer("/spec/replicas"))
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

/// The bounds that the schema has, in its words.
fn out_of_bounds(replicas: i64) -> Option<FieldError> {
    let message = if replicas < 0 {
        "should be greater than or equal to 0".to_owned()
    } else if replicas > i64::from(MAX_REPLICAS) {
        format!("should be less than or equal to {MAX_REPLICAS}")
    } else {
        return None;
    };
    Some(FieldError {
        field: "spec.replicas".into(),
        error_type: ErrorType::Invalid,
        bad_value: Some(json!(replicas)),
        message,
        code: "replicas".into(),
    })
}

#[cfg(test)]
#[path = "scale_tests.rs"]
mod tests;
