//! From bytes to a plugin: what is refused, and the cache.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use mcp_plugin_host::{Blame, Compiler, Host, HostConfig, Limits, PluginError};

use crate::common::{config, fixture, fixture_component, host, host_with, run};

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

const METADATA: &str = "mcp-operator:plugin/metadata@0.1.0";
const VALIDATOR: &str = "mcp-operator:plugin/validator@0.1.0";

/// The error of loading what must not be loaded; a good plugin is not hurt.
async fn refused(host: &Host, bytes: &[u8]) -> PluginError {
    let error = host.load("bad", bytes).await.unwrap_err();
    assert!(error.to_string().starts_with("plugin bad: "), "{error}");
    assert_eq!(
        run(&fixture().await, "good", &Limits::default())
            .await
            .unwrap(),
        "good"
    );
    error
}

async fn refused_text(text: &str) -> PluginError {
    refused(host(), &wat::parse_str(text).unwrap()).await
}

#[tokio::test]
async fn what_is_no_component_is_refused_at_a_look() {
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

    // There is more to WASI than a plugin gets.
    let http = r#"(component (import "wasi:http/types@0.2.0" (instance (export "f" (func)))))"#;
    let error = refused_text(http).await;
    assert_eq!(error.category(), "WrongWorld");
    assert!(error.to_string().contains("wasi:http/types"), "{error}");
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
async fn a_component_with_other_types_is_refused() {
    let error = refused_text(&text(METADATA, VALIDATOR, "")).await;
    assert_eq!(error.category(), "WrongWorld");
    assert!(error.to_string().contains("types differ"), "{error}");
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
    let hasty = Limits {
        timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    assert_eq!(
        run(&plugin, "loop", &hasty).await.unwrap_err().category(),
        "DeadlineExceeded"
    );
    let patient = Limits {
        timeout: Duration::from_mins(1),
        ..Limits::default()
    };
    assert_eq!(
        run(&plugin, "memory-bomb", &patient)
            .await
            .unwrap_err()
            .category(),
        "OutOfMemory"
    );
}

#[tokio::test]
async fn compiling_ends_at_its_limits() {
    let cache = tempfile::tempdir().unwrap();
    let refusing = |change: fn(&mut Compiler)| {
        let mut config = config(cache.path());
        change(&mut config.compiler);
        Host::new(config).unwrap()
    };
    let host = refusing(|compiler| compiler.memory_bytes = 48 << 20);
    let error = refused(&host, fixture_component()).await;
    assert_eq!(
        (error.category(), error.blame()),
        ("CompileFailed", Blame::Guest),
        "{error}"
    );

    let host = refusing(|compiler| compiler.timeout = Duration::from_millis(1));
    assert_eq!(
        refused(&host, fixture_component()).await.category(),
        "CompileTimeout"
    );
}

fn without_compiler(cache: &Path) -> Host {
    Host::new(HostConfig::new(
        cache,
        Compiler::new("/nonexistent/compiler", [""; 0]),
    ))
    .unwrap()
}

#[tokio::test]
async fn a_compiler_that_cannot_be_run_blames_the_host() {
    let cache = tempfile::tempdir().unwrap();
    let error = refused(&without_compiler(cache.path()), fixture_component()).await;
    assert_eq!(
        (error.category(), error.blame()),
        ("CompilerUnavailable", Blame::Host)
    );
    assert!(
        error.to_string().contains("/nonexistent/compiler"),
        "{error}"
    );

    // It ends well, and has written nothing.
    let silent = HostConfig::new(cache.path(), Compiler::new("/bin/true", [""; 0]));
    let error = refused(&Host::new(silent).unwrap(), fixture_component()).await;
    assert_eq!(error.category(), "CompilerUnavailable");
}

#[tokio::test]
async fn what_is_in_the_cache_is_not_compiled_again_and_what_is_broken_is() {
    let cache = tempfile::tempdir().unwrap();
    let compiling = Host::new(config(cache.path())).unwrap();
    compiling.load("first", fixture_component()).await.unwrap();
    let loading = without_compiler(cache.path());
    loading.load("second", fixture_component()).await.unwrap();

    let code = fs::read_dir(cache.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.extension()
                .is_some_and(|extension| extension == "cwasm")
        })
        .unwrap();
    let mut bytes = fs::read(&code).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    // Another file under that name, because this process has mapped the first.
    fs::remove_file(&code).unwrap();
    fs::write(&code, bytes).unwrap();

    let error = loading
        .load("third", fixture_component())
        .await
        .unwrap_err();
    assert_eq!(
        error.category(),
        "CompilerUnavailable",
        "it had to be compiled"
    );
    let plugin = compiling.load("fourth", fixture_component()).await.unwrap();
    assert_eq!(
        run(&plugin, "good", &Limits::default()).await.unwrap(),
        "good"
    );
    loading.load("fifth", fixture_component()).await.unwrap();
}

#[tokio::test]
async fn a_cache_that_others_can_write_is_not_used() {
    let cache = tempfile::tempdir().unwrap();
    let host = Host::new(config(cache.path())).unwrap();
    fs::set_permissions(cache.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let error = refused(&host, fixture_component()).await;
    assert_eq!(
        (error.category(), error.blame()),
        ("CacheUnusable", Blame::Host)
    );
    assert!(Host::new(config(cache.path())).is_err());
}
