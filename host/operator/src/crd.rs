//! The custom resource definitions: as manifests, and into a cluster.

use anyhow::{Context, Result};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, CustomResourceExt};
use mcp_operator_api::names::field_managers;
use mcp_operator_api::v1alpha1::{McpPlugin, McpServer};

/// Both definitions, or the one with this plural name, as YAML.
///
/// # Errors
/// When a definition cannot be written as YAML.
pub fn manifests(plural: Option<&str>) -> Result<String> {
    let documents = definitions(plural)
        .map(|crd| serde_saphyr::to_string(&crd))
        .collect::<Result<Vec<_>, _>>();
    documents
        .map(|documents| documents.join("---\n"))
        .context("cannot write a definition as YAML")
}

/// Applies them to the cluster of the kubeconfig or of the pod, whoever has applied them before: Helm never changes a
/// definition that is there.
///
/// # Errors
/// When the cluster cannot be reached, or refuses one.
pub async fn apply(plural: Option<&str>) -> Result<()> {
    let client = Client::try_default().await.context("no cluster")?;
    let api: Api<CustomResourceDefinition> = Api::all(client);
    let params = PatchParams::apply(field_managers::DEFINITIONS).force();
    for crd in definitions(plural) {
        let name = crd.metadata.name.clone().unwrap_or_default();
        let applied = api.patch(&name, &params, &Patch::Apply(&crd)).await;
        applied.with_context(|| format!("the definition {name} cannot be applied"))?;
        println!("customresourcedefinition.apiextensions.k8s.io/{name} applied");
    }
    Ok(())
}

fn definitions(plural: Option<&str>) -> impl Iterator<Item = CustomResourceDefinition> {
    [McpServer::crd(), McpPlugin::crd()]
        .into_iter()
        .filter(move |crd| plural.is_none_or(|plural| crd.spec.names.plural == plural))
}
