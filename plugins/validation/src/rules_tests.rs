use mcp_plugin_sdk::testing;
use mcp_plugin_sdk::{Finding, Request, Validator};
use serde_json::{Value, json};

use crate::Validation;
use crate::rules::ALL;

const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mcp-github";

fn good() -> Value {
    json!({
        "image": { "repository": ECR, "tag": "1.0.0" },
        "resources": { "limits": { "cpu": "500m", "memory": "512Mi" } },
    })
}

/// As `deploy/base` has them.
fn shipped() -> Value {
    json!({ "ecr": { "accounts": ["123456789012", "ACCOUNT_ID"] } })
}

/// The codes of all findings.
fn findings(settings: Value, spec: Value) -> Vec<String> {
    let found = Validation::validate(
        &testing::settings(settings),
        &testing::server(spec),
        &Request::default(),
    );
    found.into_iter().map(|finding| finding.code).collect()
}

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut spec = good();
    change(&mut spec);
    spec
}

#[test]
fn a_good_server_passes() {
    assert!(findings(shipped(), good()).is_empty());
}

/// A finding as `kubectl` prints it.
fn as_kubectl(finding: &Finding) -> String {
    let kind = match finding.error_type {
        "NotSupported" => "Unsupported",
        other => other,
    };
    let value = finding.bad_value.as_ref();
    let value = value.map(|value| format!(": {value}")).unwrap_or_default();
    format!(
        "{}: {kind} value{value}: {}",
        finding.field, finding.message
    )
}

/// The example of the architecture, with three more mistakes in the same manifest.
#[test]
fn all_errors_are_found_at_once() {
    let server = testing::server(json!({
        "image": { "repository": "docker.io/acme/mcp-github", "tag": "latest" },
        "replicas": 0,
        "secrets": [{ "name": "app-id", "optional": true }, { "name": "token" }, { "name": "key", "awsSecretKey": "" }],
    }));
    let found = Validation::validate(&testing::settings(shipped()), &server, &Request::default());
    assert_eq!(
        found.iter().map(as_kubectl).collect::<Vec<_>>(),
        [
            r#"spec.image.repository: Invalid value: "docker.io/acme/mcp-github": image must be from approved registry (AWS ECR or allowlisted registry)"#,
            r#"spec.image.tag: Invalid value: "latest": image tag must be specified and cannot be 'latest'"#,
            "spec.resources.limits: Required value: CPU and memory limits must be defined (OPA requirement)",
            "spec.replicas: Invalid value: 0: replicas must be at least 1",
            "spec.secrets[1].awsSecretKey: Required value: awsSecretKey is required for non-optional secrets",
            "spec.secrets[2].awsSecretKey: Required value: awsSecretKey is required for non-optional secrets",
        ]
    );
    let codes: Vec<_> = found.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "image-registry",
            "image-tag",
            "resource-limits",
            "replicas",
            "secret-key",
            "secret-key"
        ]
    );
}

#[test]
fn transports() {
    for (transport, found) in [("sse", vec!["transport-deprecated"]), ("http", vec![])] {
        let spec = with(|spec| spec["transport"] = json!(transport));
        assert_eq!(findings(shipped(), spec), found, "{transport}");
    }
}

#[test]
fn registries() {
    let passes = |settings: &Value, repository: &str| {
        findings(
            settings.clone(),
            with(|spec| spec["image"]["repository"] = json!(repository)),
        )
        .is_empty()
    };
    let approving = json!({ "ecr": { "accounts": ["123456789012", "ACCOUNT_ID", "1"] } });
    for approved in [
        ECR,
        "ACCOUNT_ID.dkr.ecr.us-east-1.amazonaws.com/mcp",
        "1.dkr.ecr.cn-north-1.amazonaws.com.cn/a/b",
    ] {
        assert!(passes(&approving, approved), "{approved}");
        // Whose account it is nobody knows.
        assert!(!passes(&json!({}), approved), "{approved}");
        assert!(
            passes(&json!({ "ecr": { "accounts": ["*"] } }), approved),
            "{approved}"
        );
    }
    for refused in [
        "docker.io/library/nginx",
        "nginx",
        "1.dkr.ecr.us-east-1.amazonaws.com.evil.io/mcp",
        "1.dkr.ecr.us-east-1.evil.amazonaws.com/mcp",
        "evil.io/1.dkr.ecr.us-east-1.amazonaws.com/mcp",
        "1.dkr.ecr.us-east-1.amazonaws.com",
        "2.dkr.ecr.us-east-1.amazonaws.com/mcp",
    ] {
        assert!(!passes(&approving, refused), "{refused}");
    }
    let own = json!({ "allowedRegistries": ["ghcr.io/acme", "registry.acme.io/"], "ecr": { "enabled": false } });
    assert!(passes(&own, "ghcr.io/acme/mcp") && passes(&own, "registry.acme.io/mcp"));
    assert!(!passes(&own, "ghcr.io/acme-evil/mcp") && !passes(&own, ECR));
    assert!(passes(&json!({ "allowedRegistries": ["*"] }), "nginx"));
    let narrow = json!({ "ecr": { "accounts": ["123456789012"], "regions": ["eu-west-1"] } });
    assert!(!passes(&narrow, ECR));
    assert!(passes(
        &narrow,
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mcp"
    ));
}

/// Anybody can have an account, so the error says how the platform approves one.
#[test]
fn an_account_that_is_not_approved_is_named() {
    let mut spec = good();
    spec["image"]["repository"] = json!("999999999999.dkr.ecr.eu-west-1.amazonaws.com/evil/mcp");
    let settings = testing::settings(shipped());
    let found = Validation::validate(&settings, &testing::server(spec), &Request::default());
    assert_eq!(
        found[0].message,
        "image must be from approved registry (AWS ECR or allowlisted registry): account 999999999999 in eu-west-1 is not in `ecr.accounts` and `ecr.regions` of this rule's settings"
    );
}

#[test]
fn tags() {
    for (image, passes) in [
        (json!({ "repository": ECR }), false),
        (json!({ "repository": ECR, "tag": "" }), false),
        (json!({ "repository": ECR, "tag": "latest" }), false),
        (json!({ "repository": ECR, "tag": "1" }), true),
        (
            json!({ "repository": ECR, "digest": format!("sha256:{}", "0".repeat(64)) }),
            true,
        ),
    ] {
        assert_eq!(
            findings(shipped(), with(|spec| spec["image"] = image.clone())).is_empty(),
            passes,
            "{image}"
        );
    }
}

#[test]
fn limits_must_be_more_than_zero() {
    for limits in [
        json!({}),
        json!({ "cpu": "1" }),
        json!({ "cpu": "0", "memory": "1Gi" }),
    ] {
        assert_eq!(
            findings(shipped(), with(|spec| spec["resources"]["limits"] = limits)).len(),
            1
        );
    }
}

#[test]
fn pods() {
    assert_eq!(
        findings(shipped(), with(|spec| spec["replicas"] = json!(0))).len(),
        1
    );
    let scaled = with(|spec| {
        spec["replicas"] = json!(0);
        spec["autoscaling"] = json!({ "maxReplicas": 3 });
    });
    assert!(findings(shipped(), scaled).is_empty());
}

#[test]
fn a_rule_can_be_switched_off() {
    let spec = with(|spec| spec["resources"] = json!({}));
    assert!(
        findings(
            json!({ "disabledRules": ["resource-limits"], "ecr": { "accounts": ["*"] } }),
            spec
        )
        .is_empty()
    );
}

#[test]
fn settings_are_validated() {
    let settings = testing::settings::<crate::Settings>(json!({
        "allowedRegistries": ["https://ghcr.io", ""], "disabledRules": ["image-tags"],
    }));
    let fields: Vec<_> = settings
        .check(&ALL.map(|rule| rule.code))
        .into_iter()
        .map(|finding| finding.field)
        .collect();
    assert_eq!(
        fields,
        [
            "allowedRegistries[0]",
            "allowedRegistries[1]",
            "disabledRules[0]"
        ]
    );
}

/// As the API server would say it of the Deployment, and in the words of the MCPServer.
#[test]
fn quantities_fit_each_other() {
    let found = |resources: Value| {
        let spec = with(|spec| spec["resources"] = resources);
        let server = testing::server(spec);
        let found =
            Validation::validate(&testing::settings(shipped()), &server, &Request::default());
        found.iter().map(as_kubectl).collect::<Vec<_>>()
    };
    let limits = json!({ "cpu": "500m", "memory": "128Mi" });
    for fitting in [
        json!({ "cpu": "500m", "memory": "131072Ki" }),
        json!({ "cpu": 0.5 }),
        json!({ "ephemeral-storage": "1Gi" }),
        json!({ "cpu": 0 }),
    ] {
        let none: [&str; 0] = [];
        assert_eq!(
            found(json!({ "requests": fitting, "limits": limits })),
            none
        );
    }
    for (requests, limit, error) in [
        (
            json!({ "cpu": "1" }),
            json!({}),
            r#"spec.resources.requests.cpu: Invalid value: "1": must be no more than spec.resources.limits.cpu, which is 500m"#,
        ),
        (
            json!({ "memory": "129Mi" }),
            json!({}),
            r#"spec.resources.requests.memory: Invalid value: "129Mi": must be no more than spec.resources.limits.memory, which is 128Mi"#,
        ),
        (
            json!({ "nvidia.com/gpu": 1 }),
            json!({}),
            r#"spec.resources.requests[nvidia.com/gpu]: Invalid value: "1": needs the same in spec.resources.limits: of nvidia.com/gpu, a pod gets what it requests"#,
        ),
        (
            json!({ "nvidia.com/gpu": 1 }),
            json!({ "nvidia.com/gpu": 2 }),
            r#"spec.resources.requests[nvidia.com/gpu]: Invalid value: "1": must be spec.resources.limits.nvidia.com/gpu, which is 2: of this resource, a pod gets what it requests"#,
        ),
        (
            json!({ "cpu": "-1" }),
            json!({}),
            r#"spec.resources.requests.cpu: Invalid value: "-1": must be a positive quantity such as 500m (CPU) or 512Mi (memory)"#,
        ),
    ] {
        let mut all = limits.clone();
        all.as_object_mut()
            .unwrap()
            .extend(limit.as_object().unwrap().clone());
        assert_eq!(
            found(json!({ "requests": requests, "limits": all })),
            [error]
        );
    }
    let folder =
        with(|spec| spec["emptyDirs"] = json!([{ "mountPath": "/a", "sizeLimit": "-1Gi" }]));
    assert_eq!(findings(shipped(), folder), ["resource-requests"]);
}

#[test]
fn a_deprecated_transport_is_told_and_refuses_nothing() {
    let of = |transport: &str| {
        let spec = with(|spec| spec["transport"] = json!(transport));
        Validation::validate(
            &testing::settings(shipped()),
            &testing::server(spec),
            &Request::default(),
        )
    };
    assert_eq!(of("http"), []);
    let [finding] = &of("sse")[..] else {
        panic!("one warning");
    };
    assert_eq!(finding.severity, mcp_plugin_sdk::Severity::Warning);
    assert_eq!(finding.field, "spec.transport");
    assert!(
        finding.message.contains("deprecated"),
        "{}",
        finding.message
    );
}

/// It has neither an image nor pods.
#[test]
fn a_remote_server_passes() {
    let spec = json!({ "remote": { "url": "https://mcp.example.com/mcp" } });
    assert!(findings(shipped(), spec).is_empty());
}
