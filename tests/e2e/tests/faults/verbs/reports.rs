//! What is missing for the Reports of the namespaces.

use anyhow::{Result, ensure};
use mcp_e2e::eventually;
use serde_json::json;

use super::TENANT;
use super::permission::{Logging, Permission, grant, install_optional, rules, without};
use crate::world::{RECOVERY, World};

/// They are of no server, so only the log tells it.
#[test]
fn what_is_missing_for_reports_is_told_in_the_log() -> Result<()> {
    let world = World::start("verbs-of-reports")?;
    let kubectl = world.kubectl();
    install_optional(kubectl)?;
    world.delete_webhooks()?;
    let validation = json!({ "name": "two", "expression": "object.spec.replicas >= 2" });
    let plugin = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": "two" },
        "spec": { "source": { "builtin": "cel" }, "mode": "audit", "settings": { "validations": [validation] } },
    });
    kubectl.apply(&plugin.to_string())?;
    world.apply_with(0..1, &json!({ "replicas": 1 }))?;
    let all = rules(kubectl, TENANT)?;
    let missing = |verb: &str| Permission {
        resource: "reports".into(),
        verb: verb.into(),
    };
    for verb in ["patch", "create"] {
        let missing = missing(verb);
        grant(kubectl, TENANT, &without(&all, |taken| *taken == missing))?;
        Logging::start(&world, &format!("no-{verb}-of-reports"))?.says(&missing)?;
    }
    let missing = missing("delete");
    grant(kubectl, TENANT, &without(&all, |taken| *taken == missing))?;
    let operator = Logging::start(&world, "no-delete-of-reports")?;
    eventually("there is a Report", RECOVERY, || {
        let found = world.get("reports.openreports.io", "mcp-operator")?;
        ensure!(found["summary"]["warn"] == 1, "{found}");
        Ok(())
    })?;
    kubectl.run(&["delete", "mcpplugin", "two"])?;
    operator.says(&missing)
}
