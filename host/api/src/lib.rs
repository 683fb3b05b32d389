//! The custom resources of the MCP Server Operator: `MCPServer` and `MCPPlugin`, group
//! `mcp.litellm.ai`, version `v1alpha1`, and MCPServer in version `v1beta1` too.
//!
//! This crate is the contract with users. The YAML files in `crds/` are generated from it.
//! Without the feature `crd` it is nothing but serde types, which is what a plugin compiles in.

#![warn(missing_docs)]
#![cfg_attr(
    feature = "crd",
    expect(
        unreachable_pub,
        clippy::duplicated_attributes,
        reason = "KubeSchema makes a private copy of each public type; printer columns repeat their attributes"
    )
)]

pub mod authority;
pub mod cidr;
#[cfg(feature = "crd")]
pub mod conversion;
#[cfg(feature = "crd")]
pub mod definitions;
pub mod names;
pub mod quantity;
pub mod v1alpha1;
#[cfg(feature = "crd")]
pub mod v1beta1;

#[cfg(feature = "crd")]
mod schema;
