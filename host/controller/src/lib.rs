//! The controller of MCPServers: from one resource to its objects, and back to its status.
//!
//! - In: MCPServers and everything that happens to their objects, pods and Secrets ([`cache`]), the plugins in force, the
//!   labels of namespaces.
//! - Out: the objects, by server-side apply of what differs ([`apply`], [`create`]), deletions ([`prune`], [`orphans`]), the
//!   status ([`status_writer`]) and events about an MCPServer; what servers break of rules ([`violations`], [`mod@reports`]).
//! - Never: it writes an object that is not its own or is as it should be already, and it knows nothing of the registration
//!   but the condition in which that speaks.
//!
//! [`reconcile`] is the list of steps. [`schedule`] is when they run: it knows the [`requeue`] policy. [`noop_cache`] is why
//! most reconciles end early, [`workers`] run them, [`controller`] wires it all to the work queue.

mod adopt;
mod apply;
mod cache;
mod context;
mod controller;
mod create;
mod delete;
mod error;
mod events;
mod fight_detector;
mod hash_key;
mod identity_delay;
mod noop_cache;
mod observe;
mod older_templates;
mod orphans;
mod probe_failures;
mod prune;
mod reconcile;
mod reports;
mod requeue;
mod rotation;
mod schedule;
mod server_side_apply;
mod spans;
mod status_writer;
mod take_back;
mod violations;
mod workers;

#[cfg(test)]
mod tests;

pub use context::ControllerSettings;
pub use controller::Controller;
pub use hash_key::{HashKeyError, obtain_hash_key};
