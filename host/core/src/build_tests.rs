use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn server(spec: Value) -> McpServer {
    let mut spec = spec;
    spec["image"] = json!({ "repository": "ghcr.io/acme/mcp-github", "tag": "1.0.0" });
    serde_json::from_value(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": {
            "name": "github", "namespace": "tools", "uid": "8f2b",
            "labels": { "team": "platform", "app.kubernetes.io/instance": "argo" },
        },
        "spec": spec,
    }))
    .unwrap()
}

fn built(spec: Value) -> Vec<Manifest> {
    objects(&server(spec), &Settings::default())
}

fn find(objects: &[Manifest], kind: ManagedKind) -> Option<&Value> {
    objects
        .iter()
        .find(|manifest| manifest.kind == kind)
        .map(|manifest| &manifest.object)
}

fn env(objects: &[Manifest]) -> Vec<Value> {
    find(objects, ManagedKind::Deployment).unwrap()["spec"]["template"]["spec"]["containers"][0]["env"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

use crate::manifest::ManagedKind;

#[test]
fn the_smallest_server() {
    insta::assert_yaml_snapshot!(yaml(&built(json!({}))));
}

#[test]
fn a_server_with_everything() {
    insta::assert_yaml_snapshot!(yaml(&built(json!({
        "type": "external-saas", "transport": "http", "replicas": 3, "port": 9000,
        "command": ["/serve"], "args": ["--fast"], "terminationGracePeriodSeconds": 60,
        "affinity": { "podAntiAffinity": "required", "zoneSpread": "required" },
        "resources": { "requests": { "cpu": "100m" }, "limits": { "cpu": 1, "memory": "512Mi" } },
        "config": { "githubOrg": "acme", "maxSearchResults": 100, "nested": { "list": [1, "two"] } },
        "env": [{ "name": "LOG_LEVEL", "value": "debug" }],
        "imagePullSecrets": [{ "name": "registry" }],
        "secrets": [
            { "name": "github-token", "awsSecretKey": "mcp/github/token" },
            { "name": "github-app-id", "awsSecretKey": "mcp/github/app-id", "optional": true },
        ],
        "aws": { "iamRole": "arn:aws:iam::123456789012:role/mcp-github" },
        "podDisruptionBudget": { "maxUnavailable": "50%" },
        "observability": {
            "metrics": { "port": 9090 },
            "tracing": { "enabled": true, "jaegerEndpoint": "http://jaeger.monitoring.svc.cluster.local:4317", "samplingRate": 0.5 },
            "healthProbes": { "readiness": { "path": "/up" } },
        },
        "networkPolicy": { "enabled": true, "egress": [{ "cidr": "10.0.0.0/8", "ports": [443] }, { "cidr": "192.0.2.0/24" }] },
    }))));
}

fn yaml(objects: &[Manifest]) -> Vec<&Value> {
    objects.iter().map(|manifest| &manifest.object).collect()
}

#[test]
fn without_configuration_there_is_no_config_map() {
    let objects = built(json!({}));
    assert_eq!(find(&objects, ManagedKind::ConfigMap), None);
    assert!(
        find(&objects, ManagedKind::Deployment).unwrap()["spec"]["template"]["spec"]["volumes"]
            .is_null()
    );
}

#[test]
fn a_budget_that_blocks_every_drain_is_not_made() {
    let budget = |spec: Value| find(&built(spec), ManagedKind::PodDisruptionBudget).cloned();
    assert!(budget(json!({})).is_some());
    for blocking in [
        json!({ "replicas": 1 }),
        json!({ "podDisruptionBudget": { "enabled": false } }),
        json!({ "podDisruptionBudget": { "minAvailable": 2 } }),
        json!({ "podDisruptionBudget": { "maxUnavailable": 0 } }),
        json!({ "podDisruptionBudget": { "minAvailable": "100%" } }),
    ] {
        assert_eq!(budget(blocking.clone()), None, "{blocking}");
    }
    assert!(
        budget(json!({ "replicas": 1, "autoscaling": { "minReplicas": 2, "maxReplicas": 4 } }))
            .is_some()
    );
}

#[test]
fn load_is_measured_as_the_user_says_and_by_cpu_otherwise() {
    let metrics = |spec: Value| {
        let objects = built(spec);
        let metrics =
            find(&objects, ManagedKind::HorizontalPodAutoscaler).unwrap()["spec"]["metrics"]
                .clone();
        let measured = |metric: &Value| {
            (
                metric["resource"]["name"].clone(),
                metric["resource"]["target"]["averageUtilization"].clone(),
            )
        };
        metrics
            .as_array()
            .unwrap()
            .iter()
            .map(measured)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        metrics(json!({ "autoscaling": { "maxReplicas": 4 } })),
        [(json!("cpu"), json!(80))]
    );
    assert_eq!(
        metrics(
            json!({ "autoscaling": { "maxReplicas": 4, "targetMemoryUtilizationPercentage": 70 } })
        ),
        [(json!("memory"), json!(70))]
    );
    assert_eq!(
        find(&built(json!({})), ManagedKind::HorizontalPodAutoscaler),
        None
    );
}

#[test]
fn a_network_policy_is_made_only_where_it_is_wanted() {
    assert_eq!(
        find(
            &built(json!({ "networkPolicy": { "enabled": false } })),
            ManagedKind::NetworkPolicy
        ),
        None
    );
    let objects = built(
        json!({ "networkPolicy": { "enabled": true }, "observability": { "metrics": { "enabled": false } } }),
    );
    let spec = &find(&objects, ManagedKind::NetworkPolicy).unwrap()["spec"];
    assert_eq!(
        spec["ingress"].as_array().unwrap().len(),
        1,
        "nobody scrapes it"
    );
    assert_eq!(spec["egress"].as_array().unwrap().len(), 1, "names only");
}

#[test]
fn a_horizontal_pod_autoscaler_owns_the_number_of_pods() {
    let objects = built(json!({ "autoscaling": { "maxReplicas": 4 } }));
    assert!(find(&objects, ManagedKind::Deployment).unwrap()["spec"]["replicas"].is_null());
}

#[test]
fn the_users_environment_wins() {
    let objects = built(json!({
        "config": { "githubOrg": "from-config" },
        "secrets": [{ "name": "token", "envVar": "GITHUB_ORG", "awsSecretKey": "k" }],
        "env": [{ "name": "GITHUB_ORG", "value": "mine" }],
    }));
    assert_eq!(
        env(&objects),
        [json!({ "name": "GITHUB_ORG", "value": "mine" })]
    );
}

#[test]
fn each_optional_secret_has_an_object_of_its_own() {
    let objects = built(json!({ "secrets": [
        { "name": "token", "awsSecretKey": "k" },
        { "name": "App_Id", "awsSecretKey": "k", "optional": true },
    ] }));
    let references: Vec<_> = env(&objects)
        .iter()
        .map(|variable| variable["valueFrom"]["secretKeyRef"].clone())
        .collect();
    assert_eq!(
        references,
        [
            json!({ "name": "mcp-github-secrets-app-id", "key": "App_Id", "optional": true }),
            json!({ "name": "mcp-github-secrets", "key": "token" }),
        ]
    );
}

#[test]
fn changed_configuration_replaces_the_pods() {
    let annotation = |spec: Value| {
        find(&built(spec), ManagedKind::Deployment).unwrap()["spec"]["template"]["metadata"]["annotations"].clone()
    };
    let first = annotation(json!({ "config": { "a": 1 } }));
    assert_eq!(first, annotation(json!({ "config": { "a": 1 } })));
    assert_ne!(first, annotation(json!({ "config": { "a": 2 } })));
}

/// ToolHive wrote the same object thousands of times a minute because lists followed the order of a
/// hash map (stacklok/toolhive#4783).
#[test]
fn toolhive_4783_the_order_of_lists_depends_on_nothing_but_the_specification() {
    let spec = json!({
        "config": { "b": 1, "a": 2, "d": 3, "c": 4 },
        "secrets": [{ "name": "z", "awsSecretKey": "k" }, { "name": "y", "awsSecretKey": "k" }],
    });
    let first = built(spec.clone());
    for _ in 0..20 {
        assert_eq!(built(spec.clone()), first);
    }
}

proptest! {
    #[test]
    fn every_specification_gives_objects_with_names_that_the_api_takes(
        name in "[a-z]([-a-z0-9]{0,48}[a-z0-9])?",
        config in prop::collection::btree_map("[a-zA-Z0-9_. -]{1,12}", "[ -~]{0,12}", 0..4),
        secrets in prop::collection::vec(("[-._a-zA-Z0-9]{1,20}", any::<bool>()), 0..3),
    ) {
        let secrets: Vec<_> = secrets.iter().map(|(name, optional)| json!({ "name": name, "optional": optional, "awsSecretKey": "a/b" })).collect();
        let mut server = server(json!({ "config": config, "secrets": secrets }));
        server.metadata.name = Some(name);
        for manifest in objects(&server, &Settings::default()) {
            prop_assert!(manifest.name().len() <= 63);
            for value in manifest.object["metadata"]["labels"].as_object().unwrap().values() {
                prop_assert!(value.as_str().unwrap().len() <= 63);
            }
        }
    }
}
