//! Pods of a Deployment: security contexts, probes, token.

use mcp_plugin_sdk::set_default;
use serde_json::{Value, json};

/// Where a container that writes may do so.
const SCRATCH: &str = "tmp";

/// Pod Security Standards, profile `restricted`.
pub(crate) fn restrict(object: &mut Value) {
    let Some(pod) = pod(object) else { return };
    set_default(pod, &["securityContext", "runAsNonRoot"], json!(true));
    set_default(
        pod,
        &["securityContext", "seccompProfile"],
        json!({ "type": "RuntimeDefault" }),
    );
    for container in containers(pod) {
        set_default(
            container,
            &["securityContext", "allowPrivilegeEscalation"],
            json!(false),
        );
        set_default(
            container,
            &["securityContext", "capabilities", "drop"],
            json!(["ALL"]),
        );
        set_default(container, &["securityContext", "runAsNonRoot"], json!(true));
        set_default(
            container,
            &["securityContext", "seccompProfile"],
            json!({ "type": "RuntimeDefault" }),
        );
    }
}

/// A read-only root file system, and a folder `/tmp` that lives as long as the pod.
pub(crate) fn read_only_root(object: &mut Value) {
    let Some(pod) = pod(object) else { return };
    let mut scratch = false;
    for container in containers(pod) {
        set_default(
            container,
            &["securityContext", "readOnlyRootFilesystem"],
            json!(true),
        );
        if container["securityContext"]["readOnlyRootFilesystem"] == true
            && !has(&container["volumeMounts"], "mountPath", "/tmp")
        {
            push(
                &mut container["volumeMounts"],
                json!({ "name": SCRATCH, "mountPath": "/tmp" }),
            );
        }
        scratch |= has(&container["volumeMounts"], "name", SCRATCH);
    }
    if scratch && !has(&pod["volumes"], "name", SCRATCH) {
        push(
            &mut pod["volumes"],
            json!({ "name": SCRATCH, "emptyDir": {} }),
        );
    }
}

/// Probes for a container that has none, on its first port.
pub(crate) fn probes(object: &mut Value) {
    let Some(pod) = pod(object) else { return };
    for container in containers(pod) {
        let port = container["ports"][0]["name"].clone();
        if port.is_null() {
            continue;
        }
        let probe = |path: &str, seconds: u32| json!({ "httpGet": { "path": path, "port": port }, "initialDelaySeconds": seconds, "periodSeconds": seconds });
        set_default(container, &["livenessProbe"], probe("/health", 10));
        set_default(container, &["readinessProbe"], probe("/ready", 5));
    }
}

/// An MCP server has no business with the Kubernetes API. Roles in AWS bring a token of their own.
pub(crate) fn no_token(object: &mut Value) {
    if let Some(pod) = pod(object) {
        set_default(pod, &["automountServiceAccountToken"], json!(false));
    }
    if object["kind"] == "ServiceAccount" {
        set_default(object, &["automountServiceAccountToken"], json!(false));
    }
}

fn pod(object: &mut Value) -> Option<&mut Value> {
    if object["kind"] == "Deployment" {
        object.pointer_mut("/spec/template/spec")
    } else {
        None
    }
}

fn containers(pod: &mut Value) -> impl Iterator<Item = &mut Value> {
    pod["containers"].as_array_mut().into_iter().flatten()
}

fn has(list: &Value, member: &str, value: &str) -> bool {
    list.as_array()
        .is_some_and(|items| items.iter().any(|item| item[member] == value))
}

fn push(list: &mut Value, item: Value) {
    match list {
        Value::Array(items) => items.push(item),
        other => *other = Value::Array(vec![item]),
    }
}
