//! The controller of MCPServers: from one resource to its objects and back to its status.
//!
//! [`reconcile`] is the list of steps; [`live`] and [`facts`] know what is there, [`apply`] (with [`create`] and [`patch`]) and [`prune`]
//! are the only writers of objects, [`write_status`] of the status, for which [`observe`] looks.

mod apis;
mod apply;
mod backoff;
mod coalesce;
mod context;
mod controller;
mod create;
mod facts;
mod live;
mod observe;
mod patch;
mod prune;
mod reconcile;
mod servers;
mod write_status;

pub(crate) use backoff::jitter;
pub use context::Context;
pub use controller::run;
pub(crate) use reconcile::{Basis, complete, judge};
pub use servers::{Guarded, ServerRef, Servers};
