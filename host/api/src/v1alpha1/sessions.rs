//! Whether requests of a client stay with one pod.

use serde::{Deserialize, Serialize};

/// Whether requests of a client stay with one pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub enum Sessions {
    /// All connections from one address reach the same pod, where the session is that they belong to. A gateway is one
    /// address, so that each of its pods uses one pod of the server.
    #[default]
    Sticky,
    /// Each connection reaches any pod.
    None,
}
