//! Shared by the tests: a host, and the fixture plugin of `plugins/fixtures`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use mcp_plugin_host::contract::{GroupVersionKind, Operation, Request, Stage};
use mcp_plugin_host::{Compiler, Host, HostConfig, Limits, Plugin, PluginError};

/// A host that most tests share. Its cache outlives the test run, so the fixture is compiled once.
pub(crate) fn host() -> &'static Host {
    static HOST: LazyLock<Host> = LazyLock::new(|| host_with(|_| {}));
    &HOST
}

/// A host with another configuration, and the same cache.
pub(crate) fn host_with(change: impl FnOnce(&mut HostConfig)) -> Host {
    let mut config = config(&scratch().join("components"));
    change(&mut config);
    Host::new(config).unwrap()
}

pub(crate) fn config(cache: &Path) -> HostConfig {
    HostConfig::new(
        cache,
        Compiler::new(env!("CARGO_BIN_EXE_mcp-plugin-compile"), [""; 0]),
    )
}

/// The fixture plugin, loaded.
pub(crate) async fn fixture() -> Plugin {
    host().load("fixture", fixture_component()).await.unwrap()
}

/// A folder that survives the test run.
fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// The fixture plugin's component, built once per process.
pub(crate) fn fixture_component() -> &'static [u8] {
    static COMPONENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/fixtures");
        let target = scratch().join("fixtures");
        let status = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--release",
                "--locked",
                "--target",
                "wasm32-wasip2",
                "--target-dir",
            ])
            .arg(&target)
            .current_dir(workspace)
            .status()
            .unwrap();
        assert!(status.success(), "the fixture plugin does not build");
        std::fs::read(target.join("wasm32-wasip2/release/mcp_plugin_fixture.wasm")).unwrap()
    });
    &COMPONENT
}

pub(crate) const OBJECT: &str = r#"{"kind":"MCPServer","metadata":{"name":"docs"}}"#;

/// A request to create [`OBJECT`].
pub(crate) fn request() -> Request<'static> {
    Request {
        operation: Operation::Create,
        stage: Stage::Admission,
        kind: GroupVersionKind {
            group: "mcp.litellm.ai",
            version: "v1alpha1",
            kind: "MCPServer",
        },
        name: "docs",
        namespace: Some("team-a"),
        user: None,
        dry_run: false,
        object: OBJECT,
        old_object: None,
        context: &[],
    }
}

/// Calls the fixture with the behaviour that `word` names, and returns the message of its finding.
pub(crate) async fn run(
    plugin: &Plugin,
    word: &str,
    limits: &Limits,
) -> Result<String, PluginError> {
    let mut findings = plugin.validate(word, &request(), limits).await?;
    assert_eq!(findings.len(), 1);
    Ok(findings.remove(0).message)
}

/// The error of loading a component that must be refused; a good plugin still works afterwards.
pub(crate) async fn refused(host: &Host, bytes: &[u8]) -> PluginError {
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
