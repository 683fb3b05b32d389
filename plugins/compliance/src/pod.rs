//! Security contexts and tokens of a Deployment's pods.

use mcp_plugin_sdk::set_default;
use serde_json::{Value, json};

/// Name of the volume for `/tmp`.
const TMP_VOLUME: &str = "tmp";

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

/// A read-only root file system, and an `emptyDir` volume at `/tmp`.
pub(crate) fn read_only_root(object: &mut Value) {
    let Some(pod) = pod(object) else { return };
    let mut has_tmp_volume = false;
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
                json!({ "name": TMP_VOLUME, "mountPath": "/tmp" }),
            );
        }
        has_tmp_volume |= has(&container["volumeMounts"], "name", TMP_VOLUME);
    }
    if has_tmp_volume && !has(&pod["volumes"], "name", TMP_VOLUME) {
        push(
            &mut pod["volumes"],
            json!({ "name": TMP_VOLUME, "emptyDir": {} }),
        );
    }
}

/// An MCP server needs the Kubernetes API only if it says so. IAM roles for service accounts bring a token of their own.
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
