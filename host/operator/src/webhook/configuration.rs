//! The two webhook configurations, of which the leader fills in what only the running operator knows. For the rest they are
//! ordinary manifests (`deploy/`).

use std::fmt::Debug;

use json_patch::jsonptr::PointerBuf;
use json_patch::{PatchOperation, TestOperation};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use mcp_operator_api::names::field_managers;
pub(super) use mcp_operator_api::names::installation::CONFIGURATION as NAME;
use mcp_operator_runtime::{ApiError, Leadership, request};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::{info, warn};

/// How often a change is tried again at once that somebody else's came before.
const ATTEMPTS: usize = 5;

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Updated {
    /// It is as wanted, or is not there to be so.
    AsWanted,
    /// It is not, and another replica is who writes.
    NotLeading,
    /// It is not, or nobody knows; the log says why.
    Failed,
}

/// How the configurations are reached.
#[derive(Clone)]
pub(crate) struct Configurations {
    pub(crate) reader: Client,
    pub(crate) writer: Client,
    pub(crate) leadership: Leadership,
}

impl Configurations {
    /// Changes one of them, if this replica leads; `done` is what the log says of a change.
    ///
    /// Two tasks write to each, and whoever applies the manifests: what came between reading and writing is read again.
    pub(super) async fn update<K>(&self, change: impl Fn(&mut Value), done: &str) -> Updated
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
        K: Resource<Scope = kube::core::ClusterResourceScope>,
    {
        let kind = K::kind(&());
        let mut attempt = 1;
        loop {
            let found = match self.read::<K>().await {
                Ok(Some(found)) => found,
                Ok(None) => {
                    warn!(%kind, name = NAME, "not found: without it nothing is validated; apply the manifests of deploy/");
                    return Updated::AsWanted;
                }
                Err(error) => {
                    warn!(%kind, name = NAME, error, "cannot be read");
                    return Updated::Failed;
                }
            };
            let mut wanted = found.clone();
            change(&mut wanted);
            let Some(patch) = difference(&found, &wanted) else {
                return Updated::AsWanted;
            };
            if !self.leadership.is_held() {
                return Updated::NotLeading;
            }
            match self.patch::<K>(patch).await {
                Ok(()) => {
                    info!(%kind, name = NAME, "{done}");
                    return Updated::AsWanted;
                }
                Err(error) if attempt < ATTEMPTS && was_changed_meanwhile(&error) => attempt += 1,
                Err(error) => {
                    warn!(%kind, name = NAME, %error, "cannot be updated");
                    return Updated::Failed;
                }
            }
        }
    }

    async fn patch<K>(&self, patch: json_patch::Patch) -> Result<(), ApiError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
        K: Resource<Scope = kube::core::ClusterResourceScope>,
    {
        let params = PatchParams {
            field_manager: Some(field_managers::WEBHOOK.into()),
            ..PatchParams::default()
        };
        let patch = Patch::<K>::Json(patch);
        let api: Api<K> = Api::all(self.writer.clone());
        let patched = request(
            || format!("patch {} {NAME}", K::kind(&())),
            api.patch(NAME, &params, &patch),
        );
        patched.await.map(drop)
    }

    async fn read<K>(&self) -> Result<Option<Value>, String>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
        K: Resource<Scope = kube::core::ClusterResourceScope>,
    {
        let api: Api<K> = Api::all(self.reader.clone());
        let get = api.get_opt(NAME);
        let found = request(|| format!("get {} {NAME}", K::kind(&())), get).await;
        let found = found.map_err(|error| error.to_string())?;
        let value = found.map(serde_json::to_value).transpose();
        value.map_err(|error| error.to_string())
    }
}

/// Whether the object is another one than it was when it was read: the test in the patch fails, or the API server's own.
fn was_changed_meanwhile(error: &ApiError) -> bool {
    error.is_conflict() || error.code() == Some(422)
}

/// Nothing, if nothing differs.
pub(super) fn difference(found: &Value, wanted: &Value) -> Option<json_patch::Patch> {
    let mut patch = json_patch::diff(found, wanted);
    if patch.0.is_empty() {
        return None;
    }
    // The patch names webhooks by their place in the list: in a list that somebody has changed meanwhile, another one's.
    let seen = TestOperation {
        path: PointerBuf::from_tokens(["metadata", "resourceVersion"]),
        value: found["metadata"]["resourceVersion"].clone(),
    };
    patch.0.insert(0, PatchOperation::Test(seen));
    Some(patch)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
    use kube::core::ApiResource;
    use mcp_testkit::{ApiServer, Failure, Match, ResourceType, Times, Verb};
    use serde_json::json;

    use super::*;

    const KIND: &str = "ValidatingWebhookConfiguration";

    fn server() -> (ApiServer, Configurations) {
        let api = ApiServer::new();
        let resource = ApiResource::erase::<ValidatingWebhookConfiguration>(&());
        api.register(ResourceType::built_in(resource).cluster_scoped());
        api.put(json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": KIND, "metadata": { "name": NAME }, "webhooks": [],
        }));
        let configurations = Configurations {
            reader: api.client(),
            writer: api.client(),
            leadership: Leadership::unelected(),
        };
        (api, configurations)
    }

    async fn label(configurations: &Configurations) -> Updated {
        let label = |found: &mut Value| found["metadata"]["labels"] = json!({ "ours": "yes" });
        configurations
            .update::<ValidatingWebhookConfiguration>(label, "labelled")
            .await
    }

    #[tokio::test]
    async fn what_came_between_reading_and_writing_is_kept_and_the_change_made_at_once() {
        let (api, configurations) = server();
        api.before(Match::verb(Verb::Patch).kind(KIND), |api, _| {
            api.edit(KIND, "", NAME, |found| {
                found["metadata"]["annotations"] = json!({ "theirs": "yes" });
            });
        });
        assert_eq!(label(&configurations).await, Updated::AsWanted);
        let found = api.get(KIND, "", NAME).unwrap();
        assert_eq!(found["metadata"]["labels"]["ours"], "yes");
        assert_eq!(found["metadata"]["annotations"]["theirs"], "yes");
        let writes = api.writes().len();
        assert_eq!(label(&configurations).await, Updated::AsWanted);
        assert_eq!(api.writes().len(), writes, "and again changes nothing");
    }

    #[tokio::test]
    async fn what_is_refused_each_time_is_given_up() {
        let (api, configurations) = server();
        let patches = Match::verb(Verb::Patch).kind(KIND);
        api.fail(
            patches.clone(),
            Failure::new(422, "Invalid", "no"),
            Times::Always,
        );
        assert_eq!(label(&configurations).await, Updated::Failed);
        assert_eq!(api.requests_of(&patches).len(), ATTEMPTS);
        api.heal();
        api.clear_log();
        api.deny(patches.clone(), "not allowed");
        assert_eq!(label(&configurations).await, Updated::Failed);
        assert_eq!(
            api.requests_of(&patches).len(),
            1,
            "that does not change by itself"
        );
    }

    #[tokio::test]
    async fn who_does_not_lead_writes_nothing_and_sees_what_the_leader_did() {
        let (api, mut configurations) = server();
        configurations.leadership = Leadership::none();
        assert_eq!(label(&configurations).await, Updated::NotLeading);
        assert!(api.writes().is_empty());
        configurations.leadership = Leadership::unelected();
        assert_eq!(label(&configurations).await, Updated::AsWanted);
        configurations.leadership = Leadership::none();
        assert_eq!(label(&configurations).await, Updated::AsWanted);
    }
}
