//! Who manages which fields, in the version that stays. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::ResourceExt;
use kube::api::DynamicObject;
use mcp_operator_api::conversion::convert_fields;
use serde_json::Value;
use serde_json::value::to_raw_value;

/// The managers of an object, with those of the versions `left` in the version `desired`; nothing where there are none.
///
/// # Errors
/// One sentence: it is no version of an MCPServer.
pub(super) fn converted(
    object: &DynamicObject,
    left: &[String],
    desired: &str,
) -> Result<Option<Vec<ManagedFieldsEntry>>, String> {
    let is_left = |entry: &ManagedFieldsEntry| {
        let version = entry.api_version.as_ref();
        version.is_some_and(|version| left.contains(version))
    };
    let found = object.managed_fields();
    if !found.iter().any(is_left) {
        return Ok(None);
    }
    let mut managers: Vec<ManagedFieldsEntry> = Vec::new();
    for entry in found {
        let mut entry = entry.clone();
        if let Some(version) = entry.api_version.clone().filter(|_| is_left(&entry)) {
            if let Some(fields) = &mut entry.fields_v1 {
                let raw = to_raw_value(&fields.0).map_err(|error| error.to_string())?;
                let raw = convert_fields(&raw, &version, desired)?;
                fields.0 = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
            }
            entry.api_version = Some(desired.to_owned());
        }
        match managers.iter_mut().find(|known| is_same(known, &entry)) {
            Some(known) => join(known, entry),
            None => managers.push(entry),
        }
    }
    Ok(Some(managers))
}

/// Whether the API server takes both for one manager.
fn is_same(one: &ManagedFieldsEntry, other: &ManagedFieldsEntry) -> bool {
    let names = |entry: &ManagedFieldsEntry| {
        let entry = entry.clone();
        (
            entry.manager,
            entry.operation,
            entry.subresource,
            entry.api_version,
        )
    };
    names(one) == names(other)
}

/// All fields of both, since the later time.
fn join(into: &mut ManagedFieldsEntry, from: ManagedFieldsEntry) {
    if let Some(FieldsV1(fields)) = from.fields_v1 {
        let known = into.fields_v1.get_or_insert(FieldsV1(Value::Null));
        join_fields(&mut known.0, fields);
    }
    into.time = into.time.take().max(from.time);
}

fn join_fields(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                join_fields(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

#[cfg(test)]
mod tests {
    use mcp_operator_api::names::{API_VERSION, BETA_API_VERSION};
    use serde_json::json;

    use super::*;

    fn entry(manager: &str, version: &str, fields: &Value) -> Value {
        json!({
            "manager": manager, "operation": "Update", "apiVersion": version, "fieldsType": "FieldsV1",
            "fieldsV1": fields, "time": "2026-01-01T00:00:00Z",
        })
    }

    fn managers(entries: &[Value]) -> Option<Value> {
        let object = serde_json::from_value(json!({
            "apiVersion": API_VERSION, "kind": "MCPServer",
            "metadata": { "name": "a", "managedFields": entries },
        }));
        let left = [BETA_API_VERSION.to_owned()];
        let found = converted(&object.unwrap(), &left, API_VERSION).unwrap();
        found.map(|found| json!(found))
    }

    #[test]
    fn a_manager_of_both_versions_becomes_one_of_the_version_that_stays() {
        let port = json!({ "f:spec": { "f:port": {} } });
        let spread = json!({ "f:spec": { "f:spread": { "f:nodes": {} } } });
        let affinity = json!({ "f:spec": { "f:affinity": { "f:podAntiAffinity": {} } } });
        let found = managers(&[
            entry("a", API_VERSION, &port),
            entry("a", BETA_API_VERSION, &spread),
            entry("b", BETA_API_VERSION, &spread),
        ]);
        let both = json!({ "f:spec": { "f:port": {}, "f:affinity": { "f:podAntiAffinity": {} } } });
        let wanted = json!([
            entry("a", API_VERSION, &both),
            entry("b", API_VERSION, &affinity)
        ]);
        assert_eq!(found, Some(wanted.clone()));
        let again = managers(wanted.as_array().unwrap());
        assert_eq!(again, None, "and again changes nothing");
    }
}
