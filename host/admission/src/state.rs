//! What requests are decided by.

use std::sync::Arc;

use mcp_operator_core::build;
use mcp_operator_policy::{NamespaceLookup, ServerLookup, Snapshots};

/// What requests are decided by.
#[derive(Clone)]
pub struct AdmissionState {
    /// The plugins in force.
    pub snapshots: Snapshots,
    /// Labels and annotations of namespaces.
    pub namespaces: Arc<dyn NamespaceLookup>,
    /// MCPServers as they are stored.
    pub servers: Arc<dyn ServerLookup>,
    /// How servers become objects.
    pub build: build::Settings,
    /// The namespace that the operator runs in. Outside of a cluster there is none.
    pub operator_namespace: Option<String>,
    /// The id of the trace that a request is a part of, if one is exported.
    pub trace_id: fn() -> Option<String>,
}
