//! The rules, one function for each.

mod egress;
mod identity;
mod pod;
mod remote;
mod secrets;
mod size;
mod text;

use mcp_plugin_sdk::{Finding, McpServer, Path};

use crate::allowed::Allowed;
use crate::tenant::Tenant;

pub(crate) struct Rule {
    pub(crate) code: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) check: fn(&Tenant<'_>, &McpServer) -> Vec<Finding>,
}

/// In the order in which they are documented.
pub(crate) const ALL: [Rule; 16] = [
    Rule {
        code: secrets::KEY,
        summary: "keys in the secret store are those of the namespace (annotation mcp.litellm.ai/secret-keys)",
        check: secrets::keys,
    },
    Rule {
        code: secrets::STORE,
        summary: "a ClusterSecretStore is one that the namespace may use (annotation mcp.litellm.ai/secret-stores)",
        check: secrets::store,
    },
    Rule {
        code: identity::ROLE,
        summary: "the IAM role is one that the namespace may assume (annotation mcp.litellm.ai/iam-roles)",
        check: identity::role,
    },
    Rule {
        code: identity::GROUP,
        summary: "access groups are those of the namespace (annotation mcp.litellm.ai/access-groups)",
        check: identity::groups,
    },
    Rule {
        code: remote::HOST,
        summary: "a server that runs elsewhere is at a host that the namespace may use (annotation mcp.litellm.ai/remote-hosts)",
        check: remote::hosts,
    },
    Rule {
        code: egress::RANGE,
        summary: "ranges of addresses are narrow, or allowed (annotation mcp.litellm.ai/egress)",
        check: egress::ranges,
    },
    Rule {
        code: egress::TRACES,
        summary: "a NetworkPolicy opens no other namespace for traces (annotation mcp.litellm.ai/tracing-namespaces)",
        check: egress::traces,
    },
    Rule {
        code: egress::REQUIRED,
        summary: "there is a NetworkPolicy, if the settings want one",
        check: egress::required,
    },
    Rule {
        code: size::REPLICAS,
        summary: "there are not too many pods (annotation mcp.litellm.ai/max-replicas)",
        check: size::replicas,
    },
    Rule {
        code: size::RESOURCES,
        summary: "a pod is not too large (annotations mcp.litellm.ai/max-cpu, max-memory, max-ephemeral-storage)",
        check: size::resources,
    },
    Rule {
        code: size::EXTENDED,
        summary: "no other resources than CPU, memory and ephemeral storage (annotation mcp.litellm.ai/extended-resources)",
        check: size::extended_resources,
    },
    Rule {
        code: pod::ACCOUNT,
        summary: "a service account of one's own, and a token, are ones that the namespace may use (annotation mcp.litellm.ai/service-accounts)",
        check: pod::account,
    },
    Rule {
        code: pod::PRIORITY,
        summary: "the PriorityClass is one that the namespace may use (annotation mcp.litellm.ai/priority-classes)",
        check: pod::priority,
    },
    Rule {
        code: pod::RUNTIME,
        summary: "the RuntimeClass is one that the namespace may use (annotation mcp.litellm.ai/runtime-classes)",
        check: pod::runtime,
    },
    Rule {
        code: pod::TOLERATION,
        summary: "taints are tolerated whose keys the namespace may name (annotation mcp.litellm.ai/tolerations)",
        check: pod::tolerations,
    },
    Rule {
        code: text::DESCRIPTION,
        summary: "LiteLLM's users see all of the description and the instructions",
        check: text::description,
    },
];

/// A finding for each value that is not allowed.
fn not_allowed<'a>(
    code: &str,
    allowed: Result<Allowed<'_>, String>,
    values: impl IntoIterator<Item = (Path, &'a str)>,
) -> Vec<Finding> {
    let finding = |(field, value): (Path, &str)| match &allowed {
        Ok(allowed) if allowed.admits(value) => None,
        Ok(allowed) => Some(Finding::invalid(code, field, value, allowed.remedy(value))),
        Err(malformed) => Some(Finding::invalid(code, field, value, malformed.as_str())),
    };
    values.into_iter().filter_map(finding).collect()
}

fn spec() -> Path {
    Path::new("spec")
}
