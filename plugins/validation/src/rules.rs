//! The rules, one function for each.

mod quantities;

use mcp_plugin_sdk::v1alpha1::Transport;
use mcp_plugin_sdk::{Finding, McpServer, Path};

use crate::settings::{Ecr, Settings};

pub(crate) struct Rule {
    pub(crate) code: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) check: fn(&Settings, &McpServer) -> Vec<Finding>,
}

/// In the order in which they are documented.
pub(crate) const ALL: [Rule; 8] = [
    Rule {
        code: "image-registry",
        summary: "the image comes from an approved registry (an account of Amazon ECR or the allow-list)",
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
        code: "transport-deprecated",
        summary: "a warning where the transport is sse, which MCP has deprecated",
        check: transport_deprecated,
    },
    Rule {
        code: "resource-limits",
        summary: "CPU and memory limits are defined",
        check: resource_limits,
    },
    Rule {
        code: "resource-requests",
        summary: "requests and limits are quantities that fit each other",
        check: quantities::check,
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
    let Some(image) = &server.spec.image else {
        return Vec::new();
    };
    let repository = &image.repository;
    let ecr = Registry::of(repository).filter(|_| settings.ecr.enabled);
    if ecr.is_some_and(|registry| registry.is_approved(&settings.ecr))
        || settings
            .allowed_registries
            .iter()
            .any(|allowed| is_within(repository, allowed))
    {
        return Vec::new();
    }
    let message = "image must be from approved registry (AWS ECR or allowlisted registry)";
    let message = match ecr {
        Some(Registry { account, region }) => format!(
            "{message}: account {account} in {region} is not in `ecr.accounts` and `ecr.regions` of this rule's settings"
        ),
        None => message.to_owned(),
    };
    vec![Finding::invalid(
        "image-registry",
        image_field().child("repository"),
        repository,
        message,
    )]
}

/// A private registry of Amazon: `123456789012.dkr.ecr.us-east-1.amazonaws.com/name`.
#[derive(Clone, Copy)]
struct Registry<'a> {
    account: &'a str,
    region: &'a str,
}

impl<'a> Registry<'a> {
    fn of(repository: &'a str) -> Option<Self> {
        let (host, name) = repository.split_once('/')?;
        let (account, rest) = host.split_once(".dkr.ecr.")?;
        let region = rest
            .strip_suffix(".amazonaws.com.cn")
            .or_else(|| rest.strip_suffix(".amazonaws.com"))?;
        let is_label = |text: &str| !text.is_empty() && !text.contains('.');
        (is_label(account) && is_label(region) && !name.is_empty())
            .then_some(Self { account, region })
    }

    fn is_approved(self, ecr: &Ecr) -> bool {
        let is_listed = |list: &[String], value: &str| {
            list.iter().any(|listed| listed == value || listed == "*")
        };
        is_listed(&ecr.accounts, self.account)
            && (ecr.regions.is_empty() || is_listed(&ecr.regions, self.region))
    }
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
    let Some(image) = &server.spec.image else {
        return Vec::new();
    };
    let tag = image.tag.as_deref().unwrap_or_default();
    // A digest identifies the image, whatever the tag.
    if image.digest.is_some() || !(tag.is_empty() || tag == "latest") {
        return Vec::new();
    }
    let message = "image tag must be specified and cannot be 'latest'";
    vec![Finding::invalid(
        "image-tag",
        image_field().child("tag"),
        tag,
        message,
    )]
}

/// Never fails in practice, because the schema refuses other transports first. It is here to make the list of rules complete.
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

/// Large vendors have switched it off. What runs with it goes on doing so: nothing is refused.
fn transport_deprecated(_: &Settings, server: &McpServer) -> Vec<Finding> {
    if server.spec.transport != Transport::Sse {
        return Vec::new();
    }
    let field = Path::new("spec").child("transport");
    let message = "MCP has deprecated HTTP with server-sent events, and large vendors have switched it off: let the server speak streamable HTTP, and set transport to http";
    vec![Finding::invalid("transport-deprecated", field, "sse", message).warning()]
}

fn resource_limits(_: &Settings, server: &McpServer) -> Vec<Finding> {
    if server.spec.remote.is_some() {
        return Vec::new();
    }
    let limits = &server.spec.resources.limits;
    let missing = ["cpu", "memory"].iter().any(|name| {
        limits
            .get(*name)
            .is_none_or(mcp_plugin_sdk::v1alpha1::Quantity::is_zero)
    });
    if !missing {
        return Vec::new();
    }
    let field = Path::new("spec").child("resources").child("limits");
    let message = "CPU and memory limits must be defined (OPA requirement)";
    vec![Finding::required("resource-limits", field, message)]
}

fn replicas(_: &Settings, server: &McpServer) -> Vec<Finding> {
    let replicas = server.spec.replicas;
    if replicas >= 1 || server.spec.autoscaling.is_some() {
        return Vec::new();
    }
    let field = Path::new("spec").child("replicas");
    let message = "replicas must be at least 1";
    vec![Finding::invalid("replicas", field, replicas, message)]
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

fn image_field() -> Path {
    Path::new("spec").child("image")
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
