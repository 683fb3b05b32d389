//! ServiceMonitors in a namespace that is not their servers': no owner reference deletes them there. The operator has an
//! option for that and is stopped meanwhile, so each test has a control plane of its own.

use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_cluster::Definitions;
use mcp_e2e::{Operator, OwnCluster, eventually, holds_for, install_definition};
use serde_json::{Value, json};

use crate::world::{SOON, World};

const MONITORING: &str = "monitoring";
const CREATED: &str = "ServiceMonitorCreated";

/// A cluster with the Prometheus operator's API, and a namespace with MCPServers.
struct Site {
    servers: World,
    own: OwnCluster,
}

impl Site {
    fn start(name: &str) -> Result<Self> {
        let own = OwnCluster::start(name, &[])?;
        let definition = Definitions::fetch()?.service_monitors;
        install_definition(own.kubectl(), &definition)?;
        let servers = World {
            kubectl: own.kubectl().clone(),
            namespace: OwnCluster::NAMESPACE.into(),
        };
        Ok(Self { servers, own })
    }

    fn operator(&self, name: &str, options: &[&str]) -> Result<Operator> {
        let environment = &self.own.environment;
        Operator::start_with(environment, name, self.own.kubectl().kubeconfig(), options)
    }

    /// Where Prometheus looks.
    fn monitoring(&self) -> World {
        World {
            kubectl: self.servers.kubectl.clone(),
            namespace: MONITORING.into(),
        }
    }

    fn create_monitoring(&self) -> Result<()> {
        let create = ["create", "namespace", MONITORING];
        self.servers.kubectl.run(&create).map(drop)
    }

    fn serve(&self, name: &str, metrics: bool) -> Result<()> {
        let spec = json!({ "observability": { "metrics": { "enabled": metrics } } });
        self.servers.apply(&self.servers.server(name, spec))?;
        Ok(())
    }

    fn delete_server(&self, name: &str) -> Result<()> {
        let delete = ["delete", "mcpserver", name, "--namespace=servers"];
        self.servers.kubectl.run(&delete).map(drop)
    }

    fn monitor_of(&self, name: &str) -> Result<Value> {
        let monitor = format!("mcp.servers.{name}");
        self.monitoring().get("servicemonitor", &monitor)
    }

    fn has_no_monitor(&self, name: &str) -> Result<()> {
        let monitor = format!("mcp.servers.{name}");
        self.monitoring().is_gone("servicemonitor", &monitor)
    }

    fn uid_of(&self, name: &str) -> Result<Value> {
        Ok(self.servers.get("mcpserver", name)?["metadata"]["uid"].clone())
    }
}

fn into_monitoring() -> [&'static str; 2] {
    ["--service-monitor-namespace", MONITORING]
}

/// What the label and the annotations say of whose a ServiceMonitor is.
fn named(monitor: &Value) -> (&Value, &Value, &Value) {
    let metadata = &monitor["metadata"];
    (
        &metadata["labels"]["mcp.litellm.ai/server"],
        &metadata["labels"]["mcp.litellm.ai/server-namespace"],
        &metadata["annotations"]["mcp.litellm.ai/server-uid"],
    )
}

#[test]
fn a_service_monitor_elsewhere_lives_as_long_as_its_server() -> Result<()> {
    let site = Site::start("foreign-namespace")?;
    let _operator = site.operator("foreign-namespace", &into_monitoring())?;
    site.serve("a", true)?;
    let missing = site.servers.condition("a", CREATED, "False", "NotFound")?;
    let message = missing["message"].as_str().unwrap_or_default();
    ensure!(message.contains("\"monitoring\" not found"), "{message}");
    site.servers.condition("a", "Ready", "True", "Ready")?;

    site.create_monitoring()?;
    site.servers.recheck_at("a")?;
    let told = site.servers.condition("a", CREATED, "True", "Created")?;
    let message = told["message"].as_str().unwrap_or_default();
    ensure!(message.contains("in the namespace monitoring"), "{told}");
    let made = site.monitor_of("a")?;
    let uid = site.uid_of("a")?;
    assert_eq!(named(&made), (&json!("a"), &json!("servers"), &uid));
    assert!(made["metadata"]["ownerReferences"].is_null(), "{made}");
    assert_eq!(
        made["spec"]["namespaceSelector"]["matchNames"],
        json!(["servers"])
    );
    site.servers.is_gone("servicemonitor", "mcp-a")?;

    site.servers.recheck_at("a")?;
    let version = made["metadata"]["resourceVersion"].clone();
    holds_for("nothing is written", Duration::from_secs(2), || {
        ensure!(site.monitor_of("a")?["metadata"]["resourceVersion"] == version);
        Ok(())
    })?;

    let delete = ["delete", "servicemonitor", "mcp.servers.a"];
    let delete = [&delete[..], &["--namespace", MONITORING]].concat();
    site.servers.kubectl.run(&delete)?;
    eventually("it is back", SOON, || site.monitor_of("a"))?;

    site.serve("a", false)?;
    eventually("it goes with the metrics", SOON, || {
        site.has_no_monitor("a")
    })?;
    site.serve("a", true)?;
    eventually("it comes with them", SOON, || site.monitor_of("a"))?;
    site.delete_server("a")?;
    eventually("it goes with its server", SOON, || site.has_no_monitor("a"))
}

#[test]
fn a_foreign_service_monitor_elsewhere_is_never_taken_over() -> Result<()> {
    let site = Site::start("foreign-namespace-taken")?;
    site.create_monitoring()?;
    let theirs = json!({
        "apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor",
        "metadata": { "name": "mcp.servers.a", "namespace": MONITORING },
        "spec": { "selector": { "matchLabels": { "app": "theirs" } }, "endpoints": [{ "port": "theirs" }] },
    });
    site.servers.apply(&theirs)?;
    let _operator = site.operator("foreign-namespace-taken", &into_monitoring())?;
    site.serve("a", true)?;
    let refused = site
        .servers
        .condition("a", CREATED, "False", "ForeignObject")?;
    let message = refused["message"].as_str().unwrap_or_default();
    ensure!(message.contains("monitoring/mcp.servers.a"), "{message}");
    site.servers.condition("a", "Ready", "True", "Ready")?;
    let untouched = || -> Result<()> {
        let found = site.monitor_of("a")?;
        ensure!(found["spec"]["endpoints"][0]["port"] == "theirs", "{found}");
        ensure!(named(&found).0.is_null(), "{found}");
        Ok(())
    };
    untouched()?;
    site.delete_server("a")?;
    holds_for("it stays", Duration::from_secs(2), untouched)
}
