//! On the MCPServer itself, at admission and at reconcile.

use serde_json::{Value, json};

use super::{granted, patched};

fn server() -> Value {
    json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": "github", "namespace": "tools", "labels": { "team": "a" } },
        "spec": {
            "image": { "repository": "acme/mcp", "tag": "1" },
            "resources": { "limits": { "cpu": "1" } },
            "networkPolicy": { "enabled": true },
        },
    })
}

/// One test for each attack without a grant: its name, where, what, and the field that the refusal must name.
macro_rules! attacks {
    ($($name:ident: $path:literal, $value:tt => $field:literal;)+) => {$(
        #[test]
        fn $name() {
            let operation = json!({ "op": "add", "path": $path, "value": $value });
            let refused = patched(server(), json!([operation])).unwrap_err().to_string();
            assert!(refused.contains(concat!(" ", $field, " of MCPServer, ")), "{refused}");
        }
    )+};
}

attacks! {
    another_image: "/spec/image/repository", "evil.example/mcp" => "spec.image.repository";
    another_command: "/spec/command", ["sh"] => "spec.command";
    other_arguments: "/spec/args", ["-c"] => "spec.args";
    a_variable: "/spec/env", [{ "name": "LD_PRELOAD", "value": "/tmp/x.so" }] => "spec.env";
    a_secret: "/spec/secrets", [{ "name": "x", "awsSecretKey": "team-b/prod" }] => "spec.secrets";
    a_store: "/spec/secretStore", { "name": "finance" } => "spec.secretStore.name";
    a_role: "/spec/aws", { "iamRole": "arn:aws:iam::1:role/admin" } => "spec.aws.iamRole";
    no_isolation: "/spec/networkPolicy/enabled", false => "spec.networkPolicy.enabled";
    a_group: "/spec/litellm", { "allowedUserGroups": ["sre-admins"] } => "spec.litellm.allowedUserGroups";
    more_memory: "/spec/resources/limits/memory", "1Ti" => "spec.resources.limits.memory";
    a_label: "/metadata/labels/team", "b" => "metadata.labels[team]";
    an_annotation: "/metadata/annotations", { "note": "x" } => "metadata.annotations[note]";
    somebody_elses: "/metadata/ownerReferences", [{ "uid": "1" }] => "metadata.ownerReferences";
    a_finalizer: "/metadata/finalizers", ["evil.example/wait"] => "metadata.finalizers";
    a_status: "/status", { "phase": "Ready" } => "status";
}

/// What one operation makes of the server, by a plugin with grants of fields.
fn by(fields: &[&str], operation: Value) -> Result<Value, String> {
    let grants = json!({ "fields": fields });
    granted(server(), json!([operation]), &grants).map_err(|error| error.to_string())
}

#[test]
fn the_error_says_what_would_grant_it() {
    let command = json!({ "op": "add", "path": "/spec/command", "value": ["sh"] });
    assert_eq!(
        by(&["spec.resources"], command).unwrap_err(),
        "rule rule changes spec.command of MCPServer, which it is not granted: add spec.command to spec.grants.fields of its MCPPlugin if it should"
    );
    let gpu = json!({ "op": "add", "path": "/spec/resources/limits/nvidia.com~1gpu", "value": 1 });
    assert_eq!(
        by(&["spec.resources.limits.cpu"], gpu).unwrap_err(),
        "rule rule changes spec.resources.limits[nvidia.com/gpu] of MCPServer, which it is not granted: add spec.resources.limits to spec.grants.fields of its MCPPlugin if it should"
    );
}

/// A grant of one field is no way to another: by its parents, its neighbours, or what an empty object switches on.
#[test]
fn a_grant_is_for_its_field_alone() {
    let add = |path: &str, value: Value| json!({ "op": "add", "path": path, "value": value });
    by(
        &["spec.resources"],
        add("/spec/resources", json!({ "limits": { "memory": "1Gi" } })),
    )
    .unwrap();
    by(&["spec.command"], add("/spec/command", json!(["sh"]))).unwrap();
    by(
        &["spec.autoscaling.maxReplicas"],
        add("/spec/autoscaling", json!({ "maxReplicas": 3 })),
    )
    .unwrap();
    for (granted, operation) in [
        (
            "spec.autoscaling.maxReplicas",
            add("/spec/autoscaling", json!({})),
        ),
        (
            "spec.autoscaling.maxReplicas",
            add(
                "/spec/autoscaling",
                json!({ "maxReplicas": 3, "minReplicas": 0 }),
            ),
        ),
        ("spec.resources.limits", add("/spec/resources", json!(null))),
        (
            "spec.resources.limits",
            json!({ "op": "remove", "path": "/spec/resources" }),
        ),
        (
            "spec.networkPolicy.egress",
            json!({ "op": "remove", "path": "/spec/networkPolicy" }),
        ),
        ("spec.resources", json!({ "op": "remove", "path": "/spec" })),
        ("spec.resources", add("/spec", json!({ "resources": {} }))),
        (
            "spec.resources",
            json!({ "op": "move", "from": "/spec/image", "path": "/spec/resources/image" }),
        ),
    ] {
        let refused = by(&[granted], operation.clone());
        assert!(refused.is_err(), "{granted} {operation}: {refused:?}");
    }
}

#[test]
fn labels_and_annotations_are_granted_by_name() {
    let label = json!([{ "op": "add", "path": "/metadata/labels/team", "value": "b" }]);
    let by = |grants: Value| granted(server(), label.clone(), &grants);
    by(json!({ "labels": ["team"] })).unwrap();
    assert!(by(json!({ "annotations": ["team"], "fields": ["metadata.labels"] })).is_err());
    let own = json!([{ "op": "add", "path": "/metadata/annotations", "value": { "mcp.litellm.ai/defaults": "{}" } }]);
    assert!(
        granted(
            server(),
            own,
            &json!({ "annotations": ["mcp.litellm.ai/defaults", "mcp.litellm.ai/"] })
        )
        .is_err()
    );
}
