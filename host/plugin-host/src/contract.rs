//! The contract's types and typed calls, generated from `wit/1.0.0`. Those of 0.1.0 are in [`v0_1`], which makes the present
//! ones of them: the rest of the operator knows only these.
//!
//! Arguments borrow (`&str`, slices), so a call copies each document once, into the guest. Answers are owned.

pub(crate) mod v0_1;

mod generated {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::pedantic,
        reason = "generated code; the WIT package documents it"
    )]

    // No published world exports every interface, because no plugin has to. This one only generates a typed accessor
    // for each of them; `exports::Exports::find` looks up which ones a component has.
    wasmtime::component::bindgen!({
        path: "../../wit/1.0.0",
        inline: "
            package mcp-operator:host;
            world every-interface {
                export mcp-operator:plugin/metadata@1.0.0;
                export mcp-operator:plugin/validator@1.0.0;
                export mcp-operator:plugin/defaulter@1.0.0;
                export mcp-operator:plugin/registrar@1.0.0;
            }
        ",
        world: "mcp-operator:host/every-interface",
        exports: { default: async },
        ownership: Borrowing { duplicate_if_necessary: true },
        additional_derives: [PartialEq],
    });
}

pub use generated::exports::mcp_operator::plugin::{defaulter, metadata, registrar, validator};
pub use generated::mcp_operator::plugin::types;

pub use defaulter::{DefaultingRequest, Patch, PatchOperation, PathValue};
pub use metadata::{Description, Rule};
pub use registrar::{Read, Registration, RegistrationPlan, RegistrationState, Registry, Step};
pub use types::{
    Failure, Finding, GroupVersionKind, NamedJsonParam as NamedJson, NamedJsonResult, Operation,
    Severity, Stage, UserInfo,
};
pub use validator::Request;
