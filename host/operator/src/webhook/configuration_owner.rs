//! Has the webhook configurations leave with the operator's namespace.
//!
//! They belong to no namespace. Whoever deletes only that of the operator would leave them behind, and with them no MCPServer
//! could be made or changed any more. So the namespace is made their owner, and the garbage collector takes them along.

use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Resource, ResourceExt};
use mcp_operator_runtime::request;
use serde_json::{Value, json};
use tracing::warn;

use super::configuration::Configurations;

/// Somebody may delete them, and apply the manifests again.
const INTERVAL: Duration = Duration::from_mins(1);

/// What the garbage collector goes by.
pub(crate) struct ConfigurationOwner {
    pub(crate) configurations: Configurations,
    /// The operator's own.
    pub(crate) namespace: String,
}

impl ConfigurationOwner {
    /// For as long as the process runs.
    pub(crate) async fn run(self) {
        loop {
            self.configurations.leadership.acquired().await;
            match self.owner().await {
                Ok(owner) => {
                    let own = |configuration: &mut Value| own(configuration, &owner);
                    let done = "leaves with the operator's namespace";
                    let configurations = &self.configurations;
                    configurations
                        .update::<MutatingWebhookConfiguration>(own, done)
                        .await;
                    configurations
                        .update::<ValidatingWebhookConfiguration>(own, done)
                        .await;
                }
                Err(error) => warn!(
                    namespace = self.namespace,
                    error, "the webhook configurations would outlive it"
                ),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// The reference to the namespace.
    async fn owner(&self) -> Result<Value, String> {
        let namespaces: Api<Namespace> = Api::all(self.configurations.reader.clone());
        let get = namespaces.get(&self.namespace);
        let found = request(|| format!("get Namespace {}", self.namespace), get).await;
        let found = found.map_err(|error| error.to_string())?;
        Ok(json!({
            "apiVersion": Namespace::api_version(&()), "kind": Namespace::kind(&()),
            "name": found.name_any(), "uid": found.uid(),
        }))
    }
}

/// Takes the place of a reference to an earlier namespace of this name; other owners stay.
fn own(configuration: &mut Value, owner: &Value) {
    let Some(metadata) = configuration["metadata"].as_object_mut() else {
        return;
    };
    let owners = metadata.entry("ownerReferences").or_insert(json!([]));
    let Some(owners) = owners.as_array_mut() else {
        return;
    };
    if owners.contains(owner) {
        return;
    }
    owners.retain(|other| other["kind"] != owner["kind"]);
    owners.push(owner.clone());
}

#[cfg(test)]
mod tests {
    use super::super::configuration::difference;
    use super::*;

    #[test]
    fn an_owner_is_added_once_and_others_stay() {
        let owner =
            |uid: &str| json!({ "apiVersion": "v1", "kind": "Namespace", "name": "n", "uid": uid });
        let other = json!({ "apiVersion": "v1", "kind": "Other", "name": "o", "uid": "0" });
        let mut configuration = json!({ "metadata": { "resourceVersion": "7" } });
        own(&mut configuration, &owner("1"));
        assert_eq!(
            configuration["metadata"]["ownerReferences"],
            json!([owner("1")])
        );
        configuration["metadata"]["ownerReferences"] = json!([owner("1"), other]);
        let mut again = configuration.clone();
        own(&mut again, &owner("1"));
        assert_eq!(
            difference(&configuration, &again),
            None,
            "and again changes nothing"
        );
        own(&mut again, &owner("2"));
        assert_eq!(
            again["metadata"]["ownerReferences"],
            json!([other, owner("2")])
        );
    }
}
