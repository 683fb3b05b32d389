//! What is kept of an object: what is compared, and the parts of its status that go into ours; of one that is not a
//! server's, only whose it says that it is.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::DynamicObject;
use mcp_operator_api::names::{annotations, field_managers, labels};
use mcp_operator_core::autoscaler;
use mcp_operator_core::content_digest::summarize_live;
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_core::rollout;
use serde_json::{Map, Value, json};

/// The Deployment controller's own annotations: nothing here reads them.
const DEPLOYMENT_ANNOTATIONS: &str = "deployment.kubernetes.io/";

/// Removes everything that no reconcile reads, so that a change of it causes none.
pub(super) fn trim(kind: ManagedKind) -> fn(&mut DynamicObject) {
    match kind {
        ManagedKind::Deployment => |object| {
            keep_our_managed_fields(object);
            if let Some(annotations) = &mut object.metadata.annotations {
                annotations.retain(|name, _| !name.starts_with(DEPLOYMENT_ANNOTATIONS));
            }
            status(object, rollout::relevant_status);
        },
        ManagedKind::ConfigMap => |object| {
            keep_our_managed_fields(object);
            keep_our_annotations(object);
            summarize_live(object);
        },
        ManagedKind::HorizontalPodAutoscaler => |object| {
            keep_our_managed_fields(object);
            status(object, autoscaler::relevant_status);
        },
        ManagedKind::ExternalSecret => |object| {
            keep_our_managed_fields(object);
            status(object, sync_state);
        },
        _ => |object| {
            keep_our_managed_fields(object);
            if let Value::Object(members) = &mut object.data {
                members.remove("status");
            }
        },
    }
}

/// Labels by which an object names its server.
const MARKS: [&str; 5] = [
    labels::INSTANCE,
    labels::MANAGED_BY,
    labels::NAME,
    labels::SERVER,
    labels::SERVER_NAMESPACE,
];

/// Leaves of an object only what tells its name and its owner. Anybody can create objects with our label, as many and as
/// large as a namespace may have.
pub(super) fn keep_owner(object: &mut DynamicObject) {
    let metadata = std::mem::take(&mut object.metadata);
    let only = |map: Option<BTreeMap<String, String>>, names: &[&str]| {
        map.map(|mut map| {
            map.retain(|name, _| names.contains(&name.as_str()));
            map
        })
    };
    let controllers = metadata.owner_references.map(|mut owners| {
        owners.retain(|owner| owner.controller == Some(true));
        owners.truncate(1);
        owners
    });
    object.metadata = ObjectMeta {
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        deletion_timestamp: metadata.deletion_timestamp,
        labels: only(metadata.labels, &MARKS),
        annotations: only(metadata.annotations, &[annotations::SERVER_UID]),
        owner_references: controllers,
        ..ObjectMeta::default()
    };
    object.data = Value::Object(Map::new());
}

fn keep_our_managed_fields(object: &mut DynamicObject) {
    if let Some(managed) = &mut object.metadata.managed_fields {
        managed.retain(|entry| {
            entry.manager.as_deref() == Some(field_managers::SERVER) && entry.subresource.is_none()
        });
    }
}

/// Anybody can write into an object as much as it holds.
fn keep_our_annotations(object: &mut DynamicObject) {
    let entries = object.metadata.managed_fields.iter().flatten();
    let ours: Vec<&Value> = entries
        .filter_map(|entry| Some(&entry.fields_v1.as_ref()?.0["f:metadata"]["f:annotations"]))
        .collect();
    if let Some(annotations) = &mut object.metadata.annotations {
        annotations.retain(|name, _| {
            let field = format!("f:{name}");
            ours.iter().any(|fields| fields.get(&field).is_some())
        });
    }
}

fn status(object: &mut DynamicObject, keep: fn(&Value) -> Value) {
    if let Some(status) = object.data.get_mut("status") {
        *status = keep(status);
    }
}

/// The status of an ExternalSecret without the times of its refreshes, which are new every hour.
fn sync_state(status: &Value) -> Value {
    let mut conditions = status["conditions"].clone();
    for condition in conditions.as_array_mut().into_iter().flatten() {
        if let Some(members) = condition.as_object_mut() {
            members.remove("lastTransitionTime");
        }
    }
    json!({ "conditions": conditions, "syncedResourceVersion": status["syncedResourceVersion"] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trimmed(kind: ManagedKind, object: &Value) -> Value {
        let mut object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        trim(kind)(&mut object);
        serde_json::to_value(object).unwrap()
    }

    #[test]
    fn a_status_that_nobody_reads_goes() {
        let budget = |healthy: u16| json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "a" }, "spec": { "minAvailable": 1 }, "status": { "currentHealthy": healthy } });
        let kind = ManagedKind::PodDisruptionBudget;
        assert_eq!(trimmed(kind, &budget(1)), trimmed(kind, &budget(2)));
    }

    #[test]
    fn when_external_secrets_asked_is_not_kept_and_what_it_says_is() {
        let secret = |time: &str, status: &str| {
            json!({ "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": { "name": "a" }, "status": {
                "refreshTime": time, "syncedResourceVersion": "1-x",
                "conditions": [{ "type": "Ready", "status": status, "lastTransitionTime": time }],
            } })
        };
        let trimmed = |time, status| trimmed(ManagedKind::ExternalSecret, &secret(time, status));
        assert_eq!(trimmed("1", "True"), trimmed("2", "True"));
        assert_ne!(trimmed("1", "True"), trimmed("1", "False"));
        assert_eq!(
            trimmed("1", "True")["status"]["syncedResourceVersion"],
            "1-x"
        );
    }
}
