//! Generated from `wit/`: one module for each interface, so that a plugin exports exactly what it implements. The
//! linker joins their worlds into the plugin's one.
#![allow(
    missing_docs,
    clippy::pedantic,
    reason = "generated code; the WIT package documents it"
)]

/// Interface `metadata`, and the types that all interfaces share.
pub mod metadata {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mcp-operator:sdk-metadata; world metadata-only { export mcp-operator:plugin/metadata@1.0.0; }",
        world: "mcp-operator:sdk-metadata/metadata-only",
        with: { "mcp-operator:plugin/types@1.0.0": generate, "mcp-operator:plugin/metadata@1.0.0": generate },
        pub_export_macro: true,
        export_macro_name: "export_metadata",
    });
    pub use exports::mcp_operator::plugin::metadata::{Description, Guest, Rule};
    pub use mcp_operator::plugin::types;
}

/// Interface `validator`.
pub mod validator {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mcp-operator:sdk-validator; world validator-only { export mcp-operator:plugin/validator@1.0.0; }",
        world: "mcp-operator:sdk-validator/validator-only",
        with: {
            "mcp-operator:plugin/types@1.0.0": crate::bindings::metadata::types,
            "mcp-operator:plugin/validator@1.0.0": generate,
        },
        pub_export_macro: true,
        export_macro_name: "export_validator",
    });
    pub use exports::mcp_operator::plugin::validator::{Guest, Request};
}

/// Interface `defaulter`.
pub mod defaulter {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mcp-operator:sdk-defaulter; world defaulter-only { export mcp-operator:plugin/defaulter@1.0.0; }",
        world: "mcp-operator:sdk-defaulter/defaulter-only",
        with: {
            "mcp-operator:plugin/types@1.0.0": crate::bindings::metadata::types,
            "mcp-operator:plugin/defaulter@1.0.0": generate,
        },
        pub_export_macro: true,
        export_macro_name: "export_defaulter",
    });
    pub use exports::mcp_operator::plugin::defaulter::{
        DefaultingRequest, Guest, Patch, PatchOperation, PathValue,
    };
}

/// Interface `registrar`.
pub mod registrar {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mcp-operator:sdk-registrar; world registrar-only { export mcp-operator:plugin/registrar@1.0.0; }",
        world: "mcp-operator:sdk-registrar/registrar-only",
        with: {
            "mcp-operator:plugin/types@1.0.0": crate::bindings::metadata::types,
            "mcp-operator:plugin/registrar@1.0.0": generate,
        },
        pub_export_macro: true,
        export_macro_name: "export_registrar",
    });
    pub use exports::mcp_operator::plugin::registrar::*;
}
