//! Loading: which components are refused.

use std::time::Duration;

use mcp_plugin_host::{Blame, Limits, PluginError};

use crate::common::{fixture_component, host, host_with, refused, run};

/// A component that exports what `metadata` and `validator` are to be called, all functions of a wrong type.
fn text(metadata: &str, validator: &str, core: &str) -> String {
    format!(
        r#"(component
            (core module $module {core} (func (export "f")))
            (core instance $core (instantiate $module))
            (func $f (canon lift (core func $core "f")))
            (instance $metadata (export "describe" (func $f)) (export "validate-settings" (func $f)))
            (instance $validator (export "validate" (func $f)))
            (export "{metadata}" (instance $metadata))
            (export "{validator}" (instance $validator)))"#
    )
}

const METADATA: &str = "mcp-operator:plugin/metadata@1.0.0";
const VALIDATOR: &str = "mcp-operator:plugin/validator@1.0.0";

async fn refused_text(text: &str) -> PluginError {
    refused(host(), &wat::parse_str(text).unwrap()).await
}

#[tokio::test]
async fn bytes_that_are_no_component_are_refused_by_their_header() {
    let core = wat::parse_str("(module)").unwrap();
    let cases: [(&[u8], &str); 5] = [
        (&[], "not those of WebAssembly"),
        (b"garbage, and more of it", "not those of WebAssembly"),
        (b"(component)", "not those of WebAssembly"),
        (&core, "a core module"),
        (b"\0asm\x0e\0\x01\0", "unknown version 0e000100"),
    ];
    for (bytes, message) in cases {
        let error = refused(host(), bytes).await;
        assert_eq!(
            (error.category(), error.blame()),
            ("NotAComponent", Blame::Guest)
        );
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[tokio::test]
async fn a_component_of_50_megabytes_is_refused() {
    let mut bytes = wat::parse_str("(component)").unwrap();
    bytes.resize(50 << 20, 0);
    assert_eq!(refused(host(), &bytes).await.category(), "TooLarge");
}

#[tokio::test]
async fn an_invalid_component_does_not_compile() {
    let mut bytes = wat::parse_str("(component)").unwrap();
    bytes.extend(b"garbage");
    let error = refused(host(), &bytes).await;
    assert_eq!(
        (error.category(), error.blame()),
        ("CompileFailed", Blame::Guest),
        "{error}"
    );
}

#[tokio::test]
async fn a_component_that_wants_more_than_wasi_is_refused() {
    let error = refused_text(r#"(component (import "acme:secrets/vault@1.0.0" (instance)))"#).await;
    assert_eq!(error.category(), "WrongWorld");
    assert!(
        error
            .to_string()
            .contains("it imports acme:secrets/vault@1.0.0"),
        "{error}"
    );
}

/// What JavaScript's tools add unasked (bytecodealliance/ComponentizeJS#265): functions, and types that belong to nobody else.
#[tokio::test]
async fn http_may_be_imported_and_is_not_there() {
    let http = r#"
        (import "wasi:http/types@0.2.10" (instance $types
            (export "fields" (type (sub resource)))
            (export "f" (func))))
        (import "wasi:http/outgoing-handler@0.2.10" (instance (export "handle" (func))))"#;
    let imports = |imports: &str| {
        text(METADATA, VALIDATOR, "").replacen("(component", &format!("(component {imports}"), 1)
    };
    // Its imports are no reason to refuse it: it is refused for its own functions, as it is without them.
    let error = refused_text(&imports(http)).await.to_string();
    assert_eq!(error, refused_text(&imports("")).await.to_string());
    let unknown = r#"(import "wasi:nothing/types@0.2.0" (instance (export "f" (func))))"#;
    let error = refused_text(&imports(unknown)).await.to_string();
    assert!(error.contains("wasi:nothing/types@0.2.0"), "{error}");
}

#[tokio::test]
async fn a_component_without_the_contracts_interfaces_is_refused() {
    let error = refused_text("(component)").await;
    assert_eq!(error.category(), "WrongWorld");
    assert!(
        error.to_string().contains("does not export metadata"),
        "{error}"
    );

    let error = refused_text(&text(METADATA, "acme:rules/validator@0.1.0", "")).await;
    assert_eq!(error.category(), "WrongWorld");
    assert!(
        error
            .to_string()
            .contains("validator, defaulter or registrar"),
        "{error}"
    );
}

#[tokio::test]
async fn a_component_of_another_version_of_the_contract_is_refused() {
    let error = refused_text(&text("mcp-operator:plugin/metadata@0.2.0", VALIDATOR, "")).await;
    assert_eq!(error.category(), "WrongWorld");
    assert!(
        error
            .to_string()
            .contains("it exports mcp-operator:plugin/metadata@0.2.0"),
        "{error}"
    );
}

#[tokio::test]
async fn a_component_of_two_versions_of_the_contract_is_refused_by_their_names() {
    let error = refused_text(&text("mcp-operator:plugin/metadata@0.1.0", VALIDATOR, "")).await;
    assert_eq!(error.category(), "WrongWorld");
    assert!(
        error
            .to_string()
            .contains("it exports validator of 1.0.0, and metadata of 0.1.0: the interfaces of a component are all of one version"),
        "{error}"
    );
}

#[tokio::test]
async fn a_component_with_other_types_is_refused() {
    for version in ["0.1.0", "1.0.0"] {
        let of = |name: &str| name.replace("1.0.0", version);
        let error = refused_text(&text(&of(METADATA), &of(VALIDATOR), "")).await;
        assert_eq!(error.category(), "WrongWorld");
        let expected = format!("its types differ from mcp-operator:plugin@{version}");
        assert!(error.to_string().contains(&expected), "{error}");
    }
}

#[tokio::test]
async fn a_component_that_traps_at_its_start_is_refused() {
    let start = "(func $start unreachable) (start $start)";
    let error = refused_text(&text(METADATA, VALIDATOR, start)).await;
    assert_eq!(error.category(), "Trapped");
    assert!(
        error.to_string().contains("trapped in instantiate"),
        "{error}"
    );
}

#[tokio::test]
async fn a_component_that_begins_with_too_much_memory_is_refused() {
    let error = refused_text(&text(METADATA, VALIDATOR, "(memory 30000)")).await;
    assert_eq!(error.category(), "OutOfMemory");
}

#[tokio::test]
async fn a_component_too_large_for_the_pool_runs_without() {
    let host = host_with(|config| config.slot.table_elements = 1);
    let plugin = host.load("large", fixture_component()).await.unwrap();
    assert!(!plugin.is_pooled());
    assert_eq!(
        run(&plugin, "good", &Limits::default()).await.unwrap(),
        "good"
    );
    let short = Limits {
        timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    assert_eq!(
        run(&plugin, "loop", &short).await.unwrap_err().category(),
        "DeadlineExceeded"
    );
    let long = Limits {
        timeout: Duration::from_mins(1),
        ..Limits::default()
    };
    assert_eq!(
        run(&plugin, "memory-bomb", &long)
            .await
            .unwrap_err()
            .category(),
        "OutOfMemory"
    );
}
