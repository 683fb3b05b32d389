//! The rules, one function each.

use mcp_plugin_sdk::{Finding, McpServer, Path};

use crate::settings::{Ecr, Settings};

/// A rule: its code, what it demands, and how that is found out.
pub(crate) struct Rule {
    pub(crate) code: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) check: fn(&Settings, &McpServer) -> Vec<Finding>,
}

/// In the order in which they are documented.
pub(crate) const ALL: [Rule; 6] = [
    Rule {
        code: "image-registry",
        summary: "the image comes from an approved registry (Amazon ECR or the allow-list)",
        check: image_registry,
    },
    Rule {
        code: "image-tag",
        summary: "the image has a tag other than latest, or a digest",
        check: image_tag,
    },
    Rule {
        code: "transport",
        summary: "the transport is sse or http",
        check: transport,
    },
    Rule {
        code: "resource-limits",
        summary: "CPU and memory limits are defined",
        check: resource_limits,
    },
    Rule {
        code: "replicas",
        summary: "there is at least one pod",
        check: replicas,
    },
    Rule {
        code: "secret-key",
        summary: "every required secret names its key in the secret store",
        check: secret_key,
    },
];

fn image_registry(settings: &Settings, server: &McpServer) -> Vec<Finding> {
    let repository = &server.spec.image.repository;
    if is_ecr(&settings.ecr, repository)
        || settings
            .allowed_registries
            .iter()
            .any(|allowed| is_within(repository, allowed))
    {
        return Vec::new();
    }
    let message = "image must be from approved registry (AWS ECR or allowlisted registry)";
    vec![Finding::invalid(
        "image-registry",
        image().child("repository"),
        repository,
        message,
    )]
}

/// `123456789012.dkr.ecr.us-east-1.amazonaws.com/name`. The account is not checked to be a number: documentation and
/// templates write a word there, and only Amazon can serve a name below this domain.
fn is_ecr(ecr: &Ecr, repository: &str) -> bool {
    let Some((registry, name)) = repository.split_once('/') else {
        return false;
    };
    let mut parts = registry.splitn(4, '.');
    let (Some(account), Some("dkr"), Some("ecr"), Some(rest)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let region = rest
        .strip_suffix(".amazonaws.com.cn")
        .or_else(|| rest.strip_suffix(".amazonaws.com"));
    let approved = |list: &[String], value: &str| {
        list.is_empty() || list.iter().any(|approved| approved == value)
    };
    ecr.enabled
        && !account.is_empty()
        && !name.is_empty()
        && approved(&ecr.accounts, account)
        && region.is_some_and(|region| {
            !region.is_empty() && !region.contains('.') && approved(&ecr.regions, region)
        })
}

/// Whether a repository is an allowed one or below it: `ghcr.io/acme` allows `ghcr.io/acme/mcp` and not
/// `ghcr.io/acme-evil/mcp`.
fn is_within(repository: &str, allowed: &str) -> bool {
    let allowed = allowed.trim_end_matches('/');
    allowed == "*"
        || repository
            .strip_prefix(allowed)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn image_tag(_: &Settings, server: &McpServer) -> Vec<Finding> {
    let image = &server.spec.image;
    let tag = image.tag.as_deref().unwrap_or_default();
    // A digest says exactly which image it is, whatever the tag.
    if image.digest.is_some() || !(tag.is_empty() || tag == "latest") {
        return Vec::new();
    }
    let message = "image tag must be specified and cannot be 'latest'";
    vec![Finding::invalid(
        "image-tag",
        self::image().child("tag"),
        tag,
        message,
    )]
}

/// The schema says so too; a rule says it where the schema is relaxed.
fn transport(_: &Settings, server: &McpServer) -> Vec<Finding> {
    let transport = server.spec.transport.as_str();
    let supported = ["sse", "http"];
    if supported.contains(&transport) {
        return Vec::new();
    }
    vec![Finding::not_supported(
        "transport",
        Path::new("spec").child("transport"),
        transport,
        &supported,
    )]
}

fn resource_limits(_: &Settings, server: &McpServer) -> Vec<Finding> {
    let limits = &server.spec.resources.limits;
    let missing = ["cpu", "memory"].iter().any(|name| {
        limits
            .get(*name)
            .is_none_or(mcp_plugin_sdk::v1alpha1::Quantity::is_zero)
    });
    let field = Path::new("spec").child("resources").child("limits");
    let message = "CPU and memory limits must be defined (OPA requirement)";
    missing
        .then(|| Finding::required("resource-limits", field, message))
        .into_iter()
        .collect()
}

fn replicas(_: &Settings, server: &McpServer) -> Vec<Finding> {
    let replicas = server.spec.replicas;
    let field = Path::new("spec").child("replicas");
    let finding = || Finding::invalid("replicas", field, replicas, "replicas must be at least 1");
    (replicas < 1 && server.spec.autoscaling.is_none())
        .then(finding)
        .into_iter()
        .collect()
}

fn secret_key(_: &Settings, server: &McpServer) -> Vec<Finding> {
    let missing = server
        .spec
        .secrets
        .iter()
        .enumerate()
        .filter(|(_, secret)| {
            !secret.optional
                && secret
                    .aws_secret_key
                    .as_deref()
                    .unwrap_or_default()
                    .is_empty()
        });
    let finding = |index| {
        let field = Path::new("spec")
            .child("secrets")
            .index(index)
            .child("awsSecretKey");
        Finding::required(
            "secret-key",
            field,
            "awsSecretKey is required for non-optional secrets",
        )
    };
    missing.map(|(index, _)| finding(index)).collect()
}

fn image() -> Path {
    Path::new("spec").child("image")
}

#[cfg(test)]
mod tests {
    use mcp_plugin_sdk::testing;
    use mcp_plugin_sdk::{Finding, Request, Validator};
    use serde_json::{Value, json};

    use crate::Validation;

    const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mcp-github";

    fn good() -> Value {
        json!({
            "image": { "repository": ECR, "tag": "1.0.0" },
            "resources": { "limits": { "cpu": "500m", "memory": "512Mi" } },
        })
    }

    /// The codes of what is found.
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
        assert!(findings(json!({}), good()).is_empty());
    }

    /// A finding in the words of `kubectl`.
    fn in_words(finding: &Finding) -> String {
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
        let found =
            Validation::validate(&testing::settings(json!({})), &server, &Request::default());
        assert_eq!(
            found.iter().map(in_words).collect::<Vec<_>>(),
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
        for transport in ["sse", "http"] {
            let spec = with(|spec| spec["transport"] = json!(transport));
            assert!(findings(json!({}), spec).is_empty(), "{transport}");
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
        let default = json!({});
        for approved in [
            ECR,
            "ACCOUNT_ID.dkr.ecr.us-east-1.amazonaws.com/mcp",
            "1.dkr.ecr.cn-north-1.amazonaws.com.cn/a/b",
        ] {
            assert!(passes(&default, approved), "{approved}");
        }
        for refused in [
            "docker.io/library/nginx",
            "nginx",
            "1.dkr.ecr.us-east-1.amazonaws.com.evil.io/mcp",
            "1.dkr.ecr.us-east-1.evil.amazonaws.com/mcp",
            "evil.io/1.dkr.ecr.us-east-1.amazonaws.com/mcp",
            "1.dkr.ecr.us-east-1.amazonaws.com",
        ] {
            assert!(!passes(&default, refused), "{refused}");
        }
        let ours = json!({ "allowedRegistries": ["ghcr.io/acme", "registry.acme.io/"], "ecr": { "enabled": false } });
        assert!(passes(&ours, "ghcr.io/acme/mcp") && passes(&ours, "registry.acme.io/mcp"));
        assert!(!passes(&ours, "ghcr.io/acme-evil/mcp") && !passes(&ours, ECR));
        assert!(passes(&json!({ "allowedRegistries": ["*"] }), "nginx"));
        let narrow = json!({ "ecr": { "accounts": ["123456789012"], "regions": ["eu-west-1"] } });
        assert!(!passes(&narrow, ECR));
        assert!(passes(
            &narrow,
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mcp"
        ));
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
                findings(json!({}), with(|spec| spec["image"] = image.clone())).is_empty(),
                passes,
                "{image}"
            );
        }
    }

    #[test]
    fn limits_must_be_more_than_nothing() {
        for limits in [
            json!({}),
            json!({ "cpu": "1" }),
            json!({ "cpu": "0", "memory": "1Gi" }),
        ] {
            assert_eq!(
                findings(json!({}), with(|spec| spec["resources"]["limits"] = limits)).len(),
                1
            );
        }
    }

    #[test]
    fn pods() {
        assert_eq!(
            findings(json!({}), with(|spec| spec["replicas"] = json!(0))).len(),
            1
        );
        let scaled = with(|spec| {
            spec["replicas"] = json!(0);
            spec["autoscaling"] = json!({ "maxReplicas": 3 });
        });
        assert!(findings(json!({}), scaled).is_empty());
    }

    #[test]
    fn a_rule_can_be_switched_off() {
        let spec = with(|spec| spec["resources"] = json!({}));
        assert!(findings(json!({ "disabledRules": ["resource-limits"] }), spec).is_empty());
    }

    #[test]
    fn settings_are_judged() {
        let settings = testing::settings::<crate::Settings>(json!({
            "allowedRegistries": ["https://ghcr.io", ""], "disabledRules": ["image-tags"],
        }));
        let fields: Vec<_> = settings
            .check()
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
}
