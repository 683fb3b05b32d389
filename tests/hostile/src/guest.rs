//! Components of core modules whose functions keep to no rules.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Where an answer without anything in it lies: what nobody has written is zero, which means no findings, and a description
/// without words.
const NOTHING: &str = "(i32.const 64)";
/// Where the answer to `validate` lies: without findings too, unless it is written.
const ANSWER: &str = "(i32.const 1024)";

/// The parts of a core module, in the text format. The memory has 4 pages, of which `cabi_realloc` gives from 16 KiB on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guest {
    pub(crate) imports: &'static str,
    /// In the place of `(memory (export "memory") 4)`.
    pub(crate) memory: &'static str,
    /// Globals, tables, data, other functions.
    pub(crate) fields: &'static str,
    /// Bodies of functions, which leave a pointer.
    pub(crate) realloc: &'static str,
    pub(crate) describe: &'static str,
    pub(crate) validate: &'static str,
    /// Body of what is called when the answer of `validate` has been read.
    pub(crate) after: &'static str,
}

impl Guest {
    /// One that has nothing against anything.
    pub(crate) const GOOD: Self = Self {
        imports: "",
        memory: r#"(memory (export "memory") 4)"#,
        fields: "",
        realloc: "(local $at i32)
            (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
            (global.set $free (i32.add (local.get $at) (local.get $size)))
            (local.get $at)",
        describe: NOTHING,
        validate: ANSWER,
        after: "",
    };

    /// One that is good but for its answer to `validate`.
    pub(crate) const fn validating(validate: &'static str) -> Self {
        Self {
            validate,
            ..Self::GOOD
        }
    }

    /// One whose answer lies at 1024, as these data have it.
    pub(crate) const fn answering(fields: &'static str) -> Self {
        Self {
            fields,
            ..Self::GOOD
        }
    }

    /// One that is good but for how it begins.
    pub(crate) const fn beginning(fields: &'static str) -> Self {
        Self {
            fields,
            ..Self::GOOD
        }
    }

    fn module(&self) -> String {
        let Self {
            imports,
            memory,
            fields,
            realloc,
            describe,
            validate,
            after,
        } = self;
        let metadata = "mcp-operator:plugin/metadata@0.1.0";
        let validator = "mcp-operator:plugin/validator@0.1.0";
        format!(
            r#"(module {imports} {memory}
                (global $free (mut i32) (i32.const 16384))
                {fields}
                (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32) {realloc})
                (func (export "{metadata}#describe") (result i32) {describe})
                (func (export "{metadata}#validate-settings") (param i32 i32) (result i32) {NOTHING})
                (func (export "{validator}#validate") (param i32) (result i32) {validate})
                (func (export "cabi_post_{validator}#validate") (param i32) {after}))"#
        )
    }

    pub(crate) fn component(&self) -> Vec<u8> {
        let text = self.module();
        let mut module = wat::parse_str(&text).expect("the text of a module");
        let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/0.1.0");
        let mut resolve = Resolve::default();
        resolve.push_dir(contract).expect("the contract");
        let package = resolve
            .push_str("guest.wit", include_str!("guest.wit"))
            .expect("the world of guests");
        let world = resolve
            .select_world(&[package], Some("guest"))
            .expect("the world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .expect("the type of the component");
        ComponentEncoder::default()
            .module(&module)
            .and_then(|mut encoder| encoder.encode())
            .expect("the component")
    }
}
