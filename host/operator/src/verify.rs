//! `mcp-operator verify`: whether an installation does what it is for, asked of the API server and of nobody else.

use std::time::Duration;

use anyhow::{Result, bail};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use mcp_operator_api::v1alpha1::{McpPlugin, McpServer};
use mcp_operator_runtime::client::{cluster_config, connect};
use serde_json::json;

const PATIENCE: Duration = Duration::from_mins(1);
/// Of the webhook that judges MCPServers: the API server names it where it refuses.
const WEBHOOK: &str = "rules.mcpservers.mcp.litellm.ai";

/// Tells what works, and fails with what does not.
///
/// # Errors
/// When the cluster cannot be asked, a plugin is not in force, or MCPServers are stored without being judged.
pub async fn verify(namespace: &str) -> Result<()> {
    let client = connect(&cluster_config("verify", PATIENCE).await?).await?;
    let plugins = Api::<McpPlugin>::all(client.clone());
    let plugins = plugins.list(&ListParams::default()).await?.items;
    let broken: Vec<String> = plugins.iter().filter_map(complaint).collect();
    if !broken.is_empty() {
        bail!("plugins are not in force: {}", broken.join("; "));
    }
    println!("{} plugins are in force", plugins.len());
    judged(create_forbidden(&client, namespace).await)?;
    println!("the API server asks the webhook, and refuses what it refuses");
    Ok(())
}

/// Why a plugin is not in force, if it is not.
fn complaint(plugin: &McpPlugin) -> Option<String> {
    let conditions = plugin.status.iter().flat_map(|status| &status.conditions);
    let ready = conditions
        .into_iter()
        .find(|condition| condition.type_ == "Ready");
    let name = plugin.metadata.name.as_deref().unwrap_or_default();
    match ready {
        Some(ready) if ready.status == "True" => None,
        Some(ready) => Some(format!("{name} ({}: {})", ready.reason, ready.message)),
        None => Some(format!(
            "{name} (nobody has looked at it: does the operator run?)"
        )),
    }
}

/// What no policy allows by itself: to send LiteLLM to the API server. Nothing is stored, whatever the answer is.
async fn create_forbidden(client: &Client, namespace: &str) -> Result<(), kube::Error> {
    let server = serde_json::from_value(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": "mcp-operator-verify" },
        "spec": { "type": "external-saas", "remote": { "url": "https://kubernetes.default.svc/mcp" } },
    }))
    .map_err(kube::Error::SerdeError)?;
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let servers = Api::<McpServer>::namespaced(client.clone(), namespace);
    servers.create(&dry_run, &server).await.map(drop)
}

fn judged(answer: Result<(), kube::Error>) -> Result<()> {
    let denial = format!("admission webhook \"{WEBHOOK}\" denied the request");
    match answer {
        Err(kube::Error::Api(status)) if status.message.contains(&denial) => Ok(()),
        Err(kube::Error::Api(status)) => bail!(
            "an MCPServer cannot be judged, and none can be created: {}",
            status.message
        ),
        Err(error) => Err(error.into()),
        Ok(()) => bail!(
            "an MCPServer that would send LiteLLM to the API server is admitted: the API server does not ask the webhook {WEBHOOK}; \
             apply the webhook configurations of the chart or of deploy/base"
        ),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn refused(message: &str) -> Result<(), kube::Error> {
        let status = Status::failure(message, "Invalid").with_code(422);
        Err(kube::Error::Api(status.boxed()))
    }

    #[test]
    fn only_the_webhook_s_own_refusal_is_right() {
        let right =
            format!("admission webhook \"{WEBHOOK}\" denied the request: MCPServer is invalid");
        judged(refused(&right)).unwrap();
        let unreachable = refused("failed calling webhook: connection refused");
        let error = judged(unreachable).unwrap_err().to_string();
        assert!(
            error.contains("none can be created: failed calling"),
            "{error}"
        );
        let error = judged(Ok(())).unwrap_err().to_string();
        assert!(error.contains("does not ask the webhook"), "{error}");
    }

    #[test]
    fn a_plugin_says_why_it_is_not_in_force() {
        let plugin = |status: serde_json::Value| -> McpPlugin {
            serde_json::from_value(json!({
                "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": "a" },
                "spec": { "source": { "builtin": "a" } }, "status": status,
            }))
            .unwrap()
        };
        let ready = |status: &str| {
            json!({ "conditions": [{
                "type": "Ready", "status": status, "reason": "Broken", "message": "it traps",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }] })
        };
        assert_eq!(complaint(&plugin(ready("True"))), None);
        let told = complaint(&plugin(ready("False")));
        assert_eq!(told.as_deref(), Some("a (Broken: it traps)"));
        assert!(
            complaint(&plugin(json!(null)))
                .unwrap()
                .contains("does the operator run?")
        );
    }
}
