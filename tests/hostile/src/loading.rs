//! What is no plugin, and is offered as one.

use crate::bytes::{COMPONENT, MODULE};
use crate::{Ends, Hostile};

pub(crate) const ALL: &[Hostile] = &[
    Hostile::bytes(
        "no-bytes",
        "an empty file",
        Ends::Loading("NotAComponent"),
        Vec::new,
    ),
    Hostile::bytes(
        "garbage",
        "bytes of something else",
        Ends::Loading("NotAComponent"),
        || b"#!/bin/sh\nrm -rf /\n".to_vec(),
    ),
    Hostile::bytes(
        "core-module",
        "a core module in the place of a component",
        Ends::Loading("NotAComponent"),
        || MODULE.to_vec(),
    ),
    Hostile::bytes(
        "other-version",
        "WebAssembly of a version that nobody knows",
        Ends::Loading("NotAComponent"),
        || b"\0asm\x0e\0\x01\0".to_vec(),
    ),
    Hostile::bytes(
        "fifty-megabytes",
        "a component that is larger than any may be",
        Ends::Loading("TooLarge"),
        || [COMPONENT.to_vec(), vec![0; 50 << 20]].concat(),
    ),
    Hostile::bytes(
        "broken-section",
        "a section that says it is longer than the file",
        Ends::Loading("CompileFailed"),
        || [COMPONENT.as_slice(), b"\x01\xff\xff\xff\xff\x0f"].concat(),
    ),
    Hostile::bytes(
        "foreign-import",
        "wants a function of the host that is no WASI",
        Ends::Loading("WrongWorld"),
        || text(r#"(component (import "acme:secrets/vault@1.0.0" (instance)))"#),
    ),
    Hostile::bytes(
        "nothing-exported",
        "exports nothing of the contract",
        Ends::Loading("WrongWorld"),
        || COMPONENT.to_vec(),
    ),
    Hostile::bytes(
        "other-types",
        "exports the names of the contract with other types",
        Ends::Loading("WrongWorld"),
        || {
            text(
                r#"(component
                    (core module $module (func (export "f")))
                    (core instance $core (instantiate $module))
                    (func $f (canon lift (core func $core "f")))
                    (instance $metadata (export "describe" (func $f)) (export "validate-settings" (func $f)))
                    (instance $validator (export "validate" (func $f)))
                    (export "mcp-operator:plugin/metadata@0.1.0" (instance $metadata))
                    (export "mcp-operator:plugin/validator@0.1.0" (instance $validator)))"#,
            )
        },
    ),
];

fn text(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text of a component")
}
