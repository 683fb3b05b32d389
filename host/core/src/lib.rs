//! The pure core of the MCP Server Operator: what should be, computed from what is.
//!
//! Nothing here talks, waits or knows the time of day: time comes in as an argument. So everything
//! here is tested without a cluster. Three ways lead through it:
//!
//! - admission: [`field`] errors and plugin failures become a decision in [`admission`];
//! - reconcile: [`build`] makes objects from an MCPServer, [`patch`] completes them by what plugins
//!   say, [`rotation`] marks pods that must be replaced, [`owner`] tells whose an object is, [`ownership`]
//!   finds what must be written, [`status`] says how it stands, from [`rollout`] and [`pods`];
//! - registration: [`registry`] makes the list of servers that the gateway should know.
//!
//! [`schema`] is what the API server itself does with an object, for those who have none.
//! [`retry`] says, for every kind of error, when to try again.

pub mod admission;
pub mod build;
pub mod conditions;
pub mod field;
pub mod manifest;
pub mod owner;
pub mod ownership;
pub mod pass;
pub mod patch;
pub mod pods;
pub mod quantity;
pub mod registration;
pub mod registry;
pub mod retry;
pub mod rollout;
pub mod rotation;
pub mod schema;
mod statements;
pub mod status;
pub mod steps;
pub mod succession;
pub mod yaml;
