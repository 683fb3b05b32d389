//! Registration: a level-triggered loop over all MCPServers.
//!
//! [`controller`] says when, [`pass`] goes once from the servers to the gateway: desired registry,
//! [`read`] what the registrar asks for, its plan, [`execute`] the plan's steps, conditions.

mod controller;
mod execute;
mod pass;
mod read;
mod write_conditions;

pub use controller::run;
