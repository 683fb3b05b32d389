//! What MCPServers say of LiteLLM: whether it answers, and takes what it is told.

use std::collections::BTreeMap;

use mcp_operator_api::names::conditions::LITELLM_REGISTERED;
use mcp_operator_core::conditions::find;
use serde_json::Value;

use super::Finding;
use super::installation::{Installation, place};
use crate::causes::{conditions, is_to_be_registered};
use crate::remedies::{meaning, remedy};

/// Why nothing is registered, of what LiteLLM or the way to it is the cause of, and not a server.
const OF_GATEWAY: [&str; 14] = [
    "AccessDenied",
    "ConfigurationUnavailable",
    "ConnectionFailed",
    "CredentialUnavailable",
    "GatewayError",
    "LiteLLMUnavailable",
    "NoAdminApi",
    "NoDatabase",
    "NotGranted",
    "NotListed",
    "UnreadableAnswer",
    "VerificationUnavailable",
    "WorkloadNotFound",
    "WorkloadUnavailable",
];

/// What MCPServers say of LiteLLM, once for each reason.
pub(super) fn check(installation: &Installation) -> Vec<Finding> {
    let servers = installation.list("MCPServer", "").unwrap_or_default();
    let mut reasons: BTreeMap<String, Vec<(&Value, String)>> = BTreeMap::new();
    for server in servers.iter().filter(|server| is_to_be_registered(server)) {
        let conditions = conditions(server);
        let condition = find(&conditions, LITELLM_REGISTERED).filter(|it| it.status != "True");
        if let Some(it) = condition.filter(|it| OF_GATEWAY.contains(&it.reason.as_str())) {
            let servers = reasons.entry(it.reason.clone()).or_default();
            servers.push((server, it.message.clone()));
        }
    }
    let finding = |(reason, servers): (String, Vec<(&Value, String)>)| {
        let (first, message) = servers.first()?;
        let metadata = &first["metadata"];
        let part = |name: &str| metadata[name].as_str().unwrap_or_default();
        let at = place("MCPServer", part("namespace"), part("name"));
        let others = match servers.len() - 1 {
            0 => String::new(),
            others => format!(", nor are {others} others"),
        };
        let helps = remedy(LITELLM_REGISTERED, &reason).or_else(|| meaning(&reason));
        let helps = helps.unwrap_or_else(|| "kubectl mcp why says more".into());
        Some(Finding::wrong(
            at,
            format!("it is not registered{others} ({reason}): {message}"),
            helps,
        ))
    };
    reasons.into_iter().filter_map(finding).collect()
}
