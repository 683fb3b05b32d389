//! What survives a restart: who registered what is out there, and who has not yet left.
//!
//! Without it, a registrar that was replaced while the operator was down would leave everything behind.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use mcp_operator_api::names::field_managers;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::plugins::ActivePlugin;

/// ConfigMap in the operator's namespace.
const NAME: &str = "mcp-operator-registry";
const KEY: &str = "registrars.json";

/// Who registered, and who has not yet left.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Record {
    /// Whose registrations are out there.
    pub(super) in_force: Option<Recorded>,
    /// Who came before, and may have left something behind.
    pub(super) leaving: Vec<Recorded>,
}

/// A registrar, so that it can be asked again although its MCPPlugin is gone or says something else.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Recorded {
    /// Name of the MCPPlugin.
    pub(super) plugin: String,
    /// Its specification.
    pub(super) spec: Box<RawValue>,
}

impl Recorded {
    pub(super) fn of(plugin: &ActivePlugin) -> Option<Self> {
        let spec = RawValue::from_string(plugin.spec().to_owned()).ok()?;
        Some(Self {
            plugin: plugin.name().to_owned(),
            spec,
        })
    }

    pub(super) fn is(&self, plugin: &ActivePlugin) -> bool {
        self.plugin == plugin.name() && self.spec.get() == plugin.spec()
    }
}

/// Where the record is kept.
pub(super) struct Records {
    api: Api<ConfigMap>,
    place: String,
}

impl Records {
    pub(super) fn new(client: Client, namespace: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            place: format!("ConfigMap {namespace}/{NAME}"),
        }
    }

    /// Where it is, for people.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) async fn read(&self) -> Result<Record, Error> {
        let found = self.api.get_opt(NAME).await;
        let found = found.map_err(|error| Error::api(format!("get {}", self.place), error))?;
        let text = found.and_then(|map| map.data?.remove(KEY));
        text.map_or_else(
            || Ok(Record::default()),
            |text| {
                serde_json::from_str(&text).map_err(|error| Error::UnreadableRecord {
                    place: self.place.clone(),
                    why: error.to_string(),
                })
            },
        )
    }

    pub(super) async fn write(&self, record: &Record) -> Result<(), Error> {
        // Texts and JSON can always be written.
        let text = serde_json::to_string_pretty(record).unwrap_or_default();
        let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": NAME }, "data": { KEY: text } });
        let params = PatchParams::apply(field_managers::REGISTRY).force();
        let written = self.api.patch(NAME, &params, &Patch::Apply(&map)).await;
        written
            .map(drop)
            .map_err(|error| Error::api(format!("write {}", self.place), error))
    }
}
