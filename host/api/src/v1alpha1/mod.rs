//! Version `v1alpha1` of the custom resources.

mod litellm;
mod network_policy;
mod observability;
mod plugin;
mod scalar;
mod scheduling;
mod secrets;
mod server;
#[cfg(feature = "crd")]
mod status;
mod workload;

pub use litellm::{LiteLlm, LiteLlmAuth, LiteLlmAuthType};
pub use network_policy::{EgressRule, NetworkPolicy};
pub use observability::{HealthProbes, Metrics, Observability, Probe, Tracing};
pub use plugin::{
    ConfigMapSource, Connection, ConnectionAuth, FailurePolicy, McpPluginSpec, Mode, OnExisting,
    PluginLimits, PluginSource, SecretKeyReference, Verify,
};
#[cfg(feature = "crd")]
pub use plugin::{McpPlugin, McpPluginStatus, PluginMatch, PluginRule};
pub use scalar::{IntOrPercent, Quantity};
pub use scheduling::{Affinity, Autoscaling, PodDisruptionBudget, Spread};
pub use secrets::{Aws, Secret, SecretStore};
#[cfg(feature = "crd")]
pub use server::McpServer;
pub use server::{McpServerSpec, ServerType, Transport};
#[cfg(feature = "crd")]
pub use status::{Endpoints, LiteLlmStatus, McpServerStatus, Phase};
pub use workload::{
    EnvVar, EnvVarSource, Image, KeySelector, LocalReference, PullPolicy, Resources,
};
