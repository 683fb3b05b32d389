//! Whether a server-side apply would change anything.
//!
//! The API server writes down, in `metadata.managedFields`, which fields a manager has applied. An
//! apply changes something only if the desired fields are not exactly the fields that the manager owns, or one of them has
//! another value. Both can be seen without a request: fields that others set (defaults, an injected sidecar, a label) are not
//! owned and do not count, and a field that somebody else has taken over is not owned any more.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::quantity;

/// One field that an apply would change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Difference {
    /// Field path, as Kubernetes writes it: `.spec.template.spec.containers[name=server].image`. Empty: everything.
    pub path: String,
    /// The live value; null if there is none.
    pub live: Value,
}

/// The fields that a server-side apply of `desired` by `manager` would change in `live`; none if it would change nothing.
pub fn differences(desired: &Value, live: &Value, manager: &str) -> Vec<Difference> {
    let mut found = Vec::new();
    match applied_fields(live, manager, &desired["apiVersion"]) {
        Some(fields) => {
            let mut desired = desired.clone();
            remove_identity(&mut desired);
            let comparison = Comparison {
                path: None,
                quantities: false,
            };
            comparison.compare(fields, &desired, live, &mut found);
        }
        None => found.push(Difference {
            path: String::new(),
            live: Value::Null,
        }),
    }
    found
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

/// Removes members that are `null`: they change nothing, but the manager would own them.
pub fn without_nulls(value: &mut Value) {
    without_new_nulls(&Value::Null, value);
}

/// Removes the members of `after` that are `null`, but for those that were `null` in `before` already. An item of a list was
/// there before if one like it was, wherever; any other is compared with the one in its place.
pub fn without_new_nulls(before: &Value, after: &mut Value) {
    // Most objects have none, and are not compared then.
    if holds_null(after) {
        remove_new_nulls(before, after);
    }
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.values().any(holds_null),
        Value::Array(items) => items.iter().any(holds_null),
        _ => false,
    }
}

fn remove_new_nulls(before: &Value, after: &mut Value) {
    match after {
        Value::Object(members) => {
            members.retain(|name, member| {
                !member.is_null() || before.get(name).is_some_and(Value::is_null)
            });
            for (name, member) in members {
                remove_new_nulls(before.get(name).unwrap_or(&Value::Null), member);
            }
        }
        Value::Array(items) => {
            let before = before.as_array().map_or(&[][..], Vec::as_slice);
            let kept: HashSet<&Value> = before.iter().collect();
            for (index, item) in items.iter_mut().enumerate() {
                if !kept.contains(&*item) {
                    remove_new_nulls(before.get(index).unwrap_or(&Value::Null), item);
                }
            }
        }
        _ => {}
    }
}

fn applied_fields<'a>(live: &'a Value, manager: &str, version: &Value) -> Option<&'a Value> {
    live["metadata"]["managedFields"]
        .as_array()?
        .iter()
        .find_map(|entry| {
            let is_owned = entry["manager"] == manager
                && entry["operation"] == "Apply"
                && entry["apiVersion"] == *version
                && entry["subresource"].as_str().is_none_or(str::is_empty);
            is_owned.then_some(&entry["fieldsV1"])
        })
}

/// The fields that identify an object are never owned.
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

/// Where a comparison is. It goes along the tree of owned fields: `f:name` is a member, `k:{..}` an item of a list that
/// is a map by these keys, `v:..` an item of a set, and an empty node a value owned as a whole.
#[derive(Clone, Copy)]
struct Comparison<'a> {
    path: Option<&'a Step<'a>>,
    quantities: bool,
}

/// A step on the way to a field, and the steps before it. The path becomes text only where there is a difference.
struct Step<'a> {
    before: Option<&'a Step<'a>>,
    name: &'a str,
}

impl Step<'_> {
    fn write(&self, path: &mut String) {
        if let Some(before) = self.before {
            before.write(path);
        }
        match self.name.split_at_checked(2) {
            Some(("k:" | "v:", keys)) => path.push_str(&index(keys)),
            Some(("f:", name)) => path.extend([".", name]),
            _ => path.extend([".", self.name]),
        }
    }
}

/// Keys of a list's item, as a path shows them.
fn index(keys: &str) -> String {
    let Ok(Value::Object(keys)) = serde_json::from_str(keys) else {
        return format!("[{keys}]");
    };
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let keys: Vec<String> = keys
        .iter()
        .map(|(name, value)| format!("{name}={}", text(value)))
        .collect();
    format!("[{}]", keys.join(","))
}

impl Comparison<'_> {
    fn compare(&self, fields: &Value, desired: &Value, live: &Value, found: &mut Vec<Difference>) {
        let owned = fields.as_object().filter(|fields| !fields.is_empty());
        match (owned, desired) {
            (None, _) if covers(live, desired, self.quantities) => {}
            (Some(owned), Value::Object(members)) => self.members(owned, members, live, found),
            (Some(owned), Value::Array(items)) => self.items(owned, items, live, found),
            _ => self.differs(live, found),
        }
    }

    fn members(
        &self,
        owned: &Map<String, Value>,
        members: &Map<String, Value>,
        live: &Value,
        found: &mut Vec<Difference>,
    ) {
        for (name, member) in members {
            let quantities = has_quantities(name);
            self.enter(name, quantities, |inner| {
                match owned.get(&format!("f:{name}")) {
                    Some(fields) => inner.compare(fields, member, &live[name], found),
                    None => inner.differs(&live[name], found),
                }
            });
        }
        // Fields that are owned and no longer desired would be removed.
        for field in owned.keys().filter(|key| *key != ".") {
            let name = field.strip_prefix("f:").unwrap_or(field);
            if !members.contains_key(name) {
                self.enter(field, false, |inner| inner.differs(&live[name], found));
            }
        }
    }

    fn items(
        &self,
        owned: &Map<String, Value>,
        items: &[Value],
        live: &Value,
        found: &mut Vec<Difference>,
    ) {
        let owned: Vec<_> = owned.iter().filter(|(key, _)| *key != ".").collect();
        if owned.len() != items.len() {
            return self.differs(live, found);
        }
        for (key, fields) in owned {
            self.enter(key, false, |inner| {
                let live_items = live.as_array().map_or(&[][..], Vec::as_slice);
                match (item(items, key), item(live_items, key)) {
                    (Some(wanted), Some(live)) => inner.compare(fields, wanted, live, found),
                    (_, live) => inner.differs(live.unwrap_or(&Value::Null), found),
                }
            });
        }
    }

    fn enter(&self, name: &str, quantities: bool, compare: impl FnOnce(Comparison<'_>)) {
        let step = Step {
            before: self.path,
            name,
        };
        compare(Comparison {
            path: Some(&step),
            quantities: self.quantities || quantities,
        });
    }

    fn differs(&self, live: &Value, found: &mut Vec<Difference>) {
        let mut path = String::new();
        if let Some(step) = self.path {
            step.write(&mut path);
        }
        found.push(Difference {
            path,
            live: live.clone(),
        });
    }
}

/// The item of a list that a key of ownership names.
fn item<'a>(items: &'a [Value], key: &str) -> Option<&'a Value> {
    let (kind, key) = key.split_at_checked(2)?;
    let key: Value = serde_json::from_str(key).ok()?;
    match (kind, &key) {
        ("k:", Value::Object(keys)) => find(items, keys),
        ("v:", value) => items.iter().find(|item| *item == value),
        _ => None,
    }
}

fn find<'a>(items: &'a [Value], keys: &Map<String, Value>) -> Option<&'a Value> {
    items
        .iter()
        .find(|item| keys.iter().all(|(name, value)| item[name] == *value))
}

/// Whether what is in this field are quantities: the API server writes `1024Mi` as `1Gi`.
fn has_quantities(name: &str) -> bool {
    matches!(name, "limits" | "requests" | "sizeLimit")
}

/// Whether a value that is owned as a whole is as desired. The API server may have added defaults, and leaves out what is
/// zero.
fn covers(live: &Value, desired: &Value, quantities: bool) -> bool {
    match (live, desired) {
        (Value::Null, desired) => is_zero(desired),
        (Value::Object(live), Value::Object(desired)) => desired.iter().all(|(name, value)| {
            let quantities = quantities || has_quantities(name);
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
#[path = "ssa_diff_tests.rs"]
mod tests;
