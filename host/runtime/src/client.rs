//! The way to the cluster, and whether it is one that the operator can work with.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use hyper::header::{HeaderValue, USER_AGENT};
use kube::{Client, Config};
use mcp_operator_api::names::{API_VERSION, PLUGIN_KIND, SERVER_KIND};
use mcp_operator_core::retry::Classify;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use crate::error::{ApiError, status_message};

/// How the `User-Agent` of all requests of the operator begins: audit logs and metrics of the API server tell them from
/// others. The replica follows.
const PRODUCT: &str = concat!("mcp-operator/", env!("CARGO_PKG_VERSION"));

/// How long the API server may take for the first answer: also one that restarts.
const PATIENCE: Duration = Duration::from_secs(15);

/// Between two attempts meanwhile.
const PAUSE: Duration = Duration::from_secs(1);

/// How long definitions may take from their installation until they are served.
const JUST_INSTALLED: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How to reach the cluster of the kubeconfig, or of the pod, as this replica. Connections are given up after so much silence: a link that a
/// firewall has forgotten never ends by itself.
///
/// # Errors
/// One sentence: there is no cluster.
pub async fn cluster_config(replica: &str, silence: Duration) -> Result<Config> {
    let mut config = Config::infer().await.map_err(|error| {
        anyhow!("no cluster: neither is this a pod with a service account, nor is there a usable kubeconfig (KUBECONFIG): {error}")
    })?;
    config.read_timeout = Some(silence);
    // Otherwise the time that a connection was not needed would count.
    config.reset_reader_on_write = true;
    let agent = HeaderValue::try_from(format!("{PRODUCT} ({replica})"));
    config.headers.push((
        USER_AGENT,
        agent.unwrap_or(HeaderValue::from_static(PRODUCT)),
    ));
    Ok(config)
}

/// A client for this cluster.
///
/// # Errors
/// One sentence: it does not answer, or the custom resources are not installed.
pub async fn connect(config: &Config) -> Result<Client> {
    let url = config.cluster_url.to_string();
    let client = Client::try_from(config.clone()).context("the kubeconfig cannot be used")?;
    let missing = timeout(PATIENCE, missing_kinds(&client, &url)).await;
    let missing = missing.map_err(|_| {
        anyhow!(
            "the API server {url} did not answer within {} s",
            PATIENCE.as_secs()
        )
    })??;
    if !missing.is_empty() {
        let missing = missing.join(" and ");
        bail!(
            "the cluster does not know {missing}: install the definitions with `kubectl apply --server-side -k crds`"
        );
    }
    Ok(client)
}

/// The kinds that the API server does not serve; it takes a moment until it serves one that was just installed.
async fn missing_kinds(client: &Client, url: &str) -> Result<Vec<&'static str>> {
    let began = Instant::now();
    loop {
        let served = match client.list_api_group_resources(API_VERSION).await {
            Ok(list) => list.resources,
            Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
            Err(error) => {
                let why = status_message(&error);
                let class = ApiError::new("list kinds", error).class();
                if class.may_resolve_itself() && began.elapsed() + PAUSE < PATIENCE {
                    warn!(url, error = why, "the API server cannot be used yet");
                    sleep(PAUSE).await;
                    continue;
                }
                bail!("the API server {url} cannot be used: {why}");
            }
        };
        let is_missing = |kind: &&str| !served.iter().any(|resource| resource.kind == *kind);
        let missing: Vec<_> = [SERVER_KIND, PLUGIN_KIND]
            .into_iter()
            .filter(is_missing)
            .collect();
        if missing.is_empty() || began.elapsed() > JUST_INSTALLED {
            return Ok(missing);
        }
        sleep(LOOK_AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// An API server that closes so many connections without a word before it answers.
    async fn api_server(mut closes: usize, kinds: Value) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                if closes > 0 {
                    closes -= 1;
                    continue;
                }
                let mut request = [0; 4096];
                let _ = connection.read(&mut request).await;
                let body = kinds.to_string();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = connection.write_all(answer.as_bytes()).await;
            }
        });
        address
    }

    fn served() -> Value {
        let kind = |kind: &str| json!({ "kind": kind, "name": kind, "singularName": kind, "namespaced": true, "verbs": [] });
        json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": API_VERSION,
            "resources": [kind(SERVER_KIND), kind(PLUGIN_KIND)],
        })
    }

    #[tokio::test]
    async fn an_api_server_that_restarts_is_asked_again() {
        let address = api_server(2, served()).await;
        let config = Config::new(format!("http://{address}").parse().unwrap());
        connect(&config).await.unwrap();
    }
}
