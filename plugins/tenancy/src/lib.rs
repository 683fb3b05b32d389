//! What a team may ask for, in the platform's words: annotations of the namespace, which teams cannot write, and the
//! settings, which are for every namespace without the annotation.
//!
//! | code | demands | annotation `mcp.litellm.ai/...` |
//! |---|---|---|
//! | `secret-key-scope` | keys in the secret store are those of the namespace | `secret-keys` |
//! | `secret-store` | a ClusterSecretStore is one that the namespace may use | `secret-stores` |
//! | `iam-role` | the IAM role is one that the namespace may assume | `iam-roles` |
//! | `access-group` | access groups of LiteLLM are those of the namespace | `access-groups` |
//! | `remote-host` | a server that runs elsewhere is at a host that the namespace may use | `remote-hosts` |
//! | `egress` | ranges of addresses are narrow, or allowed | `egress` |
//! | `trace-egress` | a NetworkPolicy opens no other namespace for traces | `tracing-namespaces` |
//! | `network-policy` | there is a NetworkPolicy, if the settings want one (`requireNetworkPolicy`) | |
//! | `replica-limit` | there are not too many pods | `max-replicas` |
//! | `resource-limit` | a pod is not too large | `max-cpu`, `max-memory`, `max-ephemeral-storage` |
//! | `extended-resource` | no other resources, such as GPUs | `extended-resources` |
//! | `service-account` | a ServiceAccount of one's own, or a token of any, is one that the namespace may use | `service-accounts` |
//! | `priority-class` | the PriorityClass is one that the namespace may use | `priority-classes` |
//! | `runtime-class` | the RuntimeClass is one that the namespace may use | `runtime-classes` |
//! | `toleration` | keys of tolerated taints are ones that the namespace may name; `*` is every taint | `tolerations` |
//! | `description-text` | LiteLLM's users see all of the description and the instructions | |
//!
//! Servers in a trusted namespace of the settings pass. A server whose namespace is not known, and one that an annotation
//! or a value is about that cannot be read, are refused.

mod allowed;
mod pattern;
mod rules;
mod settings;
mod tenant;

use mcp_plugin_sdk::prelude::*;
use settings::Settings;
use tenant::Tenant;

struct Tenancy;

impl Plugin for Tenancy {
    type Settings = Settings;

    fn description() -> Description {
        let description = Description::new(
            "tenancy",
            env!("CARGO_PKG_VERSION"),
            "What a team may ask for, by annotations of its namespace",
        );
        rules::ALL
            .iter()
            .fold(description, |description, rule| {
                description.rule(rule.code, rule.summary)
            })
            .context("namespace")
    }

    fn check_settings(settings: &Settings) -> Vec<Finding> {
        settings.check(&rules::ALL.map(|rule| rule.code))
    }
}

impl Validator for Tenancy {
    fn validate(settings: &Settings, server: &McpServer, request: &Request) -> Vec<Finding> {
        let Some(namespace) = request.namespace().filter(|found| !found.name.is_empty()) else {
            let field = Path::new("metadata").child("namespace");
            let message = "what the platform allows this namespace is not known: the operator could not read it";
            return vec![Finding::forbidden("namespace", field, message)];
        };
        let tenant = Tenant::new(&namespace, settings);
        if tenant.is_trusted() {
            return Vec::new();
        }
        rules::ALL
            .iter()
            .filter(|rule| !settings.disabled_rules.iter().any(|code| code == rule.code))
            .flat_map(|rule| (rule.check)(&tenant, server))
            .collect()
    }
}

mcp_plugin_sdk::export!(Tenancy: Validator);

#[cfg(test)]
mod tests;
