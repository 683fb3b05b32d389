//! The contract's version 0.1.0: its types and typed calls, and what becomes of them.
//!
//! Records are taken apart by all of their fields: one that nobody takes over does not compile.

mod answers;
mod questions;

mod generated {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::pedantic,
        reason = "generated code; the WIT package documents it"
    )]

    wasmtime::component::bindgen!({
        path: "../../wit/0.1.0",
        inline: "
            package mcp-operator:host;
            world every-interface {
                export mcp-operator:plugin/metadata@0.1.0;
                export mcp-operator:plugin/validator@0.1.0;
                export mcp-operator:plugin/defaulter@0.1.0;
                export mcp-operator:plugin/registrar@0.1.0;
            }
        ",
        world: "mcp-operator:host/every-interface",
        exports: { default: async },
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

pub(crate) use generated::exports::mcp_operator::plugin::{
    defaulter, metadata, registrar, validator,
};
pub(crate) use generated::mcp_operator::plugin::types;

pub(crate) use answers::{failure, findings, patches, plan, reads};
pub(crate) use questions::{Lists, named, request, stage};
