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
fn patches_are_applied_all_or_none() {
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

fn object(kind: &str, spec: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": "mcp-github", "labels": { "mcp.litellm.ai/server": "github" } }, "spec": spec })
}

/// The result of one operation on one object.
fn patched(object: Value, operation: Value) -> Result<Value, PatchError> {
    let patch = ObjectPatch {
        object: 0,
        code: "rule".into(),
        operations: serde_json::from_value(json!([operation])).unwrap(),
    };
    apply(&[object], &[patch]).map(|mut objects| objects.remove(0))
}

fn add(path: &str, value: Value) -> Value {
    json!({ "op": "add", "path": path, "value": value })
}

#[test]
fn a_pod_gets_no_other_programs_secrets_or_privileges() {
    let pod = "/spec/template/spec";
    let container = format!("{pod}/containers/0");
    for (path, value, what) in [
        (
            format!("{container}/command"),
            json!(["sh"]),
            "what a container runs",
        ),
        (
            format!("{container}/args"),
            json!(["-c"]),
            "what a container runs",
        ),
        (
            format!("{container}/lifecycle"),
            json!({ "postStart": { "exec": { "command": ["sh"] } } }),
            "what a container runs",
        ),
        (
            format!("{container}/livenessProbe"),
            json!({ "exec": { "command": ["sh"] } }),
            "what a container runs",
        ),
        (
            format!("{container}/ports"),
            json!([{ "containerPort": 1, "hostPort": 1 }]),
            "of the host",
        ),
        (
            format!("{container}/env"),
            json!([{ "name": "A", "valueFrom": { "secretKeyRef": { "name": "a", "key": "b" } } }]),
            "secrets",
        ),
        (
            format!("{container}/envFrom"),
            json!([{ "secretRef": { "name": "a" } }]),
            "secrets",
        ),
        (
            format!("{container}/securityContext"),
            json!({ "capabilities": { "add": ["SYS_ADMIN"] } }),
            "privileges",
        ),
        (
            format!("{container}/securityContext"),
            json!({ "seccompProfile": { "type": "Unconfined" } }),
            "privileges",
        ),
        (
            format!("{container}/volumeDevices"),
            json!([{ "name": "a", "devicePath": "/dev/a" }]),
            "devices",
        ),
        (
            format!("{pod}/serviceAccount"),
            json!("admin"),
            "service account",
        ),
        (
            format!("{pod}/volumes"),
            json!([{ "name": "v", "csi": { "driver": "a" } }]),
            "volumes",
        ),
        (
            format!("{pod}/volumes"),
            json!([{ "name": "v", "image": { "reference": "a" } }]),
            "volumes",
        ),
        (
            format!("{pod}/volumes"),
            json!([{ "name": "v", "secret": { "secretName": "a" } }]),
            "volumes",
        ),
        (
            format!("{pod}/volumes"),
            json!([{ "name": "v", "persistentVolumeClaim": { "claimName": "a" } }]),
            "volumes",
        ),
        (
            format!("{pod}/volumes"),
            json!([{ "name": "v", "emptyDir": {}, "nfs": {} }]),
            "volumes",
        ),
    ] {
        let refused = patched(deployment(), add(&path, value.clone()))
            .unwrap_err()
            .to_string();
        assert!(refused.contains(what), "{path} {value}: {refused}");
    }
}

#[test]
fn harmless_additions_to_a_pod_are_allowed() {
    let pod = "/spec/template/spec";
    let container = format!("{pod}/containers/0");
    for (path, value) in [
        (
            format!("{pod}/volumes"),
            json!([{ "name": "tmp", "emptyDir": {} }]),
        ),
        (
            format!("{container}/env"),
            json!([{ "name": "A", "value": "b" }]),
        ),
        (
            format!("{container}/livenessProbe"),
            json!({ "httpGet": { "path": "/", "port": 1 } }),
        ),
        (
            format!("{container}/securityContext"),
            json!({ "seccompProfile": { "type": "RuntimeDefault" }, "capabilities": { "drop": ["ALL"] } }),
        ),
        (
            "/spec/template/metadata".into(),
            json!({ "annotations": { "a": "b" } }),
        ),
    ] {
        patched(deployment(), add(&path, value)).unwrap();
    }
}

#[test]
fn privileges_of_one_container_cannot_be_given_to_another() {
    let mut pod = deployment();
    let containers = &mut pod["spec"]["template"]["spec"]["containers"];
    *containers = json!([
        { "name": "a", "image": "a", "securityContext": { "privileged": true } },
        { "name": "b", "image": "b" },
    ]);
    let path = "/spec/template/spec/containers/1/securityContext";
    assert!(patched(pod, add(path, json!({ "privileged": true }))).is_err());
}

#[test]
fn other_kinds_change_only_in_their_mutable_members() {
    let account = json!({ "kind": "ServiceAccount", "metadata": { "name": "a" } });
    let role = add(
        "/metadata/annotations",
        json!({ "eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/admin" }),
    );
    assert!(
        patched(account.clone(), role)
            .unwrap_err()
            .to_string()
            .contains("give it a role")
    );
    patched(account, add("/automountServiceAccountToken", json!(false))).unwrap();
    for (kind, path, value) in [
        ("Service", "/spec/type", json!("LoadBalancer")),
        ("Service", "/spec/externalIPs", json!(["192.0.2.1"])),
        ("Service", "/spec/externalName", json!("example.org")),
        (
            "HorizontalPodAutoscaler",
            "/spec/scaleTargetRef",
            json!({ "name": "other" }),
        ),
        (
            "ExternalSecret",
            "/spec/data",
            json!([{ "remoteRef": { "key": "other" } }]),
        ),
        ("ExternalSecret", "/spec/dataFrom", json!([])),
        (
            "ExternalSecret",
            "/spec/secretStoreRef",
            json!({ "name": "other" }),
        ),
        ("NetworkPolicy", "/spec/ingress", json!([{}])),
        (
            "NetworkPolicy",
            "/spec/podSelector",
            json!({ "matchLabels": {} }),
        ),
        ("ServiceMonitor", "/spec/endpoints", json!([])),
        ("Surprise", "/spec/a", json!(1)),
        ("Surprise", "/data", json!({})),
    ] {
        let refused = patched(object(kind, json!({ "a": 0 })), add(path, value));
        assert!(
            matches!(refused, Err(PatchError::NotAllowed { .. })),
            "{kind} {path}: {refused:?}"
        );
    }
    for (kind, path, value) in [
        ("Service", "/spec/trafficDistribution", json!("PreferClose")),
        ("HorizontalPodAutoscaler", "/spec/behavior", json!({})),
        (
            "PodDisruptionBudget",
            "/spec/unhealthyPodEvictionPolicy",
            json!("AlwaysAllow"),
        ),
        ("ExternalSecret", "/spec/refreshInterval", json!("5m")),
        ("NetworkPolicy", "/metadata/labels/team", json!("a")),
        ("MCPServer", "/spec/replicas", json!(2)),
    ] {
        patched(object(kind, json!({ "a": 0 })), add(path, value)).unwrap();
    }
}

/// Many small operations can nest a value too deeply, each one level below the one before.
#[test]
fn no_result_is_nested_deeply_enough_to_overflow_the_stack() {
    let server = || object("MCPServer", json!({}));
    let nested = |depth: usize| {
        let mut path = "/spec".to_owned();
        let operations = (0..depth).map(|_| {
            path.push_str("/a");
            add(&path, json!({}))
        });
        ObjectPatch {
            object: 0,
            code: "rule".into(),
            operations: operations
                .map(|operation| serde_json::from_value(operation).unwrap())
                .collect(),
        }
    };
    assert!(apply(&[server()], &[nested(100)]).is_ok());
    let refused = apply(&[server()], &[nested(4000)]).unwrap_err();
    assert!(
        refused.to_string().contains("more than 128 parts"),
        "{refused}"
    );
    let refused = apply(&[server()], &[nested(127)]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "rule rule nests MCPServer deeper than 127 levels"
    );
    let refused = apply(&[server()], &[nested(MAX_OPERATIONS + 1)]).unwrap_err();
    assert!(matches!(
        refused,
        PatchError::TooMany {
            what: "operations",
            ..
        }
    ));
    let none = ObjectPatch {
        object: 0,
        code: "rule".into(),
        operations: vec![],
    };
    let refused = apply(&[server()], &vec![none; MAX_PATCHES + 1]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "it answers with 1001 patches, 1000 are allowed"
    );
}

#[test]
fn the_error_names_every_rule_that_may_be_at_fault() {
    let patch = |code: &str, path: &str| ObjectPatch {
        object: 0,
        code: code.into(),
        operations: serde_json::from_value(json!([add(path, json!({}))])).unwrap(),
    };
    let refused = apply(
        &[deployment()],
        &[patch("a", "/metadata/labels"), patch("b", "/status")],
    )
    .unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("one of the rules a and b changes identity"),
        "{refused}"
    );
}

#[test]
fn reserved_labels_cannot_be_changed() {
    for (path, name) in [
        ("/metadata/labels", "mcp.litellm.ai/server"),
        ("/spec/template/metadata", "labels"),
    ] {
        let value = match name {
            "labels" => json!({ "labels": { "app.kubernetes.io/name": "other" } }),
            name => json!({ name: "other" }),
        };
        let refused = patched(deployment(), add(path, value)).unwrap_err();
        assert!(refused.to_string().contains("labels"), "{refused}");
    }
}
