//! `MCPServer`: one MCP server and everything that it needs.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{LiteLlm, Observability, Secret, Spread};
use crate::v1alpha1::{
    Autoscaling, Aws, EmptyDir, EnvVar, HealthProbes, Image, LocalReference, MAX_REPLICAS,
    NetworkPolicy, NodeSelector, PodDisruptionBudget, Remote, Resources, SecretStore,
    SecurityContext, ServerType, Sessions, Strategy, Toleration, Transport,
};

/// What a team wants of its MCP server. Only `image` must be given, or `remote` in its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
        group = "mcp.litellm.ai",
        version = "v1beta1",
        kind = "MCPServer",
        root = "McpServer",
        plural = "mcpservers",
        singular = "mcpserver",
        // Four other groups define a kind MCPServer: a short name that is ours alone.
        shortname = "llmcp",
        category = "mcp",
        namespaced,
        status = "crate::v1alpha1::McpServerStatus",
        derive = "PartialEq",
        doc = "An MCP server: one manifest that becomes a Deployment, a Service, a ServiceAccount, secrets, monitoring and a registration with LiteLLM.",
        scale(
            spec_replicas_path = ".spec.replicas",
            status_replicas_path = ".status.replicas",
            label_selector_path = ".status.selector"
        ),
        printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
        printcolumn(name = "Ready", type_ = "string", json_path = ".status.ready"),
        printcolumn(name = "Transport", type_ = "string", json_path = ".spec.transport"),
        printcolumn(
            name = "Registered",
            type_ = "string",
            json_path = r#".status.conditions[?(@.type=="LiteLLMRegistered")].status"#
        ),
        printcolumn(name = "Endpoint", type_ = "string", json_path = ".status.endpoints.service"),
        printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
        validation = kube::core::Rule::new("self.metadata.name.size() <= 50")
            .message("metadata.name must be at most 50 characters: names of the objects and labels are made from it"),
        validation = kube::core::Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
            .message("metadata.name must be a DNS label (lower case letters, digits and '-', beginning with a letter): a Service is named after it"),
    )]
#[x_kube(validation = kube::core::Rule::new("!has(self.path) || self.path.startsWith('/')")
        .message("must begin with '/'")
        .field_path(".path"),
        validation = kube::core::Rule::new("!(self.transport == 'sse' && has(self.litellm.protocolVersion) && self.litellm.protocolVersion == '2026-07-28')")
        .message("2026-07-28 is not spoken over the transport sse: choose http, or leave this out")
        .field_path(".litellm.protocolVersion"),
        validation = kube::core::Rule::new("has(self.image) != has(self.remote)")
        .message("exactly one of image and remote must be given: image is for a server that runs in this cluster, remote for one that runs elsewhere"),
        validation = kube::core::Rule::new("!has(self.serviceAccountName) || !has(self.aws) || !has(self.aws.iamRole)")
        .message("excludes aws.iamRole, which is an annotation of the service account that the operator makes: give yours the annotation")
        .field_path(".serviceAccountName"))]
#[serde(rename_all = "camelCase")]
pub struct McpServerSpec {
    /// What kind of thing stands behind the server: `external-saas` (a service on the Internet,
    /// such as GitHub), `aws-service` (an AWS API, reached with `aws.iamRole`), or `internal-api`
    /// (something in your own network). Default: `internal-api`.
    #[serde(rename = "type", default)]
    pub server_type: ServerType,

    /// How clients speak to the server: `http` (streamable HTTP) or `sse` (HTTP with server-sent events, which MCP has
    /// deprecated). Default: `http`.
    #[serde(default)]
    pub transport: Transport,

    /// Container image of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,

    /// A server that runs elsewhere, such as one of a vendor: it is registered with LiteLLM, by the same rules, and nothing
    /// is made in the cluster. It takes the place of `image`, and excludes everything that is about pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<Remote>,

    /// Port that the server listens on, in the container and on the Service. Default: 8080.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,

    /// Path of the MCP endpoint. Default: `/mcp` for transport `http`, `/sse` for `sse`. LiteLLM
    /// uses the URL exactly as it is, so a wrong path shows as a server without tools. No more than
    /// 256 characters. For example `/api/mcp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub path: Option<String>,

    /// Whether the requests of a client stay with one pod: `Sticky` (the default), for servers that keep sessions in memory,
    /// as most of those before the MCP revision 2026-07-28 do, or `None`. LiteLLM is one client: with `Sticky`, each pod of
    /// LiteLLM uses one pod of the server, however many there are.
    #[serde(default)]
    pub sessions: Sessions,

    /// Number of pods. Default: 2. Ignored where `autoscaling` is given.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 0, max = MAX_REPLICAS))]
    pub replicas: i32,

    /// Scales the number of pods by load (a HorizontalPodAutoscaler). Default: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,

    /// How many pods may be away at a time when nodes are drained.
    #[serde(default)]
    pub pod_disruption_budget: PodDisruptionBudget,

    /// How pods are spread over nodes and zones.
    #[serde(default)]
    pub spread: Spread,

    /// Labels that a node must have to run the pods: `{kubernetes.io/arch: arm64}`. Default: none.
    #[serde(default, skip_serializing_if = "NodeSelector::is_empty")]
    #[schemars(schema_with = "crate::schema::node_selector")]
    pub node_selector: NodeSelector,

    /// Taints of nodes on which the pods may run all the same: `[{key: pool, value: mcp}]`. Which ones a team may name is the
    /// platform's word. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub tolerations: Vec<Toleration>,

    /// RuntimeClass of the pods, for example `gvisor`. Which ones a team may name is the platform's word. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub runtime_class_name: Option<String>,

    /// PriorityClass of the pods, for example `tools`. Which ones a team may name is the platform's word. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub priority_class_name: Option<String>,

    /// How pods are replaced when something about them changes.
    #[serde(default)]
    pub strategy: Strategy,

    /// Who the server runs as.
    #[serde(default)]
    pub security_context: SecurityContext,

    /// Empty folders that the server may write to, besides `/tmp`: `[{mountPath: /home/node, sizeLimit: 256Mi}]`. The root
    /// file system is read-only. A program that asks for its home may need `env: [{name: HOME, value: /home/node}]` too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["mountPath".into()]))]
    #[schemars(length(max = 16))]
    pub empty_dirs: Vec<EmptyDir>,

    /// A ServiceAccount of your own, in the namespace of the MCPServer, for example `kubernetes-reader`. Which ones a team may
    /// name is the platform's word. Default: `mcp-NAME`, which the operator makes and which may do nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub service_account_name: Option<String>,

    /// Whether the pods get a token of their service account, for a server that speaks to the Kubernetes API. It is the
    /// platform's word, too. Default: false.
    #[serde(default)]
    pub automount_service_account_token: bool,

    /// CPU and memory of the container. Limits are required, by rule or by default, unless the
    /// platform team has decided otherwise.
    #[serde(default)]
    pub resources: Resources,

    /// Replaces the image's entry point, one word an item: `["python", "-m", "server"]`. Default:
    /// the image's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 8192)))]
    pub command: Vec<String>,

    /// Arguments of the entry point, one word an item: `["--log-level", "debug"]`. Default: the
    /// image's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 8192)))]
    pub args: Vec<String>,

    /// Environment variables: `[{name: LOG_LEVEL, value: debug}]`. They win over what `config` and `secrets` define.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 256))]
    pub env: Vec<EnvVar>,

    /// Secrets with registry credentials, in the namespace of the MCPServer: `[{name: ghcr}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["name".into()]))]
    pub image_pull_secrets: Vec<LocalReference>,

    /// Seconds that a pod has to end its sessions before it is killed. Default: 30.
    #[serde(default = "default_grace")]
    #[schemars(range(min = 0, max = 86_400))]
    pub termination_grace_period_seconds: i64,

    /// Configuration that is not secret, free-form. It becomes a ConfigMap: the file
    /// `/etc/mcp/config.yaml` with all of it, and an environment variable for each top-level scalar
    /// (`githubOrg` becomes `GITHUB_ORG`). Variables that the system itself reads, such as `PATH`, `HOME` and those of
    /// the dynamic linker, are never made of it: `path` and `home` are in the file only. No more than 512 names and 256 KiB.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "crate::schema::config")]
    pub config: Map<String, Value>,

    /// Secrets, fetched from the secret store by External Secrets and given to the container as
    /// environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 64))]
    pub secrets: Vec<Secret>,

    /// Where `secrets` come from. Default: the operator's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_store: Option<SecretStore>,

    /// AWS identity of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<Aws>,

    /// Health probes: by TCP, or by HTTP where a path is stated.
    #[serde(default)]
    pub probes: HealthProbes,

    /// Metrics and tracing.
    #[serde(default)]
    pub observability: Observability,

    /// Restricts who may reach the pods and what they may reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_policy: Option<NetworkPolicy>,

    /// Registration with LiteLLM.
    #[serde(default)]
    pub litellm: LiteLlm,
}

fn default_port() -> i32 {
    8080
}

fn default_replicas() -> i32 {
    2
}

fn default_grace() -> i64 {
    30
}
