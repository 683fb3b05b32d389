//! `MCPPlugin.spec.settings`.

use mcp_plugin_sdk::{ConfigKey, Finding, Path, Workload};
use serde::Deserialize;

/// Where LiteLLM is.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Namespace of the ConfigMap.
    pub(crate) namespace: String,
    /// Name of the ConfigMap.
    pub(crate) config_map: String,
    /// Key that is owned.
    pub(crate) key: String,
    /// Workloads that read it: their pods are replaced when it changed. None: somebody else does that.
    pub(crate) workloads: Vec<WorkloadSetting>,
    /// Ask LiteLLM itself.
    pub(crate) verify: Option<Verify>,
}

/// How LiteLLM is asked whether it knows the servers.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Verify {
    /// Name of the connection in `MCPPlugin.spec.connections`.
    pub(crate) connection: String,
    /// Also whether it reaches them: for that it tries all its servers in each pass.
    #[serde(default)]
    pub(crate) health: bool,
}

/// A workload that reads the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WorkloadSetting {
    /// `Deployment`.
    #[serde(default = "deployment")]
    kind: String,
    /// Its namespace.
    namespace: String,
    /// Its name.
    name: String,
}

fn deployment() -> String {
    "Deployment".into()
}

impl Default for Settings {
    fn default() -> Self {
        let litellm = "litellm".to_owned();
        Self {
            namespace: litellm.clone(),
            config_map: "litellm-mcp-servers".into(),
            key: "mcp_servers.yaml".into(),
            workloads: vec![WorkloadSetting {
                kind: deployment(),
                namespace: litellm,
                name: "litellm-proxy".into(),
            }],
            verify: None,
        }
    }
}

impl Settings {
    /// The key, as reads and steps name it.
    pub(crate) fn config_key(&self) -> ConfigKey {
        ConfigKey {
            namespace: self.namespace.clone(),
            name: self.config_map.clone(),
            key: self.key.clone(),
        }
    }

    /// The workloads, as reads and steps name them.
    pub(crate) fn workloads(&self) -> impl Iterator<Item = Workload> {
        self.workloads.iter().map(|workload| Workload {
            kind: workload.kind.clone(),
            namespace: workload.namespace.clone(),
            name: workload.name.clone(),
        })
    }

    pub(crate) fn check(&self) -> Vec<Finding> {
        let empty = [
            ("namespace", &self.namespace),
            ("configMap", &self.config_map),
            ("key", &self.key),
        ];
        let connection = self
            .verify
            .as_ref()
            .map(|verify| ("verify.connection", &verify.connection));
        let empty = empty
            .into_iter()
            .chain(connection)
            .filter(|(_, value)| value.is_empty());
        let empty =
            empty.map(|(field, _)| Finding::required("settings", field, "must not be empty"));
        let kinds = self
            .workloads
            .iter()
            .enumerate()
            .filter(|(_, workload)| workload.kind != "Deployment");
        let kinds = kinds.map(|(index, workload)| {
            let field = Path::new("workloads").index(index).child("kind");
            Finding::not_supported("settings", field, &workload.kind, &["Deployment"])
        });
        empty.chain(kinds).collect()
    }
}
