//! `MCPPlugin.spec.settings`.

use mcp_plugin_sdk::{ConfigKey, Finding, Path, Workload};
use serde::Deserialize;

/// The file, and the workloads that read it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    pub(crate) namespace: String,
    pub(crate) config_map: String,
    /// The key that the operator owns.
    pub(crate) key: String,
    /// Workloads that read the file and are rolled out when it changes. An empty list leaves rollouts to others.
    pub(crate) workloads: Vec<WorkloadSetting>,
    /// Verify the registration by LiteLLM's own list.
    pub(crate) verify: Option<Verify>,
}

/// How the registration is verified.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Verify {
    /// Name of the connection in `MCPPlugin.spec.connections`.
    pub(crate) connection: String,
    /// Also verify that LiteLLM reaches the servers. It then connects to all of them for every plan.
    #[serde(default)]
    pub(crate) health: bool,
}

/// A workload that reads the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WorkloadSetting {
    /// Only `Deployment` is supported.
    #[serde(default = "deployment")]
    kind: String,
    namespace: String,
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
    pub(crate) fn config_key(&self) -> ConfigKey {
        ConfigKey {
            namespace: self.namespace.clone(),
            name: self.config_map.clone(),
            key: self.key.clone(),
        }
    }

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
