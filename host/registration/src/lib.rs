//! Registration of MCPServers with LiteLLM: a level-triggered loop over all of them.
//!
//! - In: all MCPServers, the registrars among the plugins in force, and what those read: keys of ConfigMaps, rollouts of
//!   Deployments, answers of the services that their MCPPlugins name as connections.
//! - Out: the steps of the active registrar's plan, carried out; the condition `LiteLLMRegistered` on each MCPServer, and
//!   `Registrar` on each MCPPlugin with a registrar; a ConfigMap that says which registrar is active and which is drained.
//! - Never: two registrars that register at the same time; one that registers before that is recorded; a request that is
//!   cut off because the process is told to stop; knowledge of LiteLLM itself, which is the registrar's.
//!
//! [`controller`] says when a pass begins. [`reconcile`] is one pass: desired entries, selection of the registrar
//! ([`active_registrar`], which hands over from one to another and lets the [`drain`] of the one before run), observe and
//! [`plan`], [`execute`], conditions. [`registrars`] is the seam between the hand-over and everything outside of it.

mod active_registrar;
mod beliefs;
mod controller;
mod debounce;
mod drain;
mod error;
mod execute;
mod gateway_events;
mod observe;
mod plan;
mod plugin_registrars;
mod reconcile;
mod record;
mod registrar_conditions;
mod registrars;
mod registration_conditions;
mod requeue;
mod selection;
mod settings;
mod spans;
mod status_writer;
#[cfg(test)]
mod test_cluster;
#[cfg(test)]
mod test_records;
#[cfg(test)]
mod test_registrars;

pub use controller::{RegistrationContext, run};
pub use settings::RegistrationSettings;
