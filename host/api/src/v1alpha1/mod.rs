//! Version `v1alpha1` of the custom resources.
//!
//! Everything has an upper end, so that the API server refuses what is too long with its own clear message. It is that of
//! the place where a value ends up:
//!
//! | what | at most | because of |
//! |---|---|---|
//! | names of objects, keys of Secrets and ConfigMaps | 253 | DNS subdomains, `metadata.name` |
//! | names of namespaces and builtin plugins | 63 | DNS labels |
//! | `image.repository`, `image.tag` | 255, 128 | the grammar of references to images (distribution) |
//! | `awsSecretKey` | 512 | names in AWS Secrets Manager |
//! | `iamRole` | 2048 | ARNs in the API of AWS |
//! | URLs | 1024 or 2048 | what servers of HTTP take |
//! | `path` | 256 | it is a part of a URL in LiteLLM's one file, which all servers share |
//! | values of variables, arguments | 32768, 8192 | Linux takes 128 KiB for one (`MAX_ARG_STRLEN`), and a manifest holds 1 MiB of all |
//! | `cidr` | 49 | the longest address of IPv6, and its prefix |
//! | `replicas` | 1000 | above it, one Deployment is most of what a control plane can do |
//! | seconds of probes, of the grace period | an hour, a day | who waits longer waits for nothing |
//! | lists | 16 to 256 | far above what servers have, and few enough for rules to look at each item |
//! | conditions | as `metav1.Condition` | Kubernetes' own definition |

mod grants;
mod litellm;
mod litellm_calls;
mod network_policy;
mod observability;
mod plugin;
mod plugin_source;
mod pod;
mod probes;
mod remote;
mod scalar;
mod scheduling;
mod secrets;
mod server;
mod sessions;
#[cfg(feature = "crd")]
mod status;
mod workload;

pub use grants::{ConfigMapGrant, PluginGrants, WorkloadGrant, WorkloadKind};
pub use litellm::{LiteLlm, LiteLlmAuth, LiteLlmAuthType};
pub use litellm_calls::{LiteLlmLimits, LiteLlmToolParameters, ProtocolVersion};
pub use network_policy::{EgressRule, NetworkPolicy};
pub use observability::{Metrics, Observability, Tracing};
pub use plugin::{
    Connection, ConnectionAuth, ConnectionSecretKey, FailurePolicy, McpPluginSpec, Mode,
    OnExisting, PluginException, PluginLimits,
};
#[cfg(feature = "crd")]
pub use plugin::{McpPlugin, McpPluginStatus, PluginMatch, PluginRule};
pub use plugin_source::{
    ConfigMapKey, ConfigMapSource, OciSource, PluginSource, PublicKeySource, SourceVerification,
};
pub use pod::{
    EmptyDir, NodeSelector, SecurityContext, Strategy, StrategyType, TaintEffect, Toleration,
    TolerationOperator,
};
pub use probes::{HealthProbes, Probe, ProbeAction, ProbeHeader, ProbeType};
pub use remote::Remote;
pub use scalar::{IntOrPercent, Quantity};
pub use scheduling::{Affinity, Autoscaling, PodDisruptionBudget, Spread};
pub use secrets::{Aws, Secret, SecretStore};
#[cfg(feature = "crd")]
pub use server::McpServer;
pub use server::{MAX_REPLICAS, McpServerSpec, ServerType, Transport};
pub use sessions::Sessions;
#[cfg(feature = "crd")]
pub use status::{DefaultedField, Endpoints, LiteLlmStatus, McpServerStatus, Phase};
pub use workload::{
    EnvVar, EnvVarSource, Image, KeySelector, LocalReference, PullPolicy, Resources,
};
