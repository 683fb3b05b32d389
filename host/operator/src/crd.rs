//! The custom resource definitions: as manifests, and into a cluster.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::definitions;
use mcp_operator_api::definitions::OPTIONAL_VERSION;
use mcp_operator_api::names::field_managers;
use tokio::time::{Instant, sleep};

/// How long the operator may take to say where MCPServers are converted: it compiles its plugins first.
const CONVERSION: Duration = Duration::from_mins(3);
const LOOK: Duration = Duration::from_secs(1);

/// Both definitions, or the one with this plural name, as YAML; `serve`: the newest version that is served.
///
/// # Errors
/// When a definition cannot be written as YAML.
pub fn manifests(plural: Option<&str>, serve: Option<&str>) -> Result<String> {
    let documents = wanted(plural, serve == Some(OPTIONAL_VERSION))
        .map(|crd| serde_saphyr::to_string(&crd))
        .collect::<Result<Vec<_>, _>>();
    documents
        .map(|documents| documents.join("---\n"))
        .context("cannot write a definition as YAML")
}

/// Applies them to the cluster of the kubeconfig or of the pod, whoever has applied them before: Helm never changes a
/// definition that is there. What is served stays served, unless `serve` says otherwise.
///
/// # Errors
/// When the cluster cannot be reached, or refuses one; or nobody converts what would be served.
pub async fn apply(plural: Option<&str>, serve: Option<&str>) -> Result<()> {
    let client = Client::try_default().await.context("no cluster")?;
    let api: Api<CustomResourceDefinition> = Api::all(client);
    let params = PatchParams::apply(field_managers::DEFINITIONS).force();
    for crd in wanted(plural, false) {
        let (name, plural) = (crd.name_any(), crd.spec.names.plural.clone());
        let serves = is_optional(&crd) && serves_beta(&api, &name, serve).await?;
        for crd in wanted(Some(&plural), serves) {
            let applied = api.patch(&name, &params, &Patch::Apply(&crd)).await;
            applied.with_context(|| format!("the definition {name} cannot be applied"))?;
            println!("customresourcedefinition.apiextensions.k8s.io/{name} applied");
        }
    }
    Ok(())
}

fn wanted(
    plural: Option<&str>,
    serves_beta: bool,
) -> impl Iterator<Item = CustomResourceDefinition> {
    definitions::all(serves_beta)
        .into_iter()
        .filter(move |crd| plural.is_none_or(|plural| crd.spec.names.plural == plural))
}

/// Whether it has the version that is served if somebody asks for it.
fn is_optional(crd: &CustomResourceDefinition) -> bool {
    let mut versions = crd.spec.versions.iter();
    versions.any(|version| version.name == OPTIONAL_VERSION)
}

/// Whether `v1beta1` is to be served. Before it is for the first time, somebody must be there to convert it: from then on
/// everything that names no version asks for it.
async fn serves_beta(
    api: &Api<CustomResourceDefinition>,
    name: &str,
    serve: Option<&str>,
) -> Result<bool> {
    let began = Instant::now();
    loop {
        let found = api.get_opt(name).await;
        let found = found.with_context(|| format!("the definition {name} cannot be read"))?;
        let is_served = found.as_ref().is_some_and(|crd| {
            let mut versions = crd.spec.versions.iter();
            versions.any(|version| version.name == OPTIONAL_VERSION && version.served)
        });
        match serve {
            None => return Ok(is_served),
            Some(newest) if newest != OPTIONAL_VERSION => return Ok(false),
            Some(_) if is_served || found.as_ref().is_some_and(is_converted) => return Ok(true),
            Some(_) if began.elapsed() > CONVERSION => bail!(
                "{OPTIONAL_VERSION} is not served: nobody converts it. The operator says so in spec.conversion of {name} when its webhook is there: is the definition that of this version, and does the operator run?"
            ),
            Some(_) => sleep(LOOK).await,
        }
    }
}

/// Whether the API server knows whom to ask, and whom to trust.
fn is_converted(crd: &CustomResourceDefinition) -> bool {
    let conversion = crd.spec.conversion.as_ref();
    let webhook = conversion.and_then(|conversion| conversion.webhook.as_ref());
    let client = webhook.and_then(|webhook| webhook.client_config.as_ref());
    client.is_some_and(|client| client.ca_bundle.is_some())
}
