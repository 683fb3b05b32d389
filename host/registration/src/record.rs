//! What survives a restart: which registrar registered what is out there, and which is not drained yet.
//!
//! Without it, a registrar that was replaced while the operator was down would leave everything behind.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use mcp_operator_api::names::field_managers;
use mcp_operator_runtime::request;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use crate::error::RegistrationError;
use crate::registrars::{RecordStore, Registrar};

/// ConfigMap in the operator's namespace.
const NAME: &str = "mcp-operator-registry";
const KEY: &str = "registrars.json";

/// The registrars that may have registered something.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct HandoverRecord {
    /// Whose registrations are out there.
    #[serde(rename = "inForce")]
    pub(crate) active: Option<RecordedRegistrar>,
    /// Which ones came before, and may have left something behind.
    #[serde(rename = "leaving")]
    pub(crate) draining: Vec<RecordedRegistrar>,
}

/// A registrar, so that it can be asked again although its MCPPlugin is gone or says something else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RecordedRegistrar {
    /// Name of the MCPPlugin.
    pub(crate) plugin: String,
    /// Its specification.
    pub(crate) spec: Box<RawValue>,
}

impl RecordedRegistrar {
    pub(crate) fn of(registrar: &impl Registrar) -> Result<Self, RegistrationError> {
        let plugin = registrar.name().to_owned();
        match RawValue::from_string(registrar.spec().to_owned()) {
            Ok(spec) => Ok(Self { plugin, spec }),
            Err(source) => Err(RegistrationError::UnrecordablePlugin { plugin, source }),
        }
    }

    /// Whether this is what is recorded.
    pub(crate) fn is(&self, registrar: &impl Registrar) -> bool {
        self.plugin == registrar.name() && self.spec.get() == registrar.spec()
    }
}

/// The record in a ConfigMap of the operator's namespace.
pub(crate) struct RecordConfigMap {
    api: Api<ConfigMap>,
    location: String,
}

impl RecordConfigMap {
    pub(crate) fn new(client: Client, namespace: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            location: format!("ConfigMap {namespace}/{NAME}"),
        }
    }
}

impl RecordStore for RecordConfigMap {
    fn location(&self) -> &str {
        &self.location
    }

    async fn read(&self) -> Result<HandoverRecord, RegistrationError> {
        let get = self.api.get_opt(NAME);
        let found = request(|| format!("get {}", self.location), get).await?;
        match found.and_then(|map| map.data?.remove(KEY)) {
            None => Ok(HandoverRecord::default()),
            Some(text) => {
                serde_json::from_str(&text).map_err(|source| RegistrationError::UnreadableRecord {
                    location: self.location.clone(),
                    source,
                })
            }
        }
    }

    async fn write(&self, record: &HandoverRecord) -> Result<(), RegistrationError> {
        let text = serde_json::to_string_pretty(record).map_err(|source| {
            RegistrationError::UnwritableRecord {
                location: self.location.clone(),
                source,
            }
        })?;
        let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": NAME }, "data": { KEY: text } });
        let (params, patch) = (
            PatchParams::apply(field_managers::REGISTRY).force(),
            Patch::Apply(&map),
        );
        let write = self.api.patch(NAME, &params, &patch);
        request(|| format!("write {}", self.location), write).await?;
        Ok(())
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
