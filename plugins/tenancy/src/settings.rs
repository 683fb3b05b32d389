//! `MCPPlugin.spec.settings`: what holds for every namespace that has not the annotation.

use std::collections::BTreeMap;

use mcp_operator_api::{cidr, quantity};
use mcp_plugin_sdk::v1alpha1::Quantity;
use mcp_plugin_sdk::{Finding, Path};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Namespaces of the platform itself: whatever their servers ask for is the platform's word. By default that of LiteLLM.
    pub(crate) trusted_namespaces: Vec<String>,
    /// Namespaces with all of these labels are trusted, too. Without any, none is.
    pub(crate) trusted_namespace_labels: BTreeMap<String, String>,
    /// Patterns of keys; `<namespace>` is the name of the namespace.
    pub(crate) secret_keys: Vec<String>,
    /// Whether a server may leave out `secretStore`, and so read from the store of the operator's options. The platform
    /// chose that store for all servers, and by their keys each namespace has a part of its own in it.
    pub(crate) default_secret_store: bool,
    /// Patterns of names of ClusterSecretStores. By default that of the operator's options, for those who write it down.
    pub(crate) cluster_secret_stores: Vec<String>,
    /// Patterns of ARNs.
    pub(crate) iam_roles: Vec<String>,
    /// Patterns of access groups.
    pub(crate) access_groups: Vec<String>,
    /// Patterns of hosts, with the port where a URL names one, of servers that run elsewhere.
    pub(crate) remote_hosts: Vec<String>,
    /// Ranges of addresses. Without it: each one that is narrow enough.
    pub(crate) egress: Option<Vec<String>>,
    /// Whether every server must ask for a NetworkPolicy. Without one, each pod of the cluster may call the server past LiteLLM.
    pub(crate) require_network_policy: bool,
    /// Patterns of namespaces, besides the server's own, with a collector of traces.
    pub(crate) tracing_namespaces: Vec<String>,
    pub(crate) max_replicas: i32,
    /// Of one pod, as the three below.
    pub(crate) max_cpu: Quantity,
    pub(crate) max_memory: Quantity,
    pub(crate) max_ephemeral_storage: Quantity,
    /// Patterns of names of other resources.
    pub(crate) extended_resources: Vec<String>,
    /// Patterns of names of PriorityClasses.
    pub(crate) priority_classes: Vec<String>,
    /// Patterns of names of RuntimeClasses.
    pub(crate) runtime_classes: Vec<String>,
    /// Patterns of keys of taints that may be tolerated.
    pub(crate) tolerations: Vec<String>,
    /// Codes of rules that are switched off.
    pub(crate) disabled_rules: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trusted_namespaces: vec!["litellm".into()],
            trusted_namespace_labels: BTreeMap::new(),
            secret_keys: vec!["<namespace>/*".into()],
            default_secret_store: true,
            cluster_secret_stores: vec!["aws-secrets-manager".into()],
            iam_roles: Vec::new(),
            access_groups: vec!["<namespace>".into()],
            remote_hosts: Vec::new(),
            egress: None,
            require_network_policy: false,
            tracing_namespaces: Vec::new(),
            max_replicas: 20,
            max_cpu: Quantity("8".into()),
            max_memory: Quantity("16Gi".into()),
            max_ephemeral_storage: Quantity("64Gi".into()),
            extended_resources: Vec::new(),
            priority_classes: Vec::new(),
            runtime_classes: Vec::new(),
            tolerations: Vec::new(),
            disabled_rules: Vec::new(),
        }
    }
}

impl Settings {
    /// `codes` are those of all rules.
    pub(crate) fn check(&self, codes: &[&str]) -> Vec<Finding> {
        let lists = [
            ("trustedNamespaces", &self.trusted_namespaces),
            ("secretKeys", &self.secret_keys),
            ("clusterSecretStores", &self.cluster_secret_stores),
            ("iamRoles", &self.iam_roles),
            ("accessGroups", &self.access_groups),
            ("remoteHosts", &self.remote_hosts),
            ("tracingNamespaces", &self.tracing_namespaces),
            ("extendedResources", &self.extended_resources),
            ("priorityClasses", &self.priority_classes),
            ("runtimeClasses", &self.runtime_classes),
            ("tolerations", &self.tolerations),
        ];
        let texts = lists.into_iter().flat_map(|(name, list)| {
            complaints(name, list, |text| {
                let is_good = !text.is_empty() && text.trim() == text;
                (!is_good).then_some("must neither be empty nor begin or end with a space")
            })
        });
        let ranges = complaints("egress", self.egress.iter().flatten(), |text| {
            cidr::parse(text)
                .is_none()
                .then_some("must be a range of addresses such as 10.0.0.0/8")
        });
        let quantities = [
            ("maxCpu", &self.max_cpu),
            ("maxMemory", &self.max_memory),
            ("maxEphemeralStorage", &self.max_ephemeral_storage),
        ];
        let is_none = |(_, value): &(&str, &Quantity)| quantity::nano(&value.0).is_none();
        let quantities = quantities.into_iter().filter(is_none).map(|(name, value)| {
            let message = "must be a quantity such as 8 or 16Gi";
            Finding::invalid("settings", Path::new(name), value, message)
        });
        let replicas = (self.max_replicas < 1).then(|| {
            let field = Path::new("maxReplicas");
            Finding::invalid("settings", field, self.max_replicas, "must be at least 1")
        });
        let rules = self
            .disabled_rules
            .iter()
            .enumerate()
            .filter(|(_, code)| !codes.contains(&code.as_str()))
            .map(|(index, code)| {
                let field = Path::new("disabledRules").index(index);
                Finding::not_supported("settings", field, code, codes)
            });
        texts
            .chain(ranges)
            .chain(quantities)
            .chain(replicas)
            .chain(rules)
            .collect()
    }
}

fn complaints<'a>(
    name: &str,
    list: impl IntoIterator<Item = &'a String>,
    complaint: impl Fn(&str) -> Option<&'static str>,
) -> Vec<Finding> {
    let items = list.into_iter().enumerate();
    items
        .filter_map(|(index, text)| {
            let field = Path::new(name).index(index);
            Some(Finding::invalid("settings", field, text, complaint(text)?))
        })
        .collect()
}
