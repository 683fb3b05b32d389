//! The two webhook configurations, of which the leader fills in what only the running operator knows. For the rest they are
//! ordinary manifests (`deploy/`).

use std::fmt::Debug;

use json_patch::jsonptr::PointerBuf;
use json_patch::{PatchOperation, TestOperation};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use mcp_operator_api::names::field_managers;
use mcp_operator_runtime::{Leadership, request};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::{info, warn};

/// Name of both configurations.
pub(super) const NAME: &str = "mcp-operator";

/// How the configurations are reached.
#[derive(Clone)]
pub(crate) struct Configurations {
    pub(crate) reader: Client,
    pub(crate) writer: Client,
    pub(crate) leadership: Leadership,
}

impl Configurations {
    /// Changes one of them, if this replica leads. Says whether it is as wanted now, or is not there to be so; `done` is what
    /// the log says of a change.
    pub(super) async fn update<K>(&self, change: impl FnOnce(&mut Value), done: &str) -> bool
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
        K: Resource<Scope = kube::core::ClusterResourceScope>,
    {
        let kind = K::kind(&());
        let found = match self.read::<K>().await {
            Ok(Some(found)) => found,
            Ok(None) => {
                warn!(%kind, name = NAME, "not found: without it nothing is validated; apply the manifests of deploy/");
                return true;
            }
            Err(error) => {
                warn!(%kind, name = NAME, error, "cannot be read");
                return false;
            }
        };
        let mut wanted = found.clone();
        change(&mut wanted);
        let Some(patch) = difference(&found, &wanted) else {
            return true;
        };
        if !self.leadership.is_held() {
            return false;
        }
        let params = PatchParams {
            field_manager: Some(field_managers::WEBHOOK.into()),
            ..PatchParams::default()
        };
        let patch = Patch::<K>::Json(patch);
        let api: Api<K> = Api::all(self.writer.clone());
        let patched = request(
            || format!("patch {kind} {NAME}"),
            api.patch(NAME, &params, &patch),
        );
        match patched.await {
            Ok(_) => {
                info!(%kind, name = NAME, "{done}");
                true
            }
            Err(error) => {
                warn!(%kind, name = NAME, %error, "cannot be updated");
                false
            }
        }
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
