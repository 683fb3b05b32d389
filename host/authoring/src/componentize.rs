//! Makes a component of a core module, for languages whose own tools end there.

use std::path::Path;

use anyhow::{Context, Result, bail};
use mcp_plugin_host::Interfaces;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::inspect::world;

/// What the exports of an interface begin with.
const PACKAGE: &str = "mcp-operator:plugin/";

/// Writes the component of a core module for WASI 0.1. Its world is that of the interfaces that the module exports.
pub(crate) fn component(core: &Path, contract: &Path, component: &Path) -> Result<()> {
    let shown = core.display();
    let mut module = std::fs::read(core).with_context(|| format!("the build left no {shown}"))?;
    let interfaces = interfaces(&module).with_context(|| format!("{shown} cannot be read"))?;
    let Some(world) = world(interfaces) else {
        bail!("{shown} exports the functions of no world of the contract");
    };
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(contract)?;
    let world = resolve.select_world(&[package], Some(world))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|encoder| {
            encoder.adapter(
                WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
                WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
            )
        })
        .and_then(|mut encoder| encoder.encode());
    let encoded = encoded.with_context(|| format!("no component can be made of {shown}"))?;
    std::fs::write(component, encoded)
        .with_context(|| format!("{} cannot be written", component.display()))
}

/// Of which interfaces of the contract a module exports functions.
fn interfaces(module: &[u8]) -> Result<Interfaces> {
    let mut found = Interfaces {
        validator: false,
        defaulter: false,
        registrar: false,
    };
    for payload in Parser::new(0).parse_all(module) {
        let Payload::ExportSection(section) = payload? else {
            continue;
        };
        for export in section {
            let Some(name) = export?.name.strip_prefix(PACKAGE) else {
                continue;
            };
            match name.split('@').next() {
                Some("validator") => found.validator = true,
                Some("defaulter") => found.defaulter = true,
                Some("registrar") => found.registrar = true,
                _ => {}
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_exports_nothing_of_the_contract_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let core = folder.path().join("a.core.wasm");
        let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/1.0.0");
        let error = |bytes: &[u8]| {
            std::fs::write(&core, bytes).unwrap();
            let made = component(&core, &contract, &folder.path().join("a.wasm"));
            format!("{:#}", made.unwrap_err())
        };
        let module = wat::parse_str("(module)").unwrap();
        assert!(error(&module).contains("exports the functions of no world"));
        assert!(error(b"text").contains("a.core.wasm cannot be read"));
        // Of the right name, and of another type.
        let wrong = r#"(module (func (export "mcp-operator:plugin/validator@1.0.0#validate")))"#;
        let wrong = wat::parse_str(wrong).unwrap();
        assert!(error(&wrong).contains("no component can be made of"));
    }
}
