//! Whether an apply would change anything.
//!
//! The API server writes down, in `metadata.managedFields`, which fields a manager has applied. An
//! apply changes something only if the fields that we want are not exactly the fields that are ours,
//! or one of them has another value. Both can be seen without asking: fields that others set
//! (defaults, an injected sidecar, a label) are not ours and do not count, and a field that somebody
//! took from us is not ours any more.

use serde_json::{Map, Value};

use crate::quantity;

/// Whether a server-side apply of `desired` by `manager` would change `live`.
pub fn would_change(desired: &Value, live: &Value, manager: &str) -> bool {
    let Some(fields) = applied_fields(live, manager, &desired["apiVersion"]) else {
        return true;
    };
    let mut desired = desired.clone();
    remove_identity(&mut desired);
    !same(fields, &desired, live, false)
}

/// Whether `manager` has applied the member at `path`, whatever its value is.
pub fn owns(live: &Value, manager: &str, path: &[&str]) -> bool {
    let fields = applied_fields(live, manager, &live["apiVersion"]);
    fields.is_some_and(|fields| {
        path.iter()
            .try_fold(fields, |fields, name| fields.get(format!("f:{name}")))
            .is_some()
    })
}

/// Takes away members that are `null`: they say nothing, but ownership would count them.
pub fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

fn applied_fields<'a>(live: &'a Value, manager: &str, version: &Value) -> Option<&'a Value> {
    live["metadata"]["managedFields"]
        .as_array()?
        .iter()
        .find_map(|entry| {
            let ours = entry["manager"] == manager
                && entry["operation"] == "Apply"
                && entry["apiVersion"] == *version
                && entry["subresource"].as_str().is_none_or(str::is_empty);
            ours.then_some(&entry["fieldsV1"])
        })
}

/// What names an object is never owned.
fn remove_identity(object: &mut Value) {
    if let Some(members) = object.as_object_mut() {
        members.remove("apiVersion");
        members.remove("kind");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("name");
        metadata.remove("namespace");
    }
}

/// Compares along the tree of owned fields: `f:name` is a member, `k:{..}` an item of a list that is
/// a map by these keys, `v:..` an item of a set, and an empty node a value owned as a whole.
fn same(fields: &Value, desired: &Value, live: &Value, quantities: bool) -> bool {
    let Some(fields) = fields.as_object().filter(|fields| !fields.is_empty()) else {
        return covers(live, desired, quantities);
    };
    match desired {
        Value::Object(members) => same_members(fields, members, live, quantities),
        Value::Array(items) => same_items(fields, items, live, quantities),
        _ => false,
    }
}

fn same_members(
    fields: &Map<String, Value>,
    members: &Map<String, Value>,
    live: &Value,
    quantities: bool,
) -> bool {
    let owned = fields.keys().filter(|key| *key != ".").count();
    owned == members.len()
        && members.iter().all(|(name, member)| {
            let quantities = quantities || matches!(name.as_str(), "limits" | "requests");
            fields
                .get(&format!("f:{name}"))
                .is_some_and(|fields| same(fields, member, &live[name], quantities))
        })
}

fn same_items(
    fields: &Map<String, Value>,
    items: &[Value],
    live: &Value,
    quantities: bool,
) -> bool {
    let owned: Vec<_> = fields.iter().filter(|(key, _)| *key != ".").collect();
    owned.len() == items.len()
        && owned
            .into_iter()
            .all(|(key, fields)| match key.split_at_checked(2) {
                Some(("k:", keys)) => {
                    let Ok(keys) = serde_json::from_str::<Map<String, Value>>(keys) else {
                        return false;
                    };
                    let (item, live) = (
                        find(items, &keys),
                        find(live.as_array().map_or(&[], Vec::as_slice), &keys),
                    );
                    item.is_some_and(|item| {
                        live.is_some_and(|live| same(fields, item, live, quantities))
                    })
                }
                Some(("v:", value)) => {
                    let Ok(value) = serde_json::from_str::<Value>(value) else {
                        return false;
                    };
                    items.contains(&value)
                        && live.as_array().is_some_and(|live| live.contains(&value))
                }
                _ => false,
            })
}

fn find<'a>(items: &'a [Value], keys: &Map<String, Value>) -> Option<&'a Value> {
    items
        .iter()
        .find(|item| keys.iter().all(|(name, value)| item[name] == *value))
}

/// Whether a value that is owned as a whole is as desired; the server may have added defaults, and it
/// leaves out what is zero.
fn covers(live: &Value, desired: &Value, quantities: bool) -> bool {
    match (live, desired) {
        (Value::Null, desired) => is_zero(desired),
        (Value::Object(live), Value::Object(desired)) => desired.iter().all(|(name, value)| {
            let quantities = quantities || matches!(name.as_str(), "limits" | "requests");
            covers(live.get(name).unwrap_or(&Value::Null), value, quantities)
        }),
        (Value::Array(live), Value::Array(desired)) => {
            live.len() == desired.len()
                && live
                    .iter()
                    .zip(desired)
                    .all(|(live, desired)| covers(live, desired, quantities))
        }
        (Value::String(live), Value::String(desired)) if quantities => {
            quantity::same(live, desired)
        }
        (live, desired) => live == desired,
    }
}

/// What Go leaves out of JSON.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

#[cfg(test)]
#[path = "ownership_tests.rs"]
mod tests;
