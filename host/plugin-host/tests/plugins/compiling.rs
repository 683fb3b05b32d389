//! The compiler, and the cache of what it compiled.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use mcp_plugin_host::{Blame, Compiler, Digest, Host, HostConfig, Limits};

use crate::common::{config, fixture_component, refused, run};

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

    let host = refusing(|compiler| compiler.cpu_time = Duration::from_millis(1));
    assert_eq!(
        refused(&host, fixture_component()).await.category(),
        "CompileTimeout"
    );
}

/// By the processor's time and not by the clock: on a busy node the compiler waits for most of its time.
#[tokio::test]
async fn compiling_ends_when_it_has_used_its_processor_time() {
    let cache = tempfile::tempdir().unwrap();
    let mut config = config(cache.path());
    config.compiler.cpu_time = Duration::from_secs(1);
    let host = Host::new(config).unwrap();
    let sums = "i32.const 1 i32.add local.tee 0 local.get 0 i32.mul ".repeat(40);
    let function = format!("(func (param i32) (result i32) local.get 0 {sums})");
    let component = format!("(component (core module {}))", function.repeat(20_000));
    let error = refused(&host, &wat::parse_str(component).unwrap()).await;
    assert_eq!(error.category(), "CompileTimeout", "{error}");
    assert!(
        error.to_string().contains("1s of processor time"),
        "{error}"
    );
}

#[tokio::test]
async fn a_component_that_does_not_compile_is_not_tried_again() {
    let cache = tempfile::tempdir().unwrap();
    let mut bytes = wat::parse_str("(component)").unwrap();
    bytes.extend(b"garbage");
    let compiling = Host::new(config(cache.path())).unwrap();
    let error = compiling.load("first", &bytes).await.unwrap_err();
    assert_eq!(error.category(), "CompileFailed");
    let again = without_compiler(cache.path()).load("second", &bytes).await;
    assert_eq!(again.unwrap_err().fault(), error.fault());
}

#[tokio::test]
async fn a_component_that_was_compiled_once_is_loaded_by_its_digest() {
    let digest = Digest::of(fixture_component());
    let cache = tempfile::tempdir().unwrap();
    let loading = without_compiler(cache.path());
    assert!(
        loading
            .load_cached("fixture", digest)
            .await
            .unwrap()
            .is_none()
    );
    let compiling = Host::new(config(cache.path())).unwrap();
    compiling.load("first", fixture_component()).await.unwrap();
    let plugin = loading
        .load_cached("fixture", digest)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        run(&plugin, "good", &Limits::default()).await.unwrap(),
        "good"
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
async fn a_cached_component_is_compiled_again_only_if_it_is_broken() {
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

/// As where its volume is full, or is mounted to be read only.
#[tokio::test]
async fn without_a_cache_what_is_compiled_is_kept_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let host = Host::new(config(&cache)).unwrap();
    fs::remove_dir(&cache).unwrap();
    let plugin = host.load("first", fixture_component()).await.unwrap();
    assert!(!cache.exists());
    for _ in 0..3 {
        let said = run(&plugin, "good", &Limits::default()).await.unwrap();
        assert_eq!(said, "good");
    }
    // Nothing was kept of what fails, and it fails as it does elsewhere.
    let broken = [fixture_component(), b"rubbish"].concat();
    assert_eq!(refused(&host, &broken).await.category(), "CompileFailed");
}

/// Whoever takes over the compiler by a component finds nothing to open: no file, no socket.
#[test]
fn the_compiler_can_open_nothing() {
    let mut compiler = Command::new(env!("CARGO_BIN_EXE_mcp-plugin-compile"))
        .env_clear()
        .env(
            "MCP_PLUGIN_COMPILER_MEMORY_BYTES",
            (1_u64 << 30).to_string(),
        )
        .env("MCP_PLUGIN_COMPILER_CPU_SECONDS", "60")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let limits = format!("/proc/{}/limits", compiler.id());
    // It waits for a component, after it has limited itself.
    let limited = loop {
        let limits = fs::read_to_string(&limits).unwrap_or_default();
        let files = limits
            .lines()
            .find(|line| line.starts_with("Max open files"));
        let found: Vec<&str> = files.unwrap_or_default().split_whitespace().collect();
        if compiler.try_wait().unwrap().is_some() {
            break false;
        }
        if found.get(3..5) == Some(&["0", "0"]) {
            break true;
        }
        std::thread::yield_now();
    };
    compiler.kill().unwrap();
    compiler.wait().unwrap();
    assert!(limited, "it ended before it was limited");
}
