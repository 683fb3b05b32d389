use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn server(spec: Value) -> ValidatedServer {
    named_server("github", spec)
}

fn named_server(name: &str, spec: Value) -> ValidatedServer {
    let mut spec = spec;
    spec["image"] = json!({ "repository": "ghcr.io/acme/mcp-github", "tag": "1.0.0" });
    let server = serde_json::from_value(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": {
            "name": name, "namespace": "tools", "uid": "8f2b",
            "labels": { "team": "platform", "app.kubernetes.io/instance": "argo" },
        },
        "spec": spec,
    }))
    .unwrap();
    ValidatedServer::parse(&server).unwrap()
}

fn built(spec: Value) -> Objects<Built> {
    objects(&server(spec), &Settings::default()).unwrap()
}

fn find(objects: &Objects<Built>, kind: ManagedKind) -> Option<&Value> {
    let found = objects.iter().find(|manifest| manifest.kind == kind);
    found.map(|manifest| &manifest.object)
}

fn env(objects: &Objects<Built>) -> Vec<Value> {
    find(objects, ManagedKind::Deployment).unwrap()["spec"]["template"]["spec"]["containers"][0]["env"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

#[test]
fn the_smallest_server() {
    let objects = built(json!({}));
    insta::assert_yaml_snapshot!(objects.values().collect::<Vec<_>>());
}

#[test]
fn a_server_with_everything() {
    let objects = built(json!({
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
            "metrics": { "enabled": true, "port": 9090 },
            "tracing": { "enabled": true, "jaegerEndpoint": "http://jaeger.monitoring.svc.cluster.local:4317", "samplingRate": 0.5 },
            "healthProbes": { "readiness": { "path": "/up" } },
        },
        "networkPolicy": { "enabled": true, "egress": [{ "cidr": "10.0.0.0/8", "ports": [443] }, { "cidr": "192.0.2.0/24" }] },
    }));
    insta::assert_yaml_snapshot!(objects.values().collect::<Vec<_>>());
}

#[test]
fn a_server_that_says_what_its_pods_are() {
    let objects = built(json!({
        "sessions": "None",
        "nodeSelector": { "kubernetes.io/arch": "arm64" },
        "tolerations": [
            { "key": "pool", "value": "mcp", "effect": "NoSchedule" },
            { "key": "spot", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60 },
        ],
        "runtimeClassName": "gvisor", "priorityClassName": "tools",
        "strategy": { "maxSurge": 0 },
        "securityContext": { "runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000 },
        "emptyDirs": [{ "mountPath": "/home/node", "sizeLimit": "256Mi" }, { "mountPath": "/var/cache" }],
        "serviceAccountName": "reader", "automountServiceAccountToken": true,
        "observability": { "healthProbes": {
            "startup": { "failureThreshold": 90 },
            "liveness": { "type": "None" },
            "readiness": { "path": "/mcp/health", "port": 9000, "headers": [{ "name": "Host", "value": "localhost" }] },
        } },
    }));
    let all = [ManagedKind::Service, ManagedKind::Deployment]
        .map(|kind| find(&objects, kind).unwrap()["spec"].clone());
    insta::assert_yaml_snapshot!(all);
    let account = find(&objects, ManagedKind::ServiceAccount).unwrap();
    assert_eq!(
        account["metadata"]["name"], "mcp-github",
        "pods of the template before may still need it"
    );
}

#[test]
fn another_order_of_the_folders_replaces_no_pods() {
    let template = |paths: [&str; 2]| {
        let objects = built(json!({ "emptyDirs": paths.map(|path| json!({ "mountPath": path })) }));
        find(&objects, ManagedKind::Deployment).unwrap()["spec"]["template"].clone()
    };
    assert_eq!(template(["/a", "/b"]), template(["/b", "/a"]));
    assert_ne!(template(["/a", "/b"]), template(["/b", "/c"]));
}

#[test]
fn a_rollout_never_has_too_few_pods_unless_it_may_have_no_more() {
    let rolling = |spec: Value| {
        let objects = built(spec);
        let strategy = &find(&objects, ManagedKind::Deployment).unwrap()["spec"]["strategy"];
        (
            strategy["rollingUpdate"]["maxSurge"].clone(),
            strategy["rollingUpdate"]["maxUnavailable"].clone(),
        )
    };
    for (spec, wanted) in [
        (json!({}), (json!(1), json!(0))),
        (
            json!({ "affinity": { "podAntiAffinity": "required" } }),
            (json!(1), json!(1)),
        ),
        (
            json!({ "strategy": { "maxSurge": 0 } }),
            (json!(0), json!(1)),
        ),
        (
            json!({ "strategy": { "maxSurge": "0%" } }),
            (json!("0%"), json!(1)),
        ),
        (
            json!({ "strategy": { "maxSurge": "50%" } }),
            (json!("50%"), json!(0)),
        ),
        (
            json!({ "strategy": { "maxUnavailable": "25%" } }),
            (json!(1), json!("25%")),
        ),
        (
            json!({ "strategy": { "type": "Recreate" } }),
            (Value::Null, Value::Null),
        ),
    ] {
        assert_eq!(rolling(spec.clone()), wanted, "{spec}");
    }
}

#[test]
fn a_node_selector_names_labels() {
    let longest = "a".repeat(63);
    for (key, good) in [
        ("pool", true),
        ("kubernetes.io/arch", true),
        ("node.kubernetes.io/instance-type", true),
        (longest.as_str(), true),
        ("", false),
        ("/arch", false),
        ("a/b/c", false),
        ("Kubernetes.io/arch", false),
        ("-pool", false),
        ("pool of mine", false),
        (&format!("{longest}a"), false),
    ] {
        let errors = node_selector_errors([&key.to_owned()]);
        assert_eq!(errors.is_empty(), good, "{key}: {errors:?}");
    }
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
        // Kubernetes rounds up.
        json!({ "podDisruptionBudget": { "minAvailable": "51%" } }),
        json!({ "podDisruptionBudget": { "maxUnavailable": "0%" } }),
        json!({ "replicas": 3, "podDisruptionBudget": { "minAvailable": "67%" } }),
    ] {
        assert_eq!(budget(blocking.clone()), None, "{blocking}");
    }
    for allowed in [
        json!({ "podDisruptionBudget": { "minAvailable": "50%" } }),
        json!({ "replicas": 3, "podDisruptionBudget": { "minAvailable": "66%" } }),
        json!({ "podDisruptionBudget": { "maxUnavailable": "1%" } }),
    ] {
        let made = budget(allowed.clone());
        assert_eq!(
            made.unwrap()["spec"]["unhealthyPodEvictionPolicy"],
            "AlwaysAllow",
            "{allowed}"
        );
    }
    assert!(
        budget(json!({ "replicas": 1, "autoscaling": { "minReplicas": 2, "maxReplicas": 4 } }))
            .is_some()
    );
}

#[test]
fn an_autoscaler_without_targets_goes_by_cpu() {
    let metrics = |spec: Value| {
        let objects = built(spec);
        let metrics =
            find(&objects, ManagedKind::HorizontalPodAutoscaler).unwrap()["spec"]["metrics"]
                .clone();
        let measured = |metric: &Value| {
            (
                metric["containerResource"]["name"].clone(),
                metric["containerResource"]["target"]["averageUtilization"].clone(),
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
fn a_network_policy_is_made_only_where_it_is_enabled() {
    assert_eq!(
        find(
            &built(json!({ "networkPolicy": { "enabled": false } })),
            ManagedKind::NetworkPolicy
        ),
        None
    );
    let objects = built(json!({ "networkPolicy": { "enabled": true } }));
    let spec = &find(&objects, ManagedKind::NetworkPolicy).unwrap()["spec"];
    assert_eq!(
        spec["ingress"].as_array().unwrap().len(),
        1,
        "metrics are off"
    );
    assert_eq!(spec["egress"].as_array().unwrap().len(), 1, "DNS only");
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

/// A template without a value leaves an empty text.
#[test]
fn an_empty_key_fetches_nothing() {
    let secret = json!({ "name": "token", "awsSecretKey": "", "optional": true });
    let objects = built(json!({ "secrets": [secret] }));
    assert_eq!(find(&objects, ManagedKind::ExternalSecret), None);
}

#[test]
fn secrets_with_the_same_suffix_do_not_share_an_object() {
    let names = ["a-b", "a_b", "A-B", "c"];
    let secrets: Vec<_> = names
        .iter()
        .map(|name| json!({ "name": name, "awsSecretKey": name, "envVar": format!("V{}", name.len()), "optional": true }))
        .collect();
    let objects = built(json!({ "secrets": secrets }));
    let made: Vec<&str> = objects
        .iter()
        .filter(|manifest| manifest.kind == ManagedKind::ExternalSecret)
        .map(Manifest::name)
        .collect();
    assert_eq!(made.len(), 4, "{made:?}");
    for readable in ["mcp-github-secrets-a-b", "mcp-github-secrets-c"] {
        assert!(made.contains(&readable), "{made:?}");
    }
}

/// `config.path` is about the MCP server; as `PATH` it would keep the program from being found.
#[test]
fn configuration_never_becomes_a_reserved_variable() {
    let objects = built(
        json!({ "config": { "path": "/v1", "home": "x", "ldPreload": "y", "pathPrefix": "p" } }),
    );
    let names: Vec<_> = env(&objects)
        .iter()
        .map(|variable| variable["name"].clone())
        .collect();
    assert_eq!(names, ["PATH_PREFIX"]);
    let data = &find(&objects, ManagedKind::ConfigMap).unwrap()["data"];
    assert_eq!(data.as_object().unwrap().len(), 2, "{data}");
    let file = data["config.yaml"].as_str().unwrap();
    assert!(
        file.contains("path: /v1") && file.contains("home: x"),
        "{file}"
    );
}

/// The error names the field that the user wrote, not the ConfigMap that the API server would refuse.
#[test]
fn configuration_that_no_config_map_holds_is_an_error() {
    let errors = |config: Value| {
        let found = config_file(config.as_object().unwrap()).err();
        let found = found.unwrap_or_default();
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(
        errors(json!({ "": 1 })),
        [
            "spec.config: Invalid value: a name must not be empty: environment variables are named after it"
        ]
    );
    let (fits, long) = ("a".repeat(253), "a".repeat(254));
    assert_eq!(errors(json!({ fits: 1 })), none);
    let too_long = |name: &str, length: usize| {
        format!(
            "spec.config: Invalid value: the environment variable of {name} would be named with {length} characters, of which a key of a ConfigMap has at most 253: give it a shorter name"
        )
    };
    assert_eq!(errors(json!({ (&*long): true })), [too_long(&long, 254)]);
    // `aBaB` becomes `A_BA_B`.
    let grows = "aB".repeat(100);
    assert_eq!(errors(json!({ (&*grows): "x" })), [too_long(&grows, 300)]);
    assert_eq!(errors(json!({ long: {} })), none, "it is in the file only");

    // A text at the top level is in the file and in a variable.
    let text = "x".repeat(75_000);
    let twice = errors(json!({ "a": text, "b": text }));
    assert_eq!(twice.len(), 1);
    assert!(
        twice[0].starts_with("spec.config: Too long: its ConfigMap would hold 300008 bytes"),
        "{}",
        twice[0]
    );
    assert_eq!(errors(json!({ "a": [text], "b": [text] })), none);
}

#[test]
fn traces_go_out_in_the_protocol_of_the_port_to_a_service_however_it_is_spelt() {
    for (endpoint, protocol, namespace, port) in [
        (
            "http://otel.monitoring:4318",
            "http/protobuf",
            "monitoring",
            4318,
        ),
        (
            "http://otel.monitoring.svc:4317",
            "grpc",
            "monitoring",
            4317,
        ),
        (
            "http://otel.monitoring.svc.cluster.local.:4317/",
            "grpc",
            "monitoring",
            4317,
        ),
        ("http://otel", "http/protobuf", "tools", 4318),
    ] {
        let objects = built(json!({
            "networkPolicy": { "enabled": true },
            "observability": { "tracing": { "enabled": true, "jaegerEndpoint": endpoint } },
        }));
        let egress = &find(&objects, ManagedKind::NetworkPolicy).unwrap()["spec"]["egress"][1];
        let labels = &egress["to"][0]["namespaceSelector"]["matchLabels"];
        assert_eq!(
            labels["kubernetes.io/metadata.name"], namespace,
            "{endpoint}"
        );
        assert_eq!(egress["ports"][0]["port"], port, "{endpoint}");
        let value = |name: &str| {
            let variables = env(&objects);
            let found = variables.iter().find(|variable| variable["name"] == name);
            found.unwrap()["value"].clone()
        };
        assert_eq!(value("OTEL_EXPORTER_OTLP_PROTOCOL"), protocol, "{endpoint}");
        assert_eq!(value("OTEL_RESOURCE_ATTRIBUTES"), "service.namespace=tools");
    }
}

#[test]
fn every_object_keeps_its_owner_until_it_is_gone() {
    for manifest in &built(json!({ "config": { "a": 1 }, "networkPolicy": { "enabled": true } })) {
        let owner = &manifest.object["metadata"]["ownerReferences"][0];
        assert_eq!(
            owner["blockOwnerDeletion"],
            true,
            "{}",
            manifest.kind.name()
        );
    }
}

#[test]
fn changed_configuration_replaces_the_pods() {
    let template = |config: Value| {
        let objects = built(json!({ "config": config }));
        let map = find(&objects, ManagedKind::ConfigMap).unwrap();
        let (name, immutable) = (&map["metadata"]["name"], &map["immutable"]);
        let template = &find(&objects, ManagedKind::Deployment).unwrap()["spec"]["template"];
        assert_eq!(template["spec"]["volumes"][0]["configMap"]["name"], *name);
        assert!(name.as_str().unwrap().starts_with("mcp-github-"), "{name}");
        assert_eq!(*immutable, true);
        template.clone()
    };
    let first = template(json!({ "a": 1 }));
    assert_eq!(first, template(json!({ "a": 1 })));
    assert_ne!(first, template(json!({ "a": 2 })));
    // Only in the file.
    assert_ne!(template(json!({ "a": [1] })), template(json!({ "a": [2] })));
}

/// ToolHive wrote the same object thousands of times a minute because lists followed the order of a
/// hash map (stacklok/toolhive#4783).
/// Roles are read from the ServiceAccount when a pod is made, so that pods of the old one would go on with that.
#[test]
fn another_role_replaces_the_pods() {
    let template = |spec: Value| {
        let objects = built(spec);
        find(&objects, ManagedKind::Deployment).unwrap()["spec"]["template"].clone()
    };
    let role = |name: &str| json!({ "aws": { "iamRole": format!("arn:aws:iam::123456789012:role/{name}") } });
    assert_eq!(template(role("one")), template(role("one")));
    assert_ne!(template(role("one")), template(role("two")));
    assert_ne!(template(role("one")), template(json!({})));
}

#[test]
fn variables_of_services_are_no_variables_of_pods() {
    let objects = built(json!({}));
    let pod = &find(&objects, ManagedKind::Deployment).unwrap()["spec"]["template"]["spec"];
    assert_eq!(pod["enableServiceLinks"], false);
}

/// As Kubernetes expands them.
#[test]
fn a_variable_may_refer_to_a_secret() {
    let objects = built(json!({
        "secrets": [{ "name": "token", "awsSecretKey": "tools/token", "envVar": "MCP_TOKEN" }],
        "env": [{ "name": "AUTH_HEADER", "value": "Bearer $(MCP_TOKEN)" }],
    }));
    let names: Vec<Value> = env(&objects)
        .into_iter()
        .map(|mut variable| variable["name"].take())
        .collect();
    assert_eq!(names, ["MCP_TOKEN", "AUTH_HEADER"]);
}

#[test]
fn a_text_that_no_program_could_be_started_with_is_no_variable() {
    let config = |value: Value| match json!({ "prompt": value }) {
        Value::Object(config) => config_map::file(&config),
        _ => unreachable!(),
    };
    let text = "a".repeat(100 << 10);
    let errors = config(json!(text)).unwrap_err();
    assert_eq!(errors.len(), 1);
    let error = errors[0].to_string();
    assert!(
        error.contains("prompt has 102400 bytes") && error.contains("one level deeper"),
        "{error}"
    );
    config(json!({ "system": text })).unwrap();
}

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

#[test]
fn a_configuration_has_a_quarter_of_a_config_map() {
    let config = json!({ "a": ["x".repeat(256 << 10)] });
    let found = config_file(config.as_object().unwrap()).unwrap_err();
    assert_eq!((found.len(), found[0].code.as_str()), (1, "config-size"));
    let config = json!({ "a": ["x".repeat(255 << 10)] });
    assert!(config_file(config.as_object().unwrap()).is_ok());
}

#[test]
fn a_network_policy_never_opens_metadata() {
    let egress = json!([{ "cidr": "0.0.0.0/0" }, { "cidr": "10.0.0.0/8" }]);
    let objects = built(json!({ "networkPolicy": { "enabled": true, "egress": egress } }));
    let policy = find(&objects, ManagedKind::NetworkPolicy).unwrap();
    let blocks: Vec<&Value> = policy["spec"]["egress"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| &rule["to"][0]["ipBlock"])
        .filter(|block| !block.is_null())
        .collect();
    let metadata = ["169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32"];
    assert_eq!(
        json!(blocks),
        json!([{ "cidr": "0.0.0.0/0", "except": metadata }, { "cidr": "10.0.0.0/8" }])
    );
}

/// With a time in it, an object would change in every reconcile.
#[test]
fn timestamps_are_in_no_object() {
    let now = jiff::Timestamp::now().to_string();
    let today = now.split('T').next().unwrap();
    for manifest in
        &built(json!({ "config": { "a": 1 }, "secrets": [{ "name": "z", "awsSecretKey": "k" }] }))
    {
        let text = manifest.object.to_string();
        assert!(
            !text.contains(today) && !text.contains("Timestamp"),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn configuration_without_an_error_has_keys_that_the_api_takes(
        names in prop::collection::vec("\\PC{0,12}|[a-zA-Z]{240,260}", 0..6),
    ) {
        let config: serde_json::Map<String, Value> =
            names.into_iter().map(|name| (name, json!(1))).collect();
        prop_assume!(config_file(&config).is_ok());
        let objects = built(json!({ "config": config }));
        let data = find(&objects, ManagedKind::ConfigMap).map(|map| map["data"].clone());
        let keys: Vec<String> = data.iter().flat_map(|data| data.as_object().unwrap().keys().cloned()).collect();
        let is_key = |key: &String| {
            let is_known = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
            (1..=253).contains(&key.len()) && key.chars().all(is_known)
        };
        prop_assert!(keys.iter().all(is_key), "{keys:?}");
    }

    #[test]
    fn every_specification_gives_objects_with_names_that_the_api_takes(
        name in "[a-z]([-a-z0-9]{0,48}[a-z0-9])?",
        config in prop::collection::btree_map("[a-zA-Z0-9_. -]{1,12}", "[ -~]{0,12}", 0..4),
        secrets in prop::collection::vec(("[-._a-zA-Z0-9]{1,20}", any::<bool>()), 0..3),
    ) {
        let secrets: Vec<_> = secrets.iter().map(|(name, optional)| json!({ "name": name, "optional": optional, "awsSecretKey": "a/b" })).collect();
        let server = named_server(&name, json!({ "config": config, "secrets": secrets }));
        for manifest in &objects(&server, &Settings::default()).unwrap() {
            prop_assert!(manifest.name().len() <= 63);
            for value in manifest.object["metadata"]["labels"].as_object().unwrap().values() {
                prop_assert!(value.as_str().unwrap().len() <= 63);
            }
        }
    }
}
