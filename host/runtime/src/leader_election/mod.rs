//! Leader election by a `Lease`: of several replicas, one writes.
//!
//! The rules are in `core/lease.rs`; here are its requests. One lease for everything that is written: controller,
//! registration and statuses of plugins hand each other what they know in memory, and two leaders of parts would have to
//! agree through the cluster instead.

mod election;
mod leadership;
mod write_client;

pub use election::{Election, ElectionSettings, NAME as LEASE_NAME};
pub use leadership::{Leadership, Term};
pub use write_client::write_client;
