//! `mcp-operator migrate-storage`: everything is of the version that is stored, and of no other. Two things are not, after a
//! while: objects that were written when another version was stored, and notes of who manages which fields in a version that is
//! not served any more. The API server refuses to leave out of the definition what is still stored, and it applies
//! nothing to an object of which somebody manages fields in a version that it does not know.

mod managers;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use mcp_operator_api::definitions::{OPTIONAL_VERSION, STORED_VERSION};
use mcp_operator_api::names::field_managers;
use mcp_operator_api::v1alpha1::{McpPlugin, McpServer};
use mcp_operator_runtime::client::{cluster_config, connect};
use mcp_operator_runtime::{ApiError, request};
use serde_json::json;

const PATIENCE: Duration = Duration::from_mins(1);
/// Objects of one page of a list.
const PAGE: u32 = 100;
/// How often it is begun again, where a definition changes meanwhile, and how often an object is read again that somebody
/// else has written.
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
        let migration = Migration::of(client, &definition)?;
        let written = migration.write_all().await?;
        let stored = &migration.stored;
        if migration.stored_before == [stored.as_str()] {
            return Ok(format!(
                "{name}: all is {stored}, {written} objects written"
            ));
        }
        match forget_others(&api, &definition, stored).await {
            Ok(()) => {
                let before = migration.stored_before.join(" and ");
                return Ok(format!(
                    "{name}: all is {stored}, where it was {before}; {written} objects written"
                ));
            }
            // It may store another version now.
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("{name} changes all the time: try again")
}

/// What is done to the objects of one definition.
struct Migration<'a> {
    client: &'a Client,
    resource: ApiResource,
    /// The version that is stored.
    stored: String,
    /// Those that objects may be stored in.
    stored_before: Vec<String>,
    /// `apiVersion`s that nobody can write any more.
    left: Vec<String>,
}

impl<'a> Migration<'a> {
    fn of(client: &'a Client, definition: &CustomResourceDefinition) -> Result<Self> {
        let (group, names) = (&definition.spec.group, &definition.spec.names);
        let versions = &definition.spec.versions;
        let stored = versions.iter().find(|version| version.storage);
        let stored = stored.with_context(|| format!("no version of {} is stored", names.plural))?;
        let kind = GroupVersionKind::gvk(group, &stored.name, &names.kind);
        let status = definition.status.as_ref();
        let is_served = |name: &str| versions.iter().any(|it| it.served && it.name == name);
        // The definition may have forgotten a version already: after somebody went back to a release before it.
        let left = [STORED_VERSION, OPTIONAL_VERSION].into_iter();
        let left = left.filter(|name| !is_served(name));
        Ok(Self {
            client,
            resource: ApiResource::from_gvk_with_plural(&kind, &names.plural),
            stored: stored.name.clone(),
            stored_before: status
                .and_then(|status| status.stored_versions.clone())
                .unwrap_or_default(),
            left: left.map(|name| format!("{group}/{name}")).collect(),
        })
    }

    /// Writes every object that needs it, and says how many.
    async fn write_all(&self) -> Result<usize> {
        let all: Api<DynamicObject> = Api::all_with(self.client.clone(), &self.resource);
        let mut page = ListParams::default().limit(PAGE);
        let mut written = 0;
        loop {
            let plural = &self.resource.plural;
            let list = request(|| format!("list {plural}"), all.list(&page)).await?;
            for object in list.items {
                written += usize::from(self.write(object).await?);
            }
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(written),
            }
        }
    }

    /// Writes an object, with what it says: the API server stores it anew, if it was stored in another version.
    async fn write(&self, mut object: DynamicObject) -> Result<bool> {
        let name = object.name_any();
        let resource = &self.resource;
        let api: Api<DynamicObject> = match object.namespace() {
            Some(namespace) => Api::namespaced_with(self.client.clone(), &namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        };
        for _ in 0..ATTEMPTS {
            let managers = managers::converted(&object, &self.left, &resource.api_version);
            let managers = managers.map_err(anyhow::Error::msg);
            let managers = managers.with_context(|| format!("{} {name}", resource.kind))?;
            let mut metadata = json!({ "resourceVersion": object.resource_version() });
            match managers {
                Some(managers) => metadata["managedFields"] = json!(managers),
                None if self.stored_before == [self.stored.as_str()] => return Ok(false),
                None => {}
            }
            let params = PatchParams {
                field_manager: Some(field_managers::DEFINITIONS.into()),
                ..PatchParams::default()
            };
            let patch = Patch::Merge(json!({ "metadata": metadata }));
            let written = request(
                || format!("patch {} {name}", resource.kind),
                api.patch(&name, &params, &patch),
            );
            match written.await {
                Ok(_) => return Ok(true),
                Err(error) if error.is_not_found() => return Ok(false),
                Err(error) if error.is_conflict() => {
                    let get = request(
                        || format!("get {} {name}", resource.kind),
                        api.get_opt(&name),
                    );
                    match get.await? {
                        Some(found) => object = found,
                        None => return Ok(false),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        bail!("{} {name} changes all the time: try again", resource.kind)
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
        let resource = ResourceType::built_in(resource).cluster_scoped();
        api.register(resource.with_status());
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
        assert!(
            said.contains("all is v1alpha1, where it was v1alpha1 and v1beta1; 3 objects"),
            "{said}"
        );
        assert_eq!(stored(&api), json!(["v1alpha1"]));
        let patches = api.requests_of(&Match::verb(Verb::Patch).kind("MCPServer"));
        assert_eq!(patches.len(), 3);
        let after = api.get("MCPServer", "ns", "s-0").unwrap();
        assert_eq!(before["spec"], after["spec"]);
        let writes = api.writes().len();
        let said = of_definition(&api.client(), McpServer::crd_name()).await;
        assert!(
            said.unwrap()
                .ends_with("all is v1alpha1, 0 objects written")
        );
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
