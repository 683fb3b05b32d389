//! The controller of MCPServers: from one resource to its objects and back to its status.
//!
//! [`reconcile`] is the list of steps; [`live`] knows what is there, [`apply`] and [`prune`] are the
//! only writers of objects, [`write_status`] of the status.

mod apply;
mod backoff;
mod context;
mod controller;
mod live;
mod prune;
mod reconcile;
mod servers;
mod write_status;

pub use context::Context;
pub use controller::run;
pub(crate) use reconcile::{Basis, complete, judge};
pub use servers::{Guarded, ServerRef, Servers};
