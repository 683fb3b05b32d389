use serde_json::json;

use super::*;

fn desired() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "mcp-a", "namespace": "tools", "labels": { "app": "a" } },
        "spec": {
            "replicas": 2,
            "template": { "spec": { "containers": [{
                "name": "server", "image": "acme:1",
                "resources": { "limits": { "cpu": "0.5" } },
                "ports": [{ "containerPort": 8080, "protocol": "TCP" }],
                "command": ["serve"],
            }] } },
        },
    })
}

/// As an API server would store it: defaults, a sidecar and labels of others, a canonical quantity.
fn live() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "mcp-a", "namespace": "tools", "uid": "1", "labels": { "app": "a", "human": "was here" },
            "managedFields": [
                { "manager": "kubectl-edit", "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": {} },
                { "manager": "mcp-operator", "operation": "Apply", "apiVersion": "apps/v1", "subresource": "status", "fieldsV1": {} },
                { "manager": "mcp-operator", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": {
                    "f:metadata": { "f:labels": { "f:app": {} } },
                    "f:spec": {
                        "f:replicas": {},
                        "f:template": { "f:spec": { "f:containers": { "k:{\"name\":\"server\"}": {
                            ".": {}, "f:name": {}, "f:image": {}, "f:command": {},
                            "f:resources": { "f:limits": { "f:cpu": {} } },
                            "f:ports": { "k:{\"containerPort\":8080,\"protocol\":\"TCP\"}": { ".": {}, "f:containerPort": {}, "f:protocol": {} } },
                        } } } },
                    },
                } },
            ],
        },
        "spec": {
            "replicas": 2, "progressDeadlineSeconds": 600,
            "template": { "spec": { "containers": [
                { "name": "injected", "image": "mesh:1" },
                {
                    "name": "server", "image": "acme:1", "imagePullPolicy": "IfNotPresent",
                    "resources": { "limits": { "cpu": "500m" } },
                    "ports": [{ "containerPort": 8080, "protocol": "TCP" }],
                    "command": ["serve"],
                },
            ] } },
        },
    })
}

fn changes(desired: &Value, live: &Value) -> bool {
    !differences(desired, live, "mcp-operator").is_empty()
}

fn paths(desired: &Value, live: &Value) -> Vec<String> {
    let found = differences(desired, live, "mcp-operator");
    found.into_iter().map(|found| found.path).collect()
}

#[test]
fn fields_of_others_do_not_count() {
    assert!(!changes(&desired(), &live()));
}

/// The API server writes quantities in their shortest form.
#[test]
fn a_size_limit_in_another_spelling_is_the_same() {
    let volumes = |limit: &str| json!([{ "name": "dir", "emptyDir": { "sizeLimit": limit } }]);
    let (mut wanted, mut stored) = (desired(), live());
    wanted["spec"]["template"]["spec"]["volumes"] = volumes("1024Mi");
    stored["spec"]["template"]["spec"]["volumes"] = volumes("1Gi");
    stored["metadata"]["managedFields"][2]["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:volumes"] = json!({ "k:{\"name\":\"dir\"}": { ".": {}, "f:name": {}, "f:emptyDir": { "f:sizeLimit": {} } } });
    assert_eq!(paths(&wanted, &stored), [""; 0]);
    wanted["spec"]["template"]["spec"]["volumes"] = volumes("2Gi");
    assert!(changes(&wanted, &stored));
}

#[test]
fn an_object_that_was_never_applied_changes() {
    let mut unknown = live();
    unknown["metadata"]["managedFields"] = json!([]);
    assert!(changes(&desired(), &unknown));
    assert!(!differences(&desired(), &live(), "somebody-else").is_empty());
}

#[test]
fn another_value_changes() {
    let mut wanted = desired();
    wanted["spec"]["replicas"] = json!(3);
    assert!(changes(&wanted, &live()));
    let mut wanted = desired();
    wanted["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["serve", "--fast"]);
    assert!(changes(&wanted, &live()));
    let mut wanted = desired();
    wanted["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("1");
    assert!(changes(&wanted, &live()));
}

#[test]
fn a_further_field_and_a_missing_field_change() {
    let mut wanted = desired();
    wanted["metadata"]["labels"]["team"] = json!("a");
    assert!(changes(&wanted, &live()));
    let mut wanted = desired();
    wanted["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([]);
    assert!(changes(&wanted, &live()));
    let mut wanted = desired();
    wanted["spec"].as_object_mut().unwrap().remove("replicas");
    assert!(changes(&wanted, &live()));
}

#[test]
fn a_field_that_somebody_took_over_changes() {
    let mut taken_over = live();
    let fields = &mut taken_over["metadata"]["managedFields"][2]["fieldsV1"]["f:spec"];
    fields.as_object_mut().unwrap().remove("f:replicas");
    assert!(changes(&desired(), &taken_over));
}

#[test]
fn a_text_that_looks_like_a_quantity_is_a_text_elsewhere() {
    let mut wanted = desired();
    wanted["metadata"]["labels"]["app"] = json!("1");
    let mut stored = live();
    stored["metadata"]["labels"]["app"] = json!("1000m");
    assert!(changes(&wanted, &stored));
}

#[test]
fn nulls_are_removed() {
    let mut value = json!({ "a": null, "b": [{ "c": null, "d": 1 }] });
    without_nulls(&mut value);
    assert_eq!(value, json!({ "b": [{ "d": 1 }] }));
}

#[test]
fn nulls_that_were_there_before_stay() {
    let before = json!({ "a": null, "list": [{ "b": null }, { "c": null, "d": 1 }] });
    let mut after = json!({
        "a": null,
        "new": null,
        "list": [{ "e": null, "f": 2 }, { "c": null, "d": 3 }, { "b": null }],
    });
    without_new_nulls(&before, &mut after);
    let list = json!([{ "f": 2 }, { "c": null, "d": 3 }, { "b": null }]);
    assert_eq!(after, json!({ "a": null, "list": list }));
}

/// The API server leaves out a probe's `initialDelaySeconds: 0`, and yet the manager owns it.
#[test]
fn zero_is_left_out_by_the_api_server() {
    let mut wanted = desired();
    wanted["spec"]["minReadySeconds"] = json!(0);
    let mut stored = live();
    stored["metadata"]["managedFields"][2]["fieldsV1"]["f:spec"]["f:minReadySeconds"] = json!({});
    assert!(!changes(&wanted, &stored));
    wanted["spec"]["minReadySeconds"] = json!(1);
    assert!(changes(&wanted, &stored));
}

#[test]
fn owned_fields_are_found_by_their_path() {
    assert!(owns(&live(), "mcp-operator", &["spec", "replicas"]));
    assert!(!owns(&live(), "mcp-operator", &["spec", "paused"]));
    assert!(!owns(&live(), "somebody-else", &["spec", "replicas"]));
}

#[test]
fn every_difference_is_named_by_its_path() {
    let mut wanted = desired();
    wanted["metadata"]["labels"] = json!({ "team": "x" });
    wanted["spec"]["template"]["spec"]["containers"][0]["image"] = json!("acme:2");
    wanted["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("1");
    assert_eq!(
        paths(&wanted, &live()),
        [
            ".metadata.labels.team",
            ".metadata.labels.app",
            ".spec.template.spec.containers[name=server].image",
            ".spec.template.spec.containers[name=server].resources.limits.cpu",
        ]
    );
    let found = differences(&wanted, &live(), "mcp-operator");
    assert_eq!(found[2].live, "acme:1");
}
