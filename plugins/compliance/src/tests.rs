use mcp_plugin_sdk::testing;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn server() -> McpServer {
    testing::server(json!({ "image": { "repository": "acme/mcp", "tag": "1.0.0" } }))
}

fn complete(settings: Value, object: Value, stage: Stage) -> Value {
    testing::complete::<Compliance>(&testing::settings(settings), object, server(), stage)
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "mcp-test" },
        "spec": { "template": { "spec": { "containers": [{
            "name": "server", "image": "acme/mcp:1.0.0", "ports": [{ "name": "http", "containerPort": 8080 }],
            "volumeMounts": [{ "name": "config", "mountPath": "/etc/mcp" }],
        }] } } },
    })
}

#[test]
fn a_deployment_becomes_restricted() {
    let completed = complete(json!({}), deployment(), Stage::Reconcile);
    assert_eq!(
        completed["spec"]["template"]["spec"],
        json!({
            "automountServiceAccountToken": false,
            "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
            "volumes": [{ "name": "tmp", "emptyDir": {} }],
            "containers": [{
                "name": "server", "image": "acme/mcp:1.0.0", "ports": [{ "name": "http", "containerPort": 8080 }],
                "securityContext": {
                    "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] }, "runAsNonRoot": true,
                    "readOnlyRootFilesystem": true, "seccompProfile": { "type": "RuntimeDefault" },
                },
                "volumeMounts": [{ "name": "config", "mountPath": "/etc/mcp" }, { "name": "tmp", "mountPath": "/tmp" }],
            }],
        })
    );
    assert_eq!(
        completed["metadata"]["labels"],
        json!({
            "app.kubernetes.io/component": "mcp-server", "app.kubernetes.io/part-of": "litellm",
            "app.kubernetes.io/version": "1.0.0",
        })
    );
}

#[test]
fn a_complete_object_stays_as_it_is() {
    let settings = json!({ "defaultResources": { "limits": { "cpu": "1" } }, "labels": { "cost-centre": "7" } });
    for (object, stage) in [
        (deployment(), Stage::Reconcile),
        (
            json!({ "kind": "ServiceAccount", "metadata": {} }),
            Stage::Reconcile,
        ),
        (
            json!({ "kind": "MCPServer", "metadata": {}, "spec": {} }),
            Stage::Admission,
        ),
    ] {
        let once = complete(settings.clone(), object.clone(), stage);
        assert_ne!(once, object);
        assert_eq!(complete(settings.clone(), once.clone(), stage), once);
    }
}

#[test]
fn what_is_not_looked_at_would_not_have_been_changed() {
    let settings: Settings = testing::settings(json!({ "labels": { "cost-centre": "7" } }));
    assert!(!Compliance::is_concerned(&settings, Stage::Admission));
    let request = testing::defaulting_request(server(), Stage::Admission);
    let mut object = Object::new(json!({ "kind": "MCPServer", "metadata": {}, "spec": {} }));
    let before = object.value().clone();
    Compliance::complete(&settings, &mut object, &request);
    assert_eq!(*object.value(), before);
    // With something to complete, and for what is made of a server, it is.
    assert!(Compliance::is_concerned(&settings, Stage::Reconcile));
    let settings: Settings = testing::settings(json!({ "defaultResources": {} }));
    assert!(Compliance::is_concerned(&settings, Stage::Admission));
}

#[test]
fn values_that_are_set_are_not_overruled() {
    let mut set = deployment();
    let pod = &mut set["spec"]["template"]["spec"];
    pod["securityContext"] = json!({ "runAsUser": 1000, "seccompProfile": { "type": "Localhost", "localhostProfile": "p" } });
    pod["containers"][0]["readinessProbe"] = json!({ "tcpSocket": { "port": 8080 } });
    pod["containers"][0]["securityContext"] = json!({ "readOnlyRootFilesystem": false });
    let completed = complete(json!({}), set, Stage::Reconcile);
    let pod = &completed["spec"]["template"]["spec"];
    assert_eq!(
        pod["securityContext"]["seccompProfile"]["type"],
        "Localhost"
    );
    assert_eq!(
        pod["containers"][0]["readinessProbe"],
        json!({ "tcpSocket": { "port": 8080 } })
    );
    assert_eq!(
        pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"],
        false
    );
    assert!(pod["volumes"].is_null());
}

#[test]
fn resources_are_filled_in_where_the_setting_is_given() {
    let bare =
        json!({ "kind": "MCPServer", "spec": { "resources": { "limits": { "memory": "1Gi" } } } });
    assert_eq!(complete(json!({}), bare.clone(), Stage::Admission), bare);
    let settings = json!({ "defaultResources": {
        "requests": { "cpu": "100m", "memory": "128Mi" }, "limits": { "cpu": "500m", "memory": "512Mi" },
    } });
    assert_eq!(
        complete(settings, bare, Stage::Admission)["spec"]["resources"],
        json!({ "requests": { "cpu": "100m", "memory": "128Mi" }, "limits": { "cpu": "500m", "memory": "1Gi" } })
    );
}

/// What the user says fits nothing but itself: the other side follows.
#[test]
fn defaults_are_made_to_fit_what_the_user_says() {
    let defaults = json!({ "defaultResources": {
        "requests": { "cpu": "100m", "memory": "128Mi" }, "limits": { "cpu": "500m", "memory": "512Mi" },
    } });
    for (said, made) in [
        (
            json!({ "limits": { "cpu": "50m", "memory": "64Mi" } }),
            json!({ "requests": { "cpu": "50m", "memory": "64Mi" }, "limits": { "cpu": "50m", "memory": "64Mi" } }),
        ),
        (
            json!({ "requests": { "cpu": 2, "memory": "1Gi" } }),
            json!({ "requests": { "cpu": 2, "memory": "1Gi" }, "limits": { "cpu": 2, "memory": "1Gi" } }),
        ),
        (
            json!({ "limits": { "cpu": 0.05 }, "requests": { "memory": "600Mi" } }),
            json!({ "requests": { "cpu": 0.05, "memory": "600Mi" }, "limits": { "cpu": 0.05, "memory": "600Mi" } }),
        ),
    ] {
        let server = json!({ "kind": "MCPServer", "spec": { "resources": said } });
        let completed = complete(defaults.clone(), server, Stage::Admission);
        assert_eq!(completed["spec"]["resources"], made, "{said}");
    }
}

/// A server without probes is one that said so: whether it needs any is not a matter of compliance.
#[test]
fn no_probe_is_added() {
    let mut without = deployment();
    without["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] =
        json!({ "tcpSocket": { "port": "http" } });
    let completed = complete(json!({}), without, Stage::Reconcile);
    let container = &completed["spec"]["template"]["spec"]["containers"][0];
    assert!(container["livenessProbe"].is_null(), "{container}");
    assert!(container["startupProbe"].is_null(), "{container}");
}

#[test]
fn each_default_can_be_switched_off() {
    let completed = complete(
        json!({ "disabled": ["pod-security", "read-only-root", "service-account-token", "standard-labels"] }),
        deployment(),
        Stage::Reconcile,
    );
    assert_eq!(completed, deployment());
    let settings = testing::settings::<Settings>(json!({ "disabled": ["probe"] }));
    assert_eq!(settings.check()[0].field, "disabled[0]");
    let settings = testing::settings::<Settings>(json!({ "defaultResources": {
        "requests": { "cpu": "1", "memory": "64Mi" }, "limits": { "cpu": "500m", "memory": "64Mi" },
    } }));
    let found = settings.check();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].field, "defaultResources.requests[cpu]");
}

/// A value at a place, or nothing.
fn maybe(values: &'static [&'static str]) -> impl Strategy<Value = Option<Value>> {
    let value = prop::sample::select(values).prop_map(|text| serde_json::from_str(text).unwrap());
    prop::option::of(value)
}

/// A Deployment in which any of the defaults may already be set.
fn any_deployment() -> impl Strategy<Value = Value> {
    let pod = (
        maybe(&[
            "{}",
            r#"{"runAsNonRoot":false}"#,
            r#"{"seccompProfile":{"type":"Unconfined"}}"#,
        ]),
        maybe(&["true", "false"]),
        maybe(&[
            "[]",
            r#"[{"name":"tmp","emptyDir":{}}]"#,
            r#"[{"name":"data","emptyDir":{}}]"#,
        ]),
    );
    let container = (
        maybe(&[
            "{}",
            r#"{"readOnlyRootFilesystem":false}"#,
            r#"{"capabilities":{"add":["NET_BIND_SERVICE"]}}"#,
        ]),
        maybe(&[
            "[]",
            r#"[{"name":"data","mountPath":"/tmp"}]"#,
            r#"[{"name":"tmp","mountPath":"/tmp"}]"#,
        ]),
        maybe(&[r#"{"tcpSocket":{"port":1}}"#]),
        maybe(&["[]", r#"[{"name":"http"}]"#, r#"[{"containerPort":1}]"#]),
    );
    (pod, container).prop_map(
        |((security, token, volumes), (own, mounts, probe, ports))| {
            let mut deployment = deployment();
            let pod = &mut deployment["spec"]["template"]["spec"];
            for (member, value) in [
                ("securityContext", security),
                ("automountServiceAccountToken", token),
                ("volumes", volumes),
            ] {
                pod.as_object_mut()
                    .unwrap()
                    .extend(value.map(|value| (member.to_owned(), value)));
            }
            for (member, value) in [
                ("securityContext", own),
                ("volumeMounts", mounts),
                ("livenessProbe", probe),
                ("ports", ports),
            ] {
                let container = pod["containers"][0].as_object_mut().unwrap();
                container.extend(value.map(|value| (member.to_owned(), value)));
            }
            deployment
        },
    )
}

/// Whether a document contains everything of another one: members and items are only added.
fn keeps(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => before
            .iter()
            .all(|(name, value)| after.get(name).is_some_and(|after| keeps(value, after))),
        (Value::Array(before), Value::Array(after)) => {
            before.len() <= after.len()
                && before
                    .iter()
                    .zip(after)
                    .all(|(one, other)| keeps(one, other))
        }
        (before, after) => before == after,
    }
}

proptest! {
    #[test]
    fn any_deployment_is_completed_once_and_never_overruled(before in any_deployment()) {
        let once = complete(json!({}), before.clone(), Stage::Reconcile);
        prop_assert!(keeps(&before, &once), "{before} became {once}");
        prop_assert_eq!(&complete(json!({}), once.clone(), Stage::Reconcile), &once);
    }
}

/// It has no pod that could have any, and would be refused for what it did not ask for.
#[test]
fn a_remote_server_gets_no_resources() {
    let remote = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "metadata": { "name": "a" },
        "spec": { "remote": { "url": "https://mcp.example.com/mcp" } },
    });
    let settings = json!({ "defaultResources": { "limits": { "cpu": "1", "memory": "1Gi" } } });
    assert_eq!(complete(settings, remote.clone(), Stage::Admission), remote);
}
