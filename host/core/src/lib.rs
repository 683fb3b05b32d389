//! The pure core of the MCP Server Operator.
//!
//! In come the custom resources, the operator's settings, the answers of plugins, what was observed in the cluster, and the
//! present time. Out come decisions: the objects of an MCPServer ([`build`], [`patch`], [`rotation`]), what of them an apply
//! would change ([`ssa_diff`]), its status ([`status`]), the answer to an admission request ([`admission`]), the servers that
//! the gateway should know ([`desired_entries`]) and when to try again after an error ([`retry`]).
//!
//! It never talks to anything, never waits, and never reads a clock, a random number, a file or the environment: everything
//! here is tested without a cluster.

pub mod admission;
pub mod adoption;
pub mod annotation;
pub mod autoscaler;
pub mod build;
pub mod conditions;
pub mod content_digest;
pub mod desired_entries;
pub mod exception;
pub mod field;
pub mod field_authors;
pub mod handover;
pub mod hash_key;
mod label_entry;
pub mod lease;
pub mod manifest;
pub mod namespace;
pub mod older_templates;
pub mod outcome;
pub mod owner_reference;
pub mod patch;
pub mod plan_execution;
pub mod plugin_spec;
pub mod pods;
pub mod private_values;
pub mod probe_failures;
pub mod ratchet;
pub mod registrar_grants;
pub mod registration_basis;
pub mod registration_plan;
pub mod registry_room;
mod remedies;
pub mod remote;
pub mod report;
pub mod retry;
pub mod rollout;
pub mod rollout_budget;
pub mod rotation;
mod server_conditions;
pub mod server_key;
pub mod ssa_diff;
pub mod status;
pub mod text;
pub mod validated_server;
pub mod violation;
pub mod yaml;

pub use mcp_operator_api::quantity;
