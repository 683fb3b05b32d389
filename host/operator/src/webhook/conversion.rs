//! Where the API server has MCPServers converted: a part of their definition that only the running operator knows.
//!
//! No manifest says it, so that whoever applies the definitions again neither empties nor moves it, and the leader applies
//! all of it, so that it stays when a manifest that had said it does not any more. The rest of the definition, and with it
//! which versions are served, is whose who applies it.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Api, Client, CustomResourceExt, Resource};
use mcp_operator_api::definitions::OPTIONAL_VERSION;
use mcp_operator_api::names::field_managers;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_runtime::request;
use serde_json::{Value, json};
use tracing::{info, warn};

use super::configuration::{Configurations, Updated};
use super::endpoint::Endpoint;

const PATH: &str = "/convert";

/// Has the API server ask this operator for conversions. A definition with one version needs none.
///
/// What fails keeps nobody waiting as long as the other version is not served: then nothing is ever converted.
pub(super) async fn point(
    configurations: &Configurations,
    endpoint: &Endpoint,
    ca_bundle: &str,
) -> Updated {
    let name = McpServer::crd_name();
    let api = definitions(configurations.reader.clone());
    let found = request(|| format!("get {name}"), api.get_opt(name)).await;
    let found = match found {
        Ok(Some(found)) => found.data,
        Ok(None) => return Updated::AsWanted,
        Err(error) => {
            warn!(%error, "whether MCPServers can be converted is not known");
            return Updated::AsWanted;
        }
    };
    let Some(version) = optional_version(&found) else {
        return Updated::AsWanted;
    };
    let conversion = conversion(endpoint, ca_bundle);
    if found["spec"]["conversion"] == conversion {
        return Updated::AsWanted;
    }
    // Beside a cluster, whoever runs the operator says where it is asked; of several replicas it can be one only.
    if matches!(endpoint, Endpoint::Address(_)) && url(&found) != url_of(&conversion) {
        return Updated::AsWanted;
    }
    if !configurations.leadership.is_held() {
        return Updated::NotLeading;
    }
    if let (Endpoint::Service { .. }, Some(url)) = (endpoint, url(&found)) {
        warn!(
            name,
            url,
            "an operator beside the cluster is asked to convert in place of this one: kubectl patch crd {name} --type=json --patch='[{{\"op\":\"remove\",\"path\":\"/spec/conversion\"}}]'"
        );
    }
    let applied = apply(configurations.writer.clone(), name, &conversion).await;
    match applied {
        Ok(()) => {
            info!(name, "has MCPServers converted here");
            Updated::AsWanted
        }
        Err(error) => {
            warn!(name, error, "cannot be updated");
            if version["served"] == true {
                Updated::Failed
            } else {
                Updated::AsWanted
            }
        }
    }
}

async fn apply(writer: Client, name: &str, conversion: &Value) -> Result<(), String> {
    let params = PatchParams::apply(field_managers::WEBHOOK).force();
    let definition = json!({
        "apiVersion": CustomResourceDefinition::api_version(&()), "kind": CustomResourceDefinition::kind(&()),
        "metadata": { "name": name }, "spec": { "conversion": conversion },
    });
    let patch = Patch::Apply(&definition);
    let api = definitions(writer);
    let applied = request(|| format!("apply {name}"), api.patch(name, &params, &patch)).await;
    applied.map(drop).map_err(|error| error.to_string())
}

/// They are large, and nobody needs their schemas as types.
fn definitions(client: Client) -> Api<DynamicObject> {
    Api::all_with(client, &ApiResource::erase::<CustomResourceDefinition>(&()))
}

fn optional_version(definition: &Value) -> Option<&Value> {
    let versions = definition["spec"]["versions"].as_array()?;
    versions
        .iter()
        .find(|version| version["name"] == OPTIONAL_VERSION)
}

fn url(definition: &Value) -> Option<&str> {
    url_of(&definition["spec"]["conversion"])
}

fn url_of(conversion: &Value) -> Option<&str> {
    conversion["webhook"]["clientConfig"]["url"].as_str()
}

/// With all that the API server would complete.
fn conversion(endpoint: &Endpoint, ca_bundle: &str) -> Value {
    let mut client = match endpoint {
        Endpoint::Service { namespace, name } => json!({
            "service": { "namespace": namespace, "name": name, "path": PATH, "port": 443 },
        }),
        Endpoint::Address(address) => json!({ "url": format!("https://{address}{PATH}") }),
    };
    client["caBundle"] = json!(ca_bundle);
    json!({
        "strategy": "Webhook",
        "webhook": { "clientConfig": client, "conversionReviewVersions": ["v1"] },
    })
}

#[cfg(test)]
mod tests {
    use mcp_operator_api::definitions;
    use mcp_operator_runtime::Leadership;
    use mcp_testkit::{ApiServer, Failure, Match, ResourceType, Times, Verb};

    use super::*;

    const KIND: &str = "CustomResourceDefinition";

    fn server(serves_beta: bool) -> (ApiServer, Configurations) {
        let api = ApiServer::new();
        let resource = ApiResource::erase::<CustomResourceDefinition>(&());
        api.register(ResourceType::built_in(resource).cluster_scoped());
        let [servers, _] = definitions::all(serves_beta);
        api.put(json!(servers));
        let configurations = Configurations {
            reader: api.client(),
            writer: api.client(),
            leadership: Leadership::unelected(),
        };
        (api, configurations)
    }

    fn service() -> Endpoint {
        Endpoint::Service {
            namespace: "n".into(),
            name: "w".into(),
        }
    }

    fn found(api: &ApiServer) -> Value {
        let found = api.get(KIND, "", McpServer::crd_name()).unwrap();
        found["spec"]["conversion"].clone()
    }

    #[tokio::test]
    async fn the_leader_says_where_and_again_changes_nothing() {
        let (api, mut configurations) = server(false);
        configurations.leadership = Leadership::none();
        let updated = point(&configurations, &service(), "Y2E=").await;
        assert_eq!(updated, Updated::NotLeading);
        assert!(api.writes().is_empty());
        configurations.leadership = Leadership::unelected();
        let before = api.get(KIND, "", McpServer::crd_name()).unwrap();
        for _ in 0..2 {
            let updated = point(&configurations, &service(), "Y2E=").await;
            assert_eq!(updated, Updated::AsWanted);
        }
        assert_eq!(api.writes().len(), 1);
        let client = &found(&api)["webhook"]["clientConfig"];
        assert_eq!(client["caBundle"], "Y2E=");
        assert_eq!(client["service"]["namespace"], "n");
        let after = api.get(KIND, "", McpServer::crd_name()).unwrap();
        assert_eq!(before["spec"]["versions"], after["spec"]["versions"]);
        point(&configurations, &service(), "Q0E=").await;
        assert_eq!(found(&api)["webhook"]["clientConfig"]["caBundle"], "Q0E=");
    }

    #[tokio::test]
    async fn beside_a_cluster_only_the_authority_is_written_and_only_where_it_is_asked() {
        let (api, configurations) = server(false);
        let beside = |port| Endpoint::Address(([127, 0, 0, 1], port).into());
        let asks = |port: u16| {
            let url = format!("https://127.0.0.1:{port}/convert");
            let edited = api.edit(KIND, "", McpServer::crd_name(), |found| {
                found["spec"]["conversion"] = json!({
                    "strategy": "Webhook",
                    "webhook": { "clientConfig": { "url": url }, "conversionReviewVersions": ["v1"] },
                });
            });
            edited.unwrap();
        };
        asks(9);
        api.clear_log();
        let updated = point(&configurations, &beside(8), "Y2E=").await;
        assert_eq!(updated, Updated::AsWanted);
        assert!(api.writes().is_empty());
        point(&configurations, &beside(9), "Y2E=").await;
        let client = found(&api)["webhook"]["clientConfig"].clone();
        let url = "https://127.0.0.1:9/convert";
        assert_eq!(client, json!({ "url": url, "caBundle": "Y2E=" }));
    }

    #[tokio::test]
    async fn a_definition_with_one_version_is_left_alone() {
        let (api, configurations) = server(false);
        api.put(json!(McpServer::crd()));
        let updated = point(&configurations, &service(), "Y2E=").await;
        assert_eq!(updated, Updated::AsWanted);
        assert!(api.writes().is_empty());
    }

    /// A certificate that is not trusted for conversions is not served while there may be some.
    #[tokio::test]
    async fn what_fails_is_waited_for_only_where_something_is_converted() {
        for (serves_beta, wanted) in [(false, Updated::AsWanted), (true, Updated::Failed)] {
            let (api, configurations) = server(serves_beta);
            let applies = Match::verb(Verb::Apply).kind(KIND);
            api.fail(applies, Failure::new(403, "Forbidden", "no"), Times::Always);
            assert_eq!(point(&configurations, &service(), "Y2E=").await, wanted);
        }
    }
}
