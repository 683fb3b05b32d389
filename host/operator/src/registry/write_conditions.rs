//! Writes `LiteLLMRegistered`: the one condition of the second writer.

use futures::{StreamExt, stream};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::names::{API_VERSION, SERVER_KIND, field_managers};
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::conditions::{Statement, contained};
use serde_json::{Value, json};
use tracing::warn;

use crate::server::Servers;

/// Writes that go on at the same time.
const CONCURRENCY: usize = 8;

/// Writes the conditions that say something new; whether all could be written.
pub(super) async fn write_conditions(
    client: &Client,
    all: &Servers,
    servers: &[&McpServer],
    about: impl Fn(&McpServer) -> Option<(Statement, String)>,
) -> bool {
    // Of thousands of servers, few have news: only for those is there anything to keep.
    let news: Vec<News> = servers
        .iter()
        .filter_map(|server| {
            let (statement, name) = about(server)?;
            news(&all.newest(server), &statement, &name)
        })
        .collect();
    stream::iter(news)
        .map(|news| write(client, all, news))
        .buffer_unordered(CONCURRENCY)
        .fold(true, |all, written| async move { all && written })
        .await
}

/// A status to be written.
struct News {
    namespace: String,
    name: String,
    body: Value,
}

/// What the status of a server does not say yet.
fn news(server: &McpServer, statement: &Statement, registered_name: &str) -> Option<News> {
    let previous = server.status.as_ref();
    let conditions = previous.map_or(&[][..], |status| &status.conditions);
    let generation = server.metadata.generation;
    let condition = statement.condition(conditions, generation, Timestamp::now());
    let litellm = previous.and_then(|status| status.litellm.as_ref());
    let known = litellm.and_then(|litellm| litellm.name.as_deref());
    if contained(std::slice::from_ref(&condition), conditions)
        && known.unwrap_or_default() == registered_name
    {
        return None;
    }
    let (name, namespace) = (server.name_any(), server.namespace().unwrap_or_default());
    let mut status = json!({ "conditions": [condition] });
    if !registered_name.is_empty() {
        status["litellm"] = json!({ "name": registered_name });
    }
    // What is said about a server must not be written on another one that has got its name in the meantime.
    let metadata = json!({ "name": name, "uid": server.metadata.uid });
    let body = json!({ "apiVersion": API_VERSION, "kind": SERVER_KIND, "metadata": metadata, "status": status });
    Some(News {
        namespace,
        name,
        body,
    })
}

async fn write(client: &Client, all: &Servers, news: News) -> bool {
    let News {
        namespace,
        name,
        body,
    } = news;
    let api: Api<McpServer> = Api::namespaced(client.clone(), &namespace);
    let params = PatchParams::apply(field_managers::REGISTRY).force();
    match api.patch_status(&name, &params, &Patch::Apply(&body)).await {
        Ok(answer) => {
            all.wrote(answer);
            true
        }
        // Deleted in the meantime: there is nobody left to tell.
        Err(kube::Error::Api(error)) if error.code == 404 => true,
        Err(error) => {
            warn!(namespace, name, %error, "LiteLLMRegistered not written");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use mcp_operator_api::names::conditions::LITELLM_REGISTERED;
    use mcp_operator_core::conditions::Truth;

    use super::*;

    #[test]
    fn what_a_status_says_already_is_no_news() {
        let mut server: McpServer = serde_json::from_value(json!({
            "apiVersion": API_VERSION, "kind": SERVER_KIND,
            "metadata": { "name": "a", "namespace": "tools", "uid": "1", "generation": 1 },
            "spec": { "image": { "repository": "acme/mcp" } },
        }))
        .unwrap();
        let registered = Statement::new(LITELLM_REGISTERED, Truth::True, "Registered", "");
        let first = news(&server, &registered, "tools_a").unwrap();
        assert_eq!(
            (first.namespace.as_str(), first.name.as_str()),
            ("tools", "a")
        );
        assert_eq!(first.body["metadata"]["uid"], "1");
        server.status = serde_json::from_value(first.body["status"].clone()).unwrap();
        assert!(news(&server, &registered, "tools_a").is_none());
        assert!(news(&server, &registered, "another").is_some());
        let refused = Statement::new(LITELLM_REGISTERED, Truth::False, "NameTaken", "");
        assert!(news(&server, &refused, "tools_a").is_some());
    }
}
