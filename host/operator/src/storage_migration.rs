//! `mcp-operator migrate-storage`: after another version has become the one that is stored, everything is written once in
//! it, and the definition forgets the one before. Until then no release may leave that one out.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use mcp_operator_api::names::field_managers;
use mcp_operator_api::v1alpha1::{McpPlugin, McpServer};
use mcp_operator_runtime::client::{cluster_config, connect};
use mcp_operator_runtime::{ApiError, request};
use serde_json::json;

const PATIENCE: Duration = Duration::from_mins(1);
/// Objects of one page of a list.
const PAGE: u32 = 100;
/// How often it is begun again, where a definition changes meanwhile.
const ATTEMPTS: usize = 5;

/// Migrates MCPServers and MCPPlugins.
///
/// # Errors
/// When the cluster cannot be asked, or refuses something: what was written is not in vain, and the command can be run again.
pub async fn migrate() -> Result<()> {
    let client = connect(&cluster_config("migrate-storage", PATIENCE).await?).await?;
    for name in [McpServer::crd_name(), McpPlugin::crd_name()] {
        println!("{}", of_definition(&client, name).await?);
    }
    Ok(())
}

/// Migrates the objects of one definition, and says what was done.
async fn of_definition(client: &Client, name: &str) -> Result<String> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for _ in 0..ATTEMPTS {
        let definition = request(|| format!("get {name}"), api.get(name)).await?;
        let versions = &definition.spec.versions;
        let stored = versions.iter().find(|version| version.storage);
        let stored = stored.with_context(|| format!("{name} stores no version"))?;
        let status = definition.status.as_ref();
        let noted = status.and_then(|status| status.stored_versions.clone());
        let noted = noted.unwrap_or_default();
        if noted == [stored.name.as_str()] {
            return Ok(format!("{name}: all is stored as {}", stored.name));
        }
        let count = write_all(client, &definition, &stored.name).await?;
        match forget_others(&api, &definition, &stored.name).await {
            Ok(()) => {
                let before = noted.join(", ");
                let stored = &stored.name;
                return Ok(format!(
                    "{name}: {count} objects are stored as {stored}, and none as another of {before}"
                ));
            }
            // It may store another version now.
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("{name} changes all the time: try again")
}

/// Writes every object as it is: the API server stores it anew if it was stored in another version, and only then.
async fn write_all(
    client: &Client,
    definition: &CustomResourceDefinition,
    version: &str,
) -> Result<usize> {
    let names = &definition.spec.names;
    let kind = GroupVersionKind::gvk(&definition.spec.group, version, &names.kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, &names.plural);
    let all: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let mut page = ListParams::default().limit(PAGE);
    let mut count = 0;
    loop {
        let list = request(|| format!("list {}", names.plural), all.list(&page)).await?;
        for object in &list.items {
            write(client, &resource, object).await?;
            count += 1;
        }
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(count),
        }
    }
}

async fn write(client: &Client, resource: &ApiResource, object: &DynamicObject) -> Result<()> {
    let name = object.name_any();
    let api: Api<DynamicObject> = match object.namespace() {
        Some(namespace) => Api::namespaced_with(client.clone(), &namespace, resource),
        None => Api::all_with(client.clone(), resource),
    };
    let unchanged = json!({ "metadata": { "resourceVersion": object.resource_version() } });
    let params = PatchParams {
        field_manager: Some(field_managers::DEFINITIONS.into()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(&unchanged);
    let written = request(
        || format!("patch {} {name}", resource.kind),
        api.patch(&name, &params, &patch),
    );
    match written.await {
        // Somebody has written it meanwhile, or deleted it: both are as good.
        Err(error) if !(error.is_conflict() || error.is_not_found()) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Nothing is stored in another version any more, if the definition is still as it was when that began.
async fn forget_others(
    api: &Api<CustomResourceDefinition>,
    definition: &CustomResourceDefinition,
    stored: &str,
) -> Result<(), ApiError> {
    let name = definition.name_any();
    let status = json!({
        "metadata": { "resourceVersion": definition.resource_version() },
        "status": { "storedVersions": [stored] },
    });
    let params = PatchParams::default();
    let patch = Patch::Merge(&status);
    let patched = request(
        || format!("patch the status of {name}"),
        api.patch_status(&name, &params, &patch),
    );
    patched.await.map(drop)
}

#[cfg(test)]
mod tests {
    use mcp_testkit::{ApiServer, Match, ResourceType, Verb, objects};

    use super::*;

    const KIND: &str = "CustomResourceDefinition";

    /// A cluster in which `v1beta1` was stored for a while.
    fn server() -> ApiServer {
        let api = ApiServer::new();
        let resource = ApiResource::erase::<CustomResourceDefinition>(&());
        api.register(ResourceType::built_in(resource).cluster_scoped());
        let [definition, _] = mcp_operator_api::definitions::all(false);
        let mut definition = json!(definition);
        definition["status"] = json!({
            "acceptedNames": { "kind": "MCPServer", "plural": "mcpservers" },
            "conditions": [], "storedVersions": ["v1alpha1", "v1beta1"],
        });
        api.put(definition);
        for number in 0..3 {
            api.put(objects::mcp_server("ns", &format!("s-{number}")));
        }
        api
    }

    fn stored(api: &ApiServer) -> serde_json::Value {
        let definition = api.get(KIND, "", McpServer::crd_name()).unwrap();
        definition["status"]["storedVersions"].clone()
    }

    #[tokio::test]
    async fn every_object_is_written_once_and_again_changes_nothing() {
        let api = server();
        let before = api.get("MCPServer", "ns", "s-0").unwrap();
        let said = of_definition(&api.client(), McpServer::crd_name()).await;
        let said = said.unwrap();
        assert!(said.contains("3 objects are stored as v1alpha1"), "{said}");
        assert_eq!(stored(&api), json!(["v1alpha1"]));
        let patches = api.requests_of(&Match::verb(Verb::Patch).kind("MCPServer"));
        assert_eq!(patches.len(), 3);
        let after = api.get("MCPServer", "ns", "s-0").unwrap();
        assert_eq!(before["spec"], after["spec"]);
        let writes = api.writes().len();
        let said = of_definition(&api.client(), McpServer::crd_name()).await;
        assert!(said.unwrap().ends_with("all is stored as v1alpha1"));
        assert_eq!(api.writes().len(), writes);
    }

    /// What is stored in another version must not be forgotten by the definition.
    #[tokio::test]
    async fn a_definition_that_changes_meanwhile_is_read_again() {
        let api = server();
        api.before(Match::verb(Verb::Patch).kind("MCPServer"), |api, _| {
            api.edit(KIND, "", McpServer::crd_name(), |definition| {
                definition["metadata"]["labels"] = json!({ "a": "b" });
            });
        });
        of_definition(&api.client(), McpServer::crd_name())
            .await
            .unwrap();
        assert_eq!(stored(&api), json!(["v1alpha1"]));
        let lists = api.requests_of(&Match::verb(Verb::List).kind("MCPServer"));
        assert_eq!(lists.len(), 2);
    }

    #[tokio::test]
    async fn what_is_refused_is_told_and_the_definition_forgets_nothing() {
        let api = server();
        api.deny(Match::verb(Verb::Patch).kind("MCPServer"), "not allowed");
        let error = of_definition(&api.client(), McpServer::crd_name()).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("patch MCPServer s-0"), "{error}");
        assert_eq!(stored(&api), json!(["v1alpha1", "v1beta1"]));
    }
}
