//! The way to the cluster, and whether it is one that the operator can work with.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use kube::{Client, Config};
use mcp_operator_api::names::{API_VERSION, PLUGIN_KIND, SERVER_KIND};
use tokio::time::timeout;

/// How long the API server may take for the first answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// A client for the cluster of the kubeconfig, or of the pod.
///
/// # Errors
/// One sentence: there is no cluster, it does not answer, or the custom resources are not installed.
pub(crate) async fn connect() -> Result<Client> {
    let config = Config::infer().await.map_err(|error| {
        anyhow!("no cluster: neither is this a pod with a service account, nor is there a usable kubeconfig (KUBECONFIG): {error}")
    })?;
    let url = config.cluster_url.clone();
    let client = Client::try_from(config).context("the kubeconfig cannot be used")?;
    let answer = timeout(PATIENCE, client.list_api_group_resources(API_VERSION)).await;
    let resources = match answer {
        Err(_) => bail!(
            "the API server {url} did not answer within {} s",
            PATIENCE.as_secs()
        ),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Vec::new(),
        Ok(Err(error)) => bail!("the API server {url} cannot be used: {error}"),
        Ok(Ok(list)) => list.resources,
    };
    let missing: Vec<&str> = [SERVER_KIND, PLUGIN_KIND]
        .into_iter()
        .filter(|kind| !resources.iter().any(|resource| resource.kind == *kind))
        .collect();
    if !missing.is_empty() {
        bail!(
            "the cluster does not know {}: install the definitions with `kubectl apply --server-side -f crds/`",
            missing.join(" and ")
        );
    }
    Ok(client)
}
