//! `MCPPlugin`: puts a plugin into force.

#[cfg(feature = "crd")]
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
#[cfg(feature = "crd")]
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{PluginGrants, PluginSource, Quantity};

/// What a platform team wants of a plugin. Only `source` must be given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(CustomResource, KubeSchema))]
#[cfg_attr(
    feature = "crd",
    kube(
        group = "mcp.litellm.ai",
        version = "v1alpha1",
        kind = "MCPPlugin",
        root = "McpPlugin",
        plural = "mcpplugins",
        singular = "mcpplugin",
        shortname = "llmcpp",
        category = "mcp",
        status = "McpPluginStatus",
        derive = "PartialEq",
        doc = "A plugin in force: a WebAssembly component with validation rules, defaults or a registration strategy.",
        printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
        printcolumn(
            name = "Interfaces",
            type_ = "string",
            json_path = ".status.interfaces"
        ),
        printcolumn(name = "Digest", type_ = "string", json_path = ".status.shortDigest"),
        printcolumn(
            name = "Ready",
            type_ = "string",
            json_path = r#".status.conditions[?(@.type=="Ready")].status"#
        ),
        printcolumn(
            name = "Reason",
            type_ = "string",
            json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
        ),
        printcolumn(
            name = "Violations",
            type_ = "integer",
            json_path = ".status.violatingServers"
        ),
        printcolumn(
            name = "Priority",
            type_ = "integer",
            json_path = ".spec.priority",
            priority = 1
        ),
        printcolumn(
            name = "Age",
            type_ = "date",
            json_path = ".metadata.creationTimestamp"
        ),
    )
)]
#[serde(rename_all = "camelCase")]
pub struct McpPluginSpec {
    /// Where the component comes from: `{builtin: validation}`.
    pub source: PluginSource,

    /// SHA-256 of the component, 64 hexadecimal digits. A component with another one is refused,
    /// wherever it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 64), regex(pattern = "^[0-9a-f]{64}$"))
    )]
    pub sha256: Option<String>,

    /// Settings of the plugin, free-form: what they can be is the plugin's own, for example
    /// `allowedRegistries: [ghcr.io/acme]` of `validation`. The plugin judges them before they are
    /// used. Default: none.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "crd", schemars(schema_with = "crate::schema::settings"))]
    pub settings: Map<String, Value>,

    /// What a finding does: `enforce` (the default) refuses the object, `warn` shows a warning to the user,
    /// `audit` only records it.
    #[serde(default)]
    pub mode: Mode,

    /// What happens to a request where the operator cannot ask the plugin, because it is not loaded
    /// or there are too many calls at once: `Fail` (the default) refuses it, `Ignore` goes on. What
    /// the object itself does to the plugin (a trap, no answer in time, too much memory) refuses it
    /// in both cases. In the modes `warn` and `audit` a failing plugin never refuses anything.
    /// Objects are never written without the defaults of a plugin in `enforce`.
    #[serde(default)]
    pub failure_policy: FailurePolicy,

    /// What happens in LiteLLM to a server that was admitted before and that this plugin refuses now, in the mode
    /// `enforce`: `Deregister` (the default) removes it, `Restrict` takes only forbidden `allowedUserGroups` and
    /// `allowedTools` from it and removes it for everything else, `Keep` leaves it as it is. Its objects stay in any case.
    #[serde(default)]
    pub on_existing: OnExisting,

    /// Order of plugins, smaller first. Default: 100. It matters for defaults, where each plugin sees what the
    /// one before it did, and for registrars, of which the first one is in force.
    #[serde(default = "default_priority")]
    #[cfg_attr(feature = "crd", schemars(range(min = -1_000_000, max = 1_000_000)))]
    pub priority: i32,

    /// Which MCPServers the plugin is for; both selectors must agree. Default: all.
    #[cfg(feature = "crd")]
    #[serde(default, rename = "match")]
    pub matches: PluginMatch,

    /// MCPServers that need not pass the rules of the plugin for a while. What they break is a warning then, which says who
    /// answers for it and until when. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "crd", schemars(length(max = 256)))]
    pub exceptions: Vec<PluginException>,

    /// Time and memory for one call. Default: 1000 milliseconds and `64Mi`.
    #[serde(default)]
    pub limits: PluginLimits,

    /// Services that the plugin may plan requests to. Only registrars use them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "crd", x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["name".into()])))]
    #[cfg_attr(feature = "crd", schemars(length(max = 16)))]
    pub connections: Vec<Connection>,

    /// What the plugin may reach besides its connections: of the cluster, if it is a registrar; of MCPServers and their
    /// labels and annotations, if it is a defaulter. Default: nothing.
    #[serde(default, skip_serializing_if = "PluginGrants::is_empty")]
    pub grants: PluginGrants,
}

fn default_priority() -> i32 {
    100
}

/// What a finding does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Refuses the object.
    #[default]
    Enforce,
    /// Shows a warning to the user.
    Warn,
    /// Only records it.
    Audit,
}

/// What happens to a request where a plugin itself fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub enum FailurePolicy {
    /// The request is refused.
    #[default]
    Fail,
    /// The request goes on as if the plugin were not there, unless it was the object that made it fail.
    Ignore,
}

/// What happens in LiteLLM to a server that breaks a rule which came after it. The order is that of strictness.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub enum OnExisting {
    /// It stays as it is.
    Keep,
    /// It loses the groups and tools that are forbidden. For anything else, it is removed.
    Restrict,
    /// It is removed.
    #[default]
    Deregister,
}

/// Which MCPServers a plugin is for.
#[cfg(feature = "crd")]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginMatch {
    /// By the labels of the namespace: `{matchLabels: {env: prod}}`. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::label_selector")]
    pub namespace_selector: Option<LabelSelector>,
    /// By the labels of the MCPServer: `{matchLabels: {team: payments}}`. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::label_selector")]
    pub object_selector: Option<LabelSelector>,
}

/// An MCPServer, or all of a namespace, that need not pass rules of a plugin until a day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub struct PluginException {
    /// Namespace of the MCPServer.
    #[cfg_attr(feature = "crd", schemars(length(min = 1, max = 63)))]
    pub namespace: String,
    /// Name of the MCPServer. Default: all of the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(min = 1, max = 253)))]
    pub name: Option<String>,
    /// Codes of the rules, as denials and `status.rules` show them. Default: all rules of the plugin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "crd", schemars(length(max = 64), inner(length(max = 253))))]
    pub rules: Vec<String>,
    /// Who answers for it: a team, a person, a ticket.
    #[cfg_attr(feature = "crd", schemars(length(min = 1, max = 253)))]
    pub owner: String,
    /// Its end, after which the rules hold again: `2027-01-31T00:00:00Z`.
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 64), extend("format" = "date-time"))
    )]
    pub until: String,
}

/// Time and memory for one call of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PluginLimits {
    /// Milliseconds that a call may take, at most 10000. Default: 1000.
    #[serde(default = "default_timeout")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 10000)))]
    pub timeout_milliseconds: i32,

    /// Memory that a call may use, for example `128Mi`; at most half of what the operator has for
    /// all calls. Default: `64Mi`.
    #[serde(default = "default_memory")]
    pub memory: Quantity,
}

fn default_timeout() -> i32 {
    1000
}

fn default_memory() -> Quantity {
    Quantity("64Mi".into())
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            timeout_milliseconds: default_timeout(),
            memory: default_memory(),
        }
    }
}

/// A service that a plugin may plan requests to. The operator adds the credential; the plugin
/// never sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Name that the plugin uses, for example `litellm`.
    #[cfg_attr(feature = "crd", schemars(length(max = 253)))]
    pub name: String,
    /// Base URL: `http://litellm-proxy.litellm.svc:4000`. Nothing outside of it is reached.
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 2048), regex(pattern = "^https?://[^/].*$"))
    )]
    pub base_url: String,
    /// Credential that the operator adds to each request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<ConnectionAuth>,
    /// Certificate authorities for `https`, in PEM. Default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(max = 262_144)))]
    pub ca_bundle: Option<String>,
    /// Milliseconds that a request may take, at most 120000. Default: 30000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 120_000)))]
    pub timeout_milliseconds: Option<i32>,
}

/// A credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConnectionAuth {
    /// The Secret key that holds a bearer token: `{name: litellm-mcp-operator, key: token}`.
    pub secret_key_ref: ConnectionSecretKey,
}

/// A key of a Secret in the operator's own namespace: whoever may create MCPPlugins could read any Secret of the cluster
/// otherwise, by a connection to a service of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub struct ConnectionSecretKey {
    /// Name of the Secret.
    #[cfg_attr(feature = "crd", schemars(length(max = 253)))]
    pub name: String,
    /// Key in its data.
    #[cfg_attr(feature = "crd", schemars(length(max = 253)))]
    pub key: String,
}

/// What the operator says about an MCPPlugin.
#[cfg(feature = "crd")]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = { "observedGeneration": -1 }))]
pub struct McpPluginStatus {
    /// `Ready`: the plugin is in force as the specification says. If an update is bad, it is False
    /// and the message says why, while the last good component stays in force: `digest` names it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,

    /// `metadata.generation` that this status is about; -1 until the operator has looked at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Digest of the component in force: `sha256:...`. Absent: none is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub digest: Option<String>,

    /// The first twelve digits of `digest`, for tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub short_digest: Option<String>,

    /// The artifact of a registry that is in force, by its digest: what the tag of
    /// `spec.source.oci.reference` stood for when it was looked at last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1100))]
    pub resolved_reference: Option<String>,

    /// The keys that have signed the component in force, of those that it must be signed by:
    /// the SHA-256 of each, in DER.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2), inner(length(max = 128)))]
    pub signed_by: Vec<String>,

    /// How many MCPServers are stored that break a rule of the plugin, in whatever `mode` it is: what `enforce` would
    /// refuse. It is told when all of them were judged by the plugins in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "int32"))]
    pub violating_servers: Option<u32>,

    /// Interfaces that the component in force exports, or the last one did: `validator,defaulter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub interfaces: Option<String>,

    /// Version of the contract that the component in force was built for: `1.0.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub contract: Option<String>,

    /// Name that the component gives itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub name: Option<String>,

    /// Version of the component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub version: Option<String>,

    /// What the component does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub summary: Option<String>,

    /// Rules of the component.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub rules: Vec<PluginRule>,
}

/// One rule of a plugin.
#[cfg(feature = "crd")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PluginRule {
    /// Stable identifier.
    #[schemars(length(max = 1024))]
    pub code: String,
    /// What it demands.
    #[schemars(length(max = 1024))]
    pub summary: String,
}
