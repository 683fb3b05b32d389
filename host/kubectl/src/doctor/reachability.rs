//! Whether the API server reaches the webhook: it is asked what it would say to an MCPServer, without storing it.

use anyhow::Result;
use kube::Api;
use kube::api::{DynamicObject, PostParams};
use kube::core::ApiResource;
use mcp_operator_api::names::annotations::PLUGINS_REVISION;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_runtime::{ApiError, request};
use serde_json::{Value, json};

use super::Finding;
use super::installation::Installation;
use crate::cluster::Cluster;
use crate::readable::Readable;

/// How the names of the webhooks for MCPServers end.
const OURS: &str = ".mcpservers.mcp.litellm.ai";
/// Where nobody has an MCPServer yet.
const ELSEWHERE: &str = "default";
/// Namespaces that no rule judges.
const UNJUDGED: &str = "kube-system";

/// What was answered to an MCPServer that was not to be stored.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Where it was asked for.
    namespace: String,
    answer: Answer,
}

#[derive(Clone, Debug)]
enum Answer {
    /// It would be stored like this.
    Admitted(Value),
    /// The API server's own sentence.
    Refused { code: Option<u16>, why: String },
}

/// Asks about an MCPServer like one that there is, which rules let pass; where there is none, about the smallest.
///
/// # Errors
/// When the object cannot be made, which does not happen.
pub(super) async fn ask(cluster: &Cluster, installation: &Installation) -> Result<Readable<Asked>> {
    let like = judged(installation);
    let namespace = like.and_then(|server| server["metadata"]["namespace"].as_str());
    let namespace = namespace.unwrap_or(ELSEWHERE).to_owned();
    let resource = ApiResource::erase::<McpServer>(&());
    let api: Api<DynamicObject> =
        Api::namespaced_with(cluster.client.clone(), &namespace, &resource);
    let smallest = || json!({ "remote": { "url": "https://mcp.example.com/mcp" }, "litellm": { "autoRegister": false } });
    let server: DynamicObject = serde_json::from_value(json!({
        "apiVersion": resource.api_version, "kind": resource.kind,
        "metadata": {
            "generateName": "doctor-", "namespace": namespace,
            "labels": like.map(|server| server["metadata"]["labels"].clone()),
        },
        "spec": like.map_or_else(smallest, |server| server["spec"].clone()),
    }))?;
    let params = PostParams {
        dry_run: true,
        field_manager: Some("kubectl-mcp".into()),
    };
    let action = || "create an MCPServer without storing it".to_owned();
    let answer = match request(action, api.create(&params, &server)).await {
        Ok(stored) => Answer::Admitted(serde_json::to_value(stored)?),
        // A definition that is not there is told by others.
        Err(error) if error.is_not_found() || is_not_allowed(&error) => {
            return Ok(Readable::Unknown(error.to_string()));
        }
        Err(error) => Answer::Refused {
            code: error.code(),
            why: error.to_string(),
        },
    };
    Ok(Readable::Known(Asked { namespace, answer }))
}

/// An MCPServer that the webhooks are asked about.
fn judged(installation: &Installation) -> Option<&Value> {
    let unjudged = [UNJUDGED, installation.namespace.as_str()];
    let mut servers = installation.list("MCPServer", "")?.iter();
    servers.find(|server| {
        let namespace = server["metadata"]["namespace"].as_str();
        namespace.is_some_and(|namespace| !unjudged.contains(&namespace))
    })
}

/// In an authorizer's words: policies and quotas answer with the same code.
fn is_not_allowed(error: &ApiError) -> bool {
    error.code() == Some(403) && error.to_string().contains("cannot create resource")
}

fn is_by_webhook(why: &str) -> bool {
    why.contains(OURS)
}

pub(super) fn check(installation: &Installation) -> Vec<Finding> {
    // Without configurations nobody is asked, and others say so.
    let mut configurations = installation.webhook_configurations().into_iter();
    if configurations.any(|(_, found)| found.is_missing()) {
        return Vec::new();
    }
    let Some(Asked { namespace, answer }) = &installation.asked else {
        return Vec::new();
    };
    let at = format!("an MCPServer in the namespace {namespace}, not to be stored");
    let finding = match answer {
        Answer::Admitted(stored) => {
            let is_marked = !stored["metadata"]["annotations"][PLUGINS_REVISION].is_null();
            (!is_marked).then(|| {
                Finding::wrong(
                    at,
                    "it would be stored without the operator being asked",
                    "the rules, selectors and conditions of the webhook configurations; the API server takes some seconds to know a change of them",
                )
            })
        }
        // By a rule, it is what the webhook is for.
        Answer::Refused { code, why } if is_by_webhook(why) => {
            let is_judged = why.contains("denied the request")
                && code.is_some_and(|code| code < 500 && code != 429);
            (!is_judged).then(|| {
                Finding::wrong(
                    at,
                    format!("the operator does not answer the API server: {why}"),
                    "the operator's pods and their log, the Service in front of them, and NetworkPolicies between the API server and them",
                )
            })
        }
        Answer::Refused { why, .. } => Some(Finding::doubtful(
            at,
            format!("it is refused before or after the operator is asked: {why}"),
            "whoever refuses it: a quota, a policy or a webhook of somebody else",
        )),
    };
    finding.into_iter().collect()
}
