//! The catalog on an API server in memory. No component is compiled: what matters here is what happens without one.

use std::sync::Arc;

use mcp_operator_runtime::{ClusterConfigMaps, NamespaceSecrets, Supervisor};
use mcp_plugin_host::{Compiler, Host, HostConfig};
use mcp_testkit::objects::{config_map, mcp_plugin};
use mcp_testkit::{ApiServer, Failure, Fault, Match, Times, Verb};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use super::*;

struct World {
    api: ApiServer,
    catalog: PluginCatalog,
    /// What the catalog's tasks and the host live in.
    _alive: (Supervisor, TempDir),
}

impl World {
    /// An operator that starts, with a compiler that cannot be run.
    fn start(api: ApiServer) -> Self {
        let (folder, supervisor) = (TempDir::new().unwrap(), Supervisor::default());
        let compiler = Compiler::new(folder.path().join("no-compiler"), Vec::<String>::new());
        let host = Host::new(HostConfig::new(folder.path().join("cache"), compiler)).unwrap();
        let loader = PluginLoader {
            maps: Arc::new(ClusterConfigMaps::new(api.client())),
            secrets: Arc::new(NamespaceSecrets::new(api.client(), "operator")),
            signature_keys: None,
            host,
            builtin: folder.path().to_owned(),
            operator_namespace: Some("operator".to_owned()),
        };
        let catalog = PluginCatalog::watch(
            &api.client(),
            &api.client(),
            &Leadership::unelected(),
            &supervisor.tasks(),
            loader,
            "operator",
            Duration::from_mins(5),
        );
        Self {
            api,
            catalog,
            _alive: (supervisor, folder),
        }
    }

    async fn ready(&self) -> Duration {
        let began = Instant::now();
        let ready = timeout(Duration::from_mins(10), self.catalog.ready()).await;
        ready.unwrap().unwrap();
        assert!(self.catalog.snapshots().current().is_synced());
        began.elapsed()
    }

    /// Names of what requests are refused for.
    fn refusing(&self) -> Vec<String> {
        let snapshot = self.catalog.snapshots().current();
        let refusing = snapshot
            .unavailable()
            .iter()
            .filter(|plugin| plugin.refuses());
        refusing.map(|plugin| plugin.name().to_owned()).collect()
    }

    /// Waits until the condition of a plugin has this reason, and gives its message.
    async fn reason(&self, plugin: &str, reason: &str) -> String {
        let ready = |api: &ApiServer| {
            let plugin = api.get("MCPPlugin", "", plugin)?;
            let ready = plugin.pointer("/status/conditions/0")?;
            let message = ready["message"].as_str()?.to_owned();
            (ready["reason"] == reason).then_some(message)
        };
        let wait = self.api.wait_for(|api| ready(api).is_some());
        wait.await.unwrap();
        ready(&self.api).unwrap()
    }
}

fn from_map(fields: Value) -> Value {
    let mut spec =
        json!({ "source": { "configMap": { "namespace": "operator", "name": "rule" } } });
    spec.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    spec
}

fn reads_of_the_map() -> Match {
    Match::verb(Verb::Get)
        .kind("ConfigMap")
        .namespace("operator")
}

#[tokio::test(start_paused = true)]
async fn without_plugins_it_is_synced_at_once() {
    let world = World::start(ApiServer::new());
    assert!(world.ready().await < Duration::from_secs(1));
    assert_eq!(world.refusing(), [""; 0]);
}

/// Its ConfigMap is gone, or may not be read, and there is no copy.
#[tokio::test(start_paused = true)]
async fn a_plugin_that_is_lost_refuses_says_so_and_keeps_nobody_waiting() {
    for (fault, reason) in [
        (None, "SourceNotFound"),
        (Some(Failure::forbidden("no")), "SourceUnavailable"),
    ] {
        let api = ApiServer::new();
        api.put(mcp_plugin("rule", from_map(json!({}))));
        api.put(mcp_plugin("watched", from_map(json!({ "mode": "warn" }))));
        if let Some(fault) = fault {
            api.fail(reads_of_the_map(), fault, Times::Always);
        }
        let world = World::start(api);
        assert!(world.ready().await < Duration::from_secs(30));
        assert_eq!(world.refusing(), ["rule"]);
        let message = world.reason("rule", reason).await;
        assert!(
            message.contains("are refused until it is loaded"),
            "{message}"
        );
        let message = world.reason("watched", reason).await;
        assert!(!message.contains("refused"), "{message}");
    }
}

/// The operator's own fault may pass, so that it is worth waiting for; but not without end.
#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_tried_is_waited_for_with_a_bound() {
    let api = ApiServer::new();
    api.put(mcp_plugin("rule", from_map(json!({}))));
    api.fail(reads_of_the_map(), Fault::Hang, Times::Always);
    let world = World::start(api);
    assert!(!world.catalog.snapshots().current().is_synced());
    let waited = world.ready().await;
    assert!(
        waited >= Duration::from_secs(80) && waited < Duration::from_secs(100),
        "{waited:?}"
    );
    assert_eq!(world.refusing(), ["rule"]);
}

#[tokio::test(start_paused = true)]
async fn a_broken_new_plugin_refuses_from_the_beginning_until_it_is_mended() {
    let world = World::start(ApiServer::new());
    world.ready().await;
    world.api.put(config_map(
        "operator",
        "rule",
        json!({ "plugin.wasm": "this is no component" }),
    ));
    world.api.put(mcp_plugin("rule", from_map(json!({}))));
    world.reason("rule", "NotAComponent").await;
    assert_eq!(world.refusing(), ["rule"]);
    world.api.edit("MCPPlugin", "", "rule", |plugin| {
        plugin["spec"]["mode"] = json!("warn");
    });
    world.api.idle().await;
    assert_eq!(world.refusing(), [""; 0]);
    world.api.edit("MCPPlugin", "", "rule", |plugin| {
        plugin["spec"]["mode"] = json!("enforce");
    });
    world.api.idle().await;
    assert_eq!(world.refusing(), ["rule"]);
    world.api.delete("MCPPlugin", "", "rule");
    world.api.idle().await;
    assert_eq!(world.refusing(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_read_refuses_by_its_name() {
    let api = ApiServer::new();
    api.put(mcp_plugin("rule", from_map(json!({ "mode": "warn" }))));
    api.edit("MCPPlugin", "", "rule", |plugin| {
        plugin["spec"]["mode"] = json!("forbid");
    });
    let world = World::start(api);
    assert!(world.ready().await < Duration::from_secs(1));
    assert_eq!(world.refusing(), ["rule"]);
    let message = world.reason("rule", "Unreadable").await;
    assert!(message.contains("Unknown variant forbid"), "{message}");
    assert!(
        message.contains("are refused until it is loaded"),
        "{message}"
    );
    let writes = || world.api.writes().len();
    let written = writes();
    world.api.edit("MCPPlugin", "", "rule", |plugin| {
        plugin["metadata"]["annotations"] = json!({ "looked": "at" });
    });
    world.api.idle().await;
    assert_eq!(writes(), written, "and again changes nothing");
}

/// Whoever may write ConfigMaps in that namespace would write rules.
#[tokio::test(start_paused = true)]
async fn unpinned_code_of_another_namespace_is_not_loaded() {
    let api = ApiServer::new();
    let component = json!({ "plugin.wasm": "this is no component" });
    api.put(config_map("team-a", "rule", component));
    let mut spec = from_map(json!({}));
    spec["source"]["configMap"]["namespace"] = json!("team-a");
    api.put(mcp_plugin("rule", spec));
    let world = World::start(api);
    world.ready().await;
    let message = world.reason("rule", "InvalidSpec").await;
    assert!(
        message.contains("spec.sha256: Required value")
            && message.contains("put the ConfigMap into operator"),
        "{message}"
    );
    assert_eq!(world.refusing(), ["rule"]);
    // Pinned, it is read: what is wrong with it is something else.
    world.api.edit("MCPPlugin", "", "rule", |plugin| {
        plugin["spec"]["sha256"] = json!("0".repeat(64));
    });
    world.reason("rule", "DigestMismatch").await;
}
