//! What a component imports and exports, without compiling it.

use anyhow::{Context, Result, bail};
use wasmparser::{Encoding, Parser, Payload};

/// Names at the top of a component.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

/// Reads the names of a component. Components and modules inside of it are passed over.
pub(crate) fn names(bytes: &[u8]) -> Result<Names> {
    let mut names = Names::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.context("it is no WebAssembly")? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => {
                bail!(
                    "it is a core module and no component: build for wasm32-wasip2, or make one of it with `wasm-tools component new`"
                )
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    names.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    names.exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_at_the_top_are_read() {
        let text = r#"(component
            (import "wasi:io/error@0.2.6" (instance))
            (core module (import "env" "f" (func)))
            (component (import "inner" (func)))
            (instance $i)
            (export "mcp-operator:plugin/metadata@1.0.0" (instance $i)))"#;
        let names = names(&wat::parse_str(text).unwrap()).unwrap();
        assert_eq!(names.imports, ["wasi:io/error@0.2.6"]);
        assert_eq!(names.exports, ["mcp-operator:plugin/metadata@1.0.0"]);
    }

    #[test]
    fn what_is_no_component_is_told() {
        let module = wat::parse_str("(module)").unwrap();
        assert!(
            names(&module)
                .unwrap_err()
                .to_string()
                .contains("core module")
        );
        assert!(
            names(b"text")
                .unwrap_err()
                .to_string()
                .contains("no WebAssembly")
        );
    }
}
