//! A rule in `enforce` whose source is gone when the operator starts anew, in a pod with an empty cache.

use std::fs::remove_dir_all;

use anyhow::{Result, ensure};
use mcp_e2e::{Environment, Operator, OwnCluster, eventually};
use serde_json::{Value, json};

use crate::world::{RECOVERY, World};

/// Where the rule comes from, and where the operator keeps its copies.
const OPERATOR: &str = "mcp-operator-system";
const RULE: &str = "team";

struct Lost {
    world: World,
    environment: Environment,
    operator: Option<Operator>,
}

impl Lost {
    /// A cluster with a server, and with a rule in force that comes from a ConfigMap.
    fn start() -> Result<Self> {
        let world = World::start("lost-rule")?;
        let environment = Environment {
            // Its cache of components is its own, as that of a pod is.
            logs: world.own.environment.logs.join("lost-rule"),
            ..world.own.environment.clone()
        };
        std::fs::create_dir_all(&environment.logs)?;
        let mut lost = Self {
            world,
            environment,
            operator: None,
        };
        lost.make_source()?;
        lost.world.kubectl().apply(&rule(None))?;
        lost.restart("lost-rule")?;
        lost.rule_is("True", "InForce")?;
        eventually("a copy is kept", RECOVERY, || {
            ensure!(lost.copies()?.lines().count() == 1, "{}", lost.copies()?);
            Ok(())
        })?;
        lost.apply("s-0", true, 8080)?;
        lost.world.converged(1)?;
        Ok(lost)
    }

    /// As a new pod does.
    fn restart(&mut self, name: &str) -> Result<()> {
        self.stop()?;
        self.operator = Some(Operator::start(&self.environment, name)?);
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        if let Some(mut operator) = self.operator.take() {
            operator.kill();
        }
        let cache = self.environment.logs.join("components");
        if cache.exists() {
            remove_dir_all(cache)?;
        }
        Ok(())
    }

    fn make_source(&self) -> Result<()> {
        let component = self
            .environment
            .artifacts
            .plugins
            .join("require_team_label.wasm");
        let from = format!("--from-file=plugin.wasm={}", component.display());
        let create = ["create", "configmap", RULE, "--namespace", OPERATOR, &from];
        self.world.kubectl().run(&create).map(drop)
    }

    /// Copies of the rule, and not those of the plugins that come with the operator.
    fn selector(&self) -> Result<String> {
        let uid = [
            "get",
            "mcpplugin",
            RULE,
            "--output=jsonpath={.metadata.uid}",
        ];
        let uid = self.world.kubectl().run(&uid)?;
        Ok(format!("--selector=mcp.litellm.ai/plugin-uid={uid}"))
    }

    fn copies(&self) -> Result<String> {
        let (selector, output) = (self.selector()?, "--output=name");
        let list = [
            "get",
            "configmaps",
            "--namespace",
            OPERATOR,
            &selector,
            output,
        ];
        self.world.kubectl().run(&list)
    }

    fn delete_copies(&self) -> Result<()> {
        let selector = self.selector()?;
        let delete = ["delete", "configmaps", "--namespace", OPERATOR, &selector];
        self.world.kubectl().run(&delete).map(drop)
    }

    /// Applies a server that obeys the rule, or breaks it.
    fn apply(&self, name: &str, obeys: bool, port: u16) -> Result<()> {
        let labels = if obeys {
            json!({ "team": "a" })
        } else {
            json!({})
        };
        let server = json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": name, "namespace": OwnCluster::NAMESPACE, "labels": labels },
            "spec": {
                "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" }, "config": { "a": 1 }, "port": port,
                "resources": { "limits": { "cpu": "500m", "memory": "64Mi" } }, "litellm": { "autoRegister": false },
            },
        });
        self.world
            .kubectl()
            .pipe(&["apply", "--filename", "-"], &server.to_string())
            .map(drop)
    }

    /// Why a server that breaks the rule is refused; it must be, and at once.
    fn refused(&self) -> String {
        let applied = self.apply("violating", false, 8080);
        applied
            .err()
            .map_or_else(|| panic!("it was accepted"), |error| format!("{error:#}"))
    }

    /// Waits until the rule's condition has this status and reason, and gives the MCPPlugin.
    fn rule_is(&self, status: &str, reason: &str) -> Result<Value> {
        eventually("the rule's condition", RECOVERY, || {
            let plugin = self.world.kubectl().json(&["get", "mcpplugin", RULE])?;
            let ready = &plugin["status"]["conditions"][0];
            ensure!(
                ready["status"] == status && ready["reason"] == reason,
                "{ready}"
            );
            Ok(plugin)
        })
    }

    fn server_is(&self, status: &str, reason: &str) -> Result<()> {
        eventually("the server's condition", RECOVERY, || {
            let valid = self.world.condition("SpecValid")?;
            ensure!(
                valid["status"] == status && valid["reason"] == reason,
                "{valid}"
            );
            Ok(())
        })
    }

    fn generation(&self) -> Result<Value> {
        Ok(self.world.get("deployment", "mcp-s-0")?["metadata"]["generation"].take())
    }
}

fn rule(settings: Option<Value>) -> String {
    let source = json!({ "configMap": { "namespace": OPERATOR, "name": RULE } });
    let mut rule = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": RULE },
        "spec": { "source": source },
    });
    if let Some(settings) = settings {
        rule["spec"]["settings"] = settings;
    }
    rule.to_string()
}

#[test]
fn a_rule_outlives_its_source_and_the_pod_and_without_its_copy_it_refuses() -> Result<()> {
    let mut lost = Lost::start()?;
    let (generation, copy) = (lost.generation()?, lost.copies()?);

    // The source is gone: the copy is in force.
    lost.stop()?;
    let source = ["delete", "configmap", RULE, "--namespace", OPERATOR];
    lost.world.kubectl().run(&source)?;
    lost.restart("lost-rule-source")?;
    let refused = lost.refused();
    ensure!(
        refused.contains("metadata.labels[team]: Required value"),
        "{refused}"
    );
    let plugin = lost.rule_is("False", "SourceNotFound")?;
    ensure!(!plugin["status"]["digest"].is_null(), "{plugin}");
    ensure!(lost.copies()? == copy, "{copy}");
    lost.apply("s-0", true, 8080)?;
    lost.server_is("True", "Valid")?;
    ensure!(lost.generation()? == generation, "it was rolled");

    // Its settings are not accepted any more: nobody can say what it says.
    lost.stop()?;
    lost.world
        .kubectl()
        .apply(&rule(Some(json!({ "unknown": true }))))?;
    lost.restart("lost-rule-settings")?;
    let refused = lost.refused();
    ensure!(
        refused.contains("plugin team is not loaded (SourceNotFound)"),
        "{refused}"
    );
    ensure!(refused.contains("spec.settings.unknown"), "{refused}");
    lost.world.kubectl().apply(&rule(None))?;
    eventually("the rule is asked again", RECOVERY, || {
        let refused = lost.refused();
        ensure!(
            refused.contains("metadata.labels[team]: Required value"),
            "{refused}"
        );
        Ok(())
    })?;

    // The copy is gone too: it refuses by name and reason, and keeps its hands off what is there.
    lost.stop()?;
    lost.delete_copies()?;
    lost.restart("lost-rule-copy")?;
    let refused = lost.refused();
    ensure!(
        refused.contains("plugin team is not loaded (SourceNotFound)"),
        "{refused}"
    );
    let plugin = lost.rule_is("False", "SourceNotFound")?;
    let message = plugin["status"]["conditions"][0]["message"]
        .as_str()
        .unwrap_or_default();
    ensure!(
        message.contains("are refused until it is loaded"),
        "{message}"
    );
    ensure!(lost.apply("s-0", true, 9000).is_err(), "it was accepted");
    lost.server_is("Unknown", "PluginUnavailable")?;
    ensure!(lost.generation()? == generation, "it was rolled");

    // Mending it needs no restart.
    lost.make_source()?;
    lost.rule_is("True", "InForce")?;
    let refused = lost.refused();
    ensure!(
        refused.contains("metadata.labels[team]: Required value"),
        "{refused}"
    );
    lost.server_is("True", "Valid")?;
    ensure!(lost.generation()? == generation, "it was rolled");
    eventually("a copy is kept again", RECOVERY, || {
        ensure!(lost.copies()? == copy, "{}", lost.copies()?);
        Ok(())
    })
}
