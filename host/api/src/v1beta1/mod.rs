//! Version `v1beta1` of MCPServer: what `v1alpha1` says, by better names.
//!
//! | `v1alpha1` | `v1beta1` | why |
//! |---|---|---|
//! | `observability.healthProbes` | `probes` | a probe restarts containers: that is no observation |
//! | `observability.tracing.jaegerEndpoint` | `observability.tracing.endpoint` | it takes OTLP, whoever collects it |
//! | `affinity.podAntiAffinity`, `affinity.zoneSpread` | `spread.nodes`, `spread.zones` | it is one word each, and no `affinity` as that of a pod |
//! | `secrets[].awsSecretKey` | `secrets[].key` | the store may be any that External Secrets reads |
//! | `litellm.allowedUserGroups` | `litellm.accessGroups` | LiteLLM's own name |
//!
//! Each is a field at another place, with the same value: nothing can be said in one version that cannot be said in the
//! other, so no annotation has to carry a rest. [`crate::conversion`] moves them. MCPPlugin has one version: none of its
//! fields has to be called otherwise.
//!
//! What is equal in both versions is the type of `v1alpha1`. The operator itself reads `v1alpha1`, which is what is stored.

mod litellm;
mod observability;
mod secrets;
mod server;
mod spread;

pub use litellm::LiteLlm;
pub use observability::{Observability, Tracing};
pub use secrets::Secret;
pub use server::{McpServer, McpServerSpec};
pub use spread::Spread;
