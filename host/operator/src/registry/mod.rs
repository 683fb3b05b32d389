//! Registration: a level-triggered loop over all MCPServers.
//!
//! [`controller`] says when. [`pass`] goes once from the servers to the gateway: desired registry, whose turn it is
//! ([`succession`], which keeps a [`record`]; the [`departure`] of the one before), [`consult`] that registrar (what it
//! wants to [`read`], and its plan), [`execute`] the plan's steps, [`statements`] for the conditions.

use std::path::PathBuf;

use kube::Client;
use mcp_plugin_host::Host;

use crate::connections::LeftAlone;
use crate::settings::Settings;

mod consult;
mod controller;
mod departure;
mod execute;
mod pass;
mod plugin_conditions;
mod read;
mod record;
mod statements;
mod succession;
mod write_conditions;

pub use controller::run;

/// What registrars are asked with, and their plans carried out with.
pub struct Tools {
    /// The cluster.
    pub client: Client,
    /// What the administrator decides.
    pub settings: Settings,
    /// Runs plugins.
    pub host: Host,
    /// Folder with the plugins that `spec.source.builtin` names.
    pub builtin: PathBuf,
    /// Namespace of the operator.
    pub namespace: String,
    /// Services that want no request now.
    pub left_alone: LeftAlone,
}
