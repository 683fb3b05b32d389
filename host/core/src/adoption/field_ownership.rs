//! What others hold of an object becomes ours.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use mcp_operator_api::names::field_managers;
use serde_json::{Map, Value};

/// All fields of an adopted object that somebody holds, as fields that were applied by us: the next apply takes away those that
/// its manifest does not have. As `kubectl apply --server-side` does it with what it applied in another way before.
///
/// Labels and annotations that others have put on it stay, and nobody holds them. Statuses stay whose they are, and so does the
/// number of pods where an autoscaler has it.
pub fn held_by(entries: &[ManagedFieldsEntry], api_version: &str) -> Vec<ManagedFieldsEntry> {
    let (others, held): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| {
        let subresource = entry.subresource.as_deref();
        subresource.is_some_and(|name| !name.is_empty())
            || entry.manager.as_deref() == Some(field_managers::AUTOSCALING)
    });
    let mut fields = Value::Object(Map::new());
    for entry in &held {
        let mut more = entry
            .fields_v1
            .as_ref()
            .map(|fields| fields.0.clone())
            .unwrap_or_default();
        let is_ours = entry.manager.as_deref() == Some(field_managers::SERVER);
        if let Some(members) = more.as_object_mut().filter(|_| !is_ours) {
            members.remove("f:metadata");
        }
        unite(&mut fields, more);
    }
    let ours = ManagedFieldsEntry {
        manager: Some(field_managers::SERVER.into()),
        operation: Some("Apply".into()),
        api_version: Some(api_version.to_owned()),
        fields_type: Some("FieldsV1".into()),
        fields_v1: Some(FieldsV1(fields)),
        time: held.iter().filter_map(|entry| entry.time.clone()).max(),
        subresource: None,
    };
    others.into_iter().cloned().chain([ours]).collect()
}

/// The union of two sets of fields.
fn unite(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                unite(
                    into.entry(name)
                        .or_insert_with(|| Value::Object(Map::new())),
                    value,
                );
            }
        }
        (into, more) if into.is_null() => *into = more,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(manager: &str, subresource: Option<&str>, fields: &Value) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: Some(manager.into()),
            operation: Some("Update".into()),
            api_version: Some("apps/v1".into()),
            fields_type: Some("FieldsV1".into()),
            fields_v1: Some(FieldsV1(fields.clone())),
            subresource: subresource.map(str::to_owned),
            time: None,
        }
    }

    #[test]
    fn what_others_hold_is_ours_except_labels_statuses_and_the_autoscalers_number() {
        let label = json!({ "f:labels": { "f:team": {} } });
        let entries = [
            entry(
                "kubectl-client-side-apply",
                None,
                &json!({
                    "f:metadata": label, "f:spec": { "f:paused": {}, "f:template": { "f:spec": { "f:a": {} } } },
                }),
            ),
            entry(
                "helm",
                None,
                &json!({ "f:spec": { "f:template": { "f:spec": { "f:b": {} } } } }),
            ),
            entry(
                "kube-controller-manager",
                Some("status"),
                &json!({ "f:status": {} }),
            ),
            entry(
                field_managers::AUTOSCALING,
                None,
                &json!({ "f:spec": { "f:replicas": {} } }),
            ),
        ];
        let held = held_by(&entries, "apps/v1");
        assert_eq!(held[..2], [entries[2].clone(), entries[3].clone()]);
        assert_eq!(held.len(), 3);
        assert_eq!(held[2].manager.as_deref(), Some(field_managers::SERVER));
        assert_eq!(held[2].operation.as_deref(), Some("Apply"));
        let fields = &held[2].fields_v1.as_ref().unwrap().0;
        assert_eq!(
            *fields,
            json!({ "f:spec": { "f:paused": {}, "f:template": { "f:spec": { "f:a": {}, "f:b": {} } } } })
        );
    }
}
