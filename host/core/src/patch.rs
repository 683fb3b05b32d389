//! Patches that plugins ask for, applied and confined.
//!
//! A plugin's answer is not trusted. What it may not touch is compared before and after, instead of
//! looking at the paths of its operations: there are many ways to write a path, but only one result.

use json_patch::PatchOperation;
use serde_json::Value;
use thiserror::Error;

/// The changes that one rule wants on one object.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectPatch {
    /// Position of the object in the list that the plugin was given.
    pub object: usize,
    /// Stable identifier of the rule.
    pub code: String,
    /// The changes, in order.
    pub operations: Vec<PatchOperation>,
}

/// A patch that is refused. Always the plugin's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatchError {
    /// There is no such object.
    #[error("rule {code} patches object {object}, but there are only {count}")]
    NoSuchObject {
        /// Rule.
        code: String,
        /// Position that the rule named.
        object: usize,
        /// Objects that there are.
        count: usize,
    },
    /// The operations do not fit the object.
    #[error("rule {code} cannot be applied to {kind}: {reason}")]
    DoesNotFit {
        /// Rule.
        code: String,
        /// Kind of the object.
        kind: String,
        /// Why.
        reason: String,
    },
    /// The result is something that no plugin may bring about.
    #[error("rule {code} changes {what} of {kind}, which no plugin may")]
    NotAllowed {
        /// Rule.
        code: String,
        /// Kind of the object.
        kind: String,
        /// What was changed.
        what: &'static str,
    },
}

/// Applies patches in order: all of them, or none.
///
/// # Errors
/// The first patch that does not fit or does what no plugin may.
pub fn apply(objects: &[Value], patches: &[ObjectPatch]) -> Result<Vec<Value>, PatchError> {
    let mut result = objects.to_vec();
    for patch in patches {
        let count = result.len();
        let object = result
            .get_mut(patch.object)
            .ok_or_else(|| PatchError::NoSuchObject {
                code: patch.code.clone(),
                object: patch.object,
                count,
            })?;
        let before = object.clone();
        let kind = before["kind"].as_str().unwrap_or("object").to_owned();
        json_patch::patch(object, &patch.operations).map_err(|error| PatchError::DoesNotFit {
            code: patch.code.clone(),
            kind: kind.clone(),
            reason: error.to_string(),
        })?;
        if let Some(what) = forbidden_change(&before, object) {
            return Err(PatchError::NotAllowed {
                code: patch.code.clone(),
                kind,
                what,
            });
        }
    }
    Ok(result)
}

/// Names the first thing that was changed and must not be.
fn forbidden_change(before: &Value, after: &Value) -> Option<&'static str> {
    if without_free_parts(before) != without_free_parts(after) {
        return Some("identity, ownership or status");
    }
    if before["kind"] == "MCPServer" {
        return None;
    }
    if before["spec"]["selector"] != after["spec"]["selector"] {
        return Some("the selector");
    }
    if before["subjects"] != after["subjects"] || before["roleRef"] != after["roleRef"] {
        return Some("permissions");
    }
    forbidden_pod_change(
        &before["spec"]["template"]["spec"],
        &after["spec"]["template"]["spec"],
    )
}

/// The object without what plugins may change: the free parts are compared one by one.
fn without_free_parts(object: &Value) -> Value {
    let mut rest = object.clone();
    if let Some(members) = rest.as_object_mut() {
        let free: &[&str] = if object["kind"] == "MCPServer" {
            &["spec"]
        } else {
            &[
                "spec",
                "data",
                "automountServiceAccountToken",
                "subjects",
                "roleRef",
            ]
        };
        members.retain(|name, _| !free.contains(&name.as_str()));
    }
    if let Some(metadata) = rest["metadata"].as_object_mut() {
        metadata.retain(|name, _| name != "labels" && name != "annotations");
    }
    rest
}

fn forbidden_pod_change(before: &Value, after: &Value) -> Option<&'static str> {
    if before["serviceAccountName"] != after["serviceAccountName"] {
        return Some("the service account");
    }
    for namespace in ["hostNetwork", "hostPID", "hostIPC"] {
        if after[namespace] == true && before[namespace] != true {
            return Some("host namespaces");
        }
    }
    if count(after, "volumes", is_host_path) > count(before, "volumes", is_host_path) {
        return Some("volumes, to one on the host,");
    }
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        if images(before, list) != images(after, list) {
            return Some("containers or images");
        }
        if count(after, list, is_privileged) > count(before, list, is_privileged) {
            return Some("privileges");
        }
    }
    None
}

fn items<'a>(pod: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    pod[list].as_array().into_iter().flatten()
}

fn count(pod: &Value, list: &str, is: fn(&Value) -> bool) -> usize {
    items(pod, list).filter(|item| is(item)).count()
}

fn is_host_path(volume: &Value) -> bool {
    !volume["hostPath"].is_null()
}

fn is_privileged(container: &Value) -> bool {
    let context = &container["securityContext"];
    let adds = context["capabilities"]["add"]
        .as_array()
        .is_some_and(|added| !added.is_empty());
    context["privileged"] == true || context["allowPrivilegeEscalation"] == true || adds
}

fn images<'a>(pod: &'a Value, list: &str) -> Vec<(&'a Value, &'a Value)> {
    items(pod, list)
        .map(|container| (&container["name"], &container["image"]))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "mcp-github", "namespace": "tools", "ownerReferences": [{ "uid": "1" }] },
            "spec": {
                "selector": { "matchLabels": { "a": "b" } },
                "template": { "spec": {
                    "serviceAccountName": "mcp-github",
                    "containers": [{ "name": "server", "image": "acme/mcp:1" }],
                } },
            },
        })
    }

    fn patch(operations: Value) -> Result<Value, PatchError> {
        let operations = serde_json::from_value(operations).unwrap();
        let patch = ObjectPatch {
            object: 0,
            code: "rule".into(),
            operations,
        };
        apply(&[deployment()], &[patch]).map(|mut objects| objects.remove(0))
    }

    #[test]
    fn defaults_are_filled_in() {
        let patched = patch(json!([
            { "op": "add", "path": "/spec/template/spec/containers/0/securityContext", "value": { "runAsNonRoot": true } },
            { "op": "add", "path": "/metadata/labels", "value": { "team": "a" } },
        ]))
        .unwrap();
        assert_eq!(
            patched["spec"]["template"]["spec"]["containers"][0]["securityContext"]["runAsNonRoot"],
            true
        );
        assert_eq!(patched["metadata"]["labels"]["team"], "a");
    }

    #[test]
    fn what_no_plugin_may_change_is_refused() {
        let pod = "/spec/template/spec";
        for (operation, what) in [
            (
                json!({ "op": "replace", "path": "/metadata/name", "value": "x" }),
                "identity",
            ),
            (
                json!({ "op": "replace", "path": "/metadata/namespace", "value": "kube-system" }),
                "identity",
            ),
            (
                json!({ "op": "remove", "path": "/metadata/ownerReferences" }),
                "identity",
            ),
            (
                json!({ "op": "replace", "path": "/kind", "value": "Pod" }),
                "identity",
            ),
            (
                json!({ "op": "add", "path": "/status", "value": {} }),
                "identity",
            ),
            (
                json!({ "op": "replace", "path": "/spec/selector/matchLabels/a", "value": "c" }),
                "selector",
            ),
            (
                json!({ "op": "replace", "path": format!("{pod}/serviceAccountName"), "value": "admin" }),
                "service account",
            ),
            (
                json!({ "op": "add", "path": format!("{pod}/hostNetwork"), "value": true }),
                "host namespaces",
            ),
            (
                json!({ "op": "add", "path": format!("{pod}/volumes"), "value": [{ "name": "h", "hostPath": { "path": "/" } }] }),
                "on the host",
            ),
            (
                json!({ "op": "replace", "path": format!("{pod}/containers/0/image"), "value": "evil" }),
                "images",
            ),
            (
                json!({ "op": "add", "path": format!("{pod}/containers/-"), "value": { "name": "b", "image": "evil" } }),
                "images",
            ),
            (
                json!({ "op": "add", "path": format!("{pod}/initContainers"), "value": [{ "name": "b", "image": "evil" }] }),
                "images",
            ),
            (
                json!({ "op": "add", "path": format!("{pod}/containers/0/securityContext"), "value": { "privileged": true } }),
                "privileges",
            ),
            (
                json!({ "op": "add", "path": "", "value": { "kind": "MCPServer" } }),
                "identity",
            ),
        ] {
            let refused = patch(json!([operation])).unwrap_err().to_string();
            assert!(refused.contains(what), "{operation}: {refused}");
        }
    }

    #[test]
    fn nothing_is_half_applied() {
        let fails = patch(json!([
            { "op": "add", "path": "/metadata/labels", "value": {} },
            { "op": "replace", "path": "/spec/nowhere/x", "value": 1 },
        ]));
        assert!(matches!(fails, Err(PatchError::DoesNotFit { .. })));
        let missing = ObjectPatch {
            object: 7,
            code: "rule".into(),
            operations: vec![],
        };
        assert!(matches!(
            apply(&[deployment()], &[missing]),
            Err(PatchError::NoSuchObject { .. })
        ));
    }
}
