//! What the operator counts, and the text in which Prometheus reads it.
//!
//! - In: observations, through the small handle that each part is given ([`ReconcileMetrics`], [`AdmissionMetrics`],
//!   [`PluginCallMetrics`], [`RegistrationMetrics`], [`CertificateMetrics`], [`TraceMetrics`]); and, when somebody
//!   scrapes, what others hold anyway ([`Fleet`], [`QueueState`], [`PluginState`]).
//! - Out: the text formats of Prometheus and OpenMetrics ([`Metrics::encode`]).
//! - Never: it knows no Kubernetes, no plugin host and no client, has no global value, and takes no lock for what is counted
//!   on the way of a request or a call.
//!
//! **Cardinality.** No name of an MCPServer is ever a label. Namespaces are, up to [`MAX_NAMESPACES`]; those with the fewest
//! servers count together beyond that. Names of plugins are written by the platform, and the series of a plugin go with it.
//! All other values are words of the operator's own code. A handle that is made by `Default` counts for nobody.

mod admission;
mod certificates;
mod fleet;
mod histogram;
mod leader;
mod plugin_calls;
mod plugins;
mod queues;
mod reconciles;
mod registration;
mod registry;
mod traces;
mod violations;

pub use admission::{AdmissionMetrics, AdmissionRequest, Verdict, Webhook};
pub use certificates::{CertificateMetrics, CertificateRole};
pub use fleet::{Fleet, MAX_NAMESPACES, OTHER_NAMESPACES};
pub use plugin_calls::{PluginCall, PluginCallMetrics, PluginCalls};
pub use plugins::PluginState;
pub use queues::QueueState;
pub use reconciles::{ReconcileMetrics, ReconcileResult};
pub use registration::{RegistrationMetrics, StepResult};
pub use registry::{Format, Metrics};
pub use traces::{SpanOutcome, TraceMetrics};
