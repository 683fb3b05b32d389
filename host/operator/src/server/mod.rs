//! The controller of MCPServers: from one resource to its objects and back to its status.
//!
//! [`servers`] is the watch that wakes it, [`controller`] says when a pass may run, [`lane`] which of them gives way,
//! [`pace`] when the next one comes, [`reconcile`] is the list of its steps, [`memory`] what it leaves to the next.
//! [`live`] and [`facts`] know what is there, [`apply`] (with [`create`], [`contest`] and [`patch`]), [`prune`] and
//! [`orphans`] (both with [`delete`]) are the only writers of objects, [`write_status`] of the status, for which
//! [`observe`] looks.

mod apis;
mod apply;
mod backoff;
mod basis;
mod coalesce;
mod contest;
mod context;
mod controller;
mod create;
mod delete;
mod facts;
mod lane;
mod live;
mod memory;
mod observe;
mod orphans;
mod pace;
mod patch;
mod pending;
mod prune;
mod reconcile;
mod reference;
mod servers;
mod settled;
mod told;
mod write_status;

pub(crate) use backoff::jitter;
pub use context::Context;
pub use controller::run;
pub(crate) use reconcile::{Basis, complete, judge};
pub use reference::{Guarded, ServerRef};
pub use servers::Servers;
