//! What a plugin that was taken over would try, one attack a test: all of them are refused, by the field.

use mcp_operator_api::v1alpha1::PluginGrants;
use serde_json::{Value, json};

use super::{ObjectPatch, PatchError, apply};

mod container;
mod kinds;
mod metadata;
mod pod;
mod security_context;
mod server;
mod volumes;

/// A Deployment as it is built, hardened by the plugins before.
fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "mcp-github", "namespace": "tools", "labels": { "mcp.litellm.ai/server": "github" } },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app.kubernetes.io/instance": "github" } },
            "template": {
                "metadata": { "labels": { "app.kubernetes.io/instance": "github" } },
                "spec": {
                    "serviceAccountName": "mcp-github",
                    "automountServiceAccountToken": false,
                    "securityContext": { "runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": { "type": "RuntimeDefault" } },
                    "containers": [{
                        "name": "server", "image": "acme/mcp:1",
                        "ports": [{ "name": "http", "containerPort": 8080 }],
                        "env": [{ "name": "TOKEN", "valueFrom": { "secretKeyRef": { "name": "mcp-github-secrets", "key": "token" } } }],
                        "readinessProbe": { "httpGet": { "path": "/health", "port": "http" } },
                        "resources": { "limits": { "cpu": "1" } },
                        "securityContext": {
                            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
                            "capabilities": { "drop": ["ALL"] }, "appArmorProfile": { "type": "RuntimeDefault" },
                        },
                        "volumeMounts": [
                            { "name": "config", "mountPath": "/etc/mcp", "readOnly": true },
                            { "name": "tmp", "mountPath": "/tmp" },
                        ],
                    }],
                    "volumes": [
                        { "name": "config", "configMap": { "name": "mcp-github" } },
                        { "name": "tmp", "emptyDir": {} },
                    ],
                },
            },
        },
    })
}

const POD: &str = "/spec/template/spec";
const CONTAINER: &str = "/spec/template/spec/containers/0";

/// By a plugin without grants.
fn patched(object: Value, operations: Value) -> Result<Value, PatchError> {
    granted(object, operations, &json!({}))
}

/// By a plugin with these grants.
fn granted(object: Value, operations: Value, grants: &Value) -> Result<Value, PatchError> {
    let patch = ObjectPatch {
        object: 0,
        code: "rule".into(),
        operations: serde_json::from_value(operations).unwrap(),
    };
    let grants: PluginGrants = serde_json::from_value(grants.clone()).unwrap();
    apply(&[object], &[patch], &grants).map(|mut objects| objects.remove(0))
}

/// Adds, replaces or, with `null`, removes what is at a path of the Deployment.
fn change(path: &str, value: Value) -> Result<Value, PatchError> {
    let operation = if value.is_null() {
        json!({ "op": "remove", "path": path })
    } else {
        json!({ "op": "add", "path": path, "value": value })
    };
    patched(deployment(), json!([operation]))
}

/// One test for each attack on the Deployment: its name, where, what, and the field that the refusal must name.
macro_rules! attacks {
    ($($name:ident: $path:expr, $value:tt => $field:literal;)+) => {$(
        #[test]
        fn $name() {
            let refused = super::change(&$path, serde_json::json!($value)).unwrap_err().to_string();
            assert!(refused.contains(concat!(" ", $field, " of Deployment, ")), "{refused}");
        }
    )+};
}
use attacks;
