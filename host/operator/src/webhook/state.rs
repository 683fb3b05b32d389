//! What requests are judged by.

use mcp_operator_core::build;

use crate::namespaces::Namespaces;
use crate::plugins::Snapshots;

/// What requests are judged by.
#[derive(Clone)]
pub struct State {
    /// The plugins in force.
    pub snapshots: Snapshots,
    /// Labels of namespaces.
    pub namespaces: Namespaces,
    /// How servers become objects.
    pub build: build::Settings,
}
