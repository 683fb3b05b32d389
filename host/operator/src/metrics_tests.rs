use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_operator_policy::UnavailablePlugin;
use serde_json::{Value, json};

use super::*;

fn server(namespace: &str, status: Value) -> GuardedServer {
    serde_json::from_value(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": "a", "namespace": namespace },
        "spec": { "image": { "repository": "acme/mcp" } }, "status": status,
    }))
    .unwrap()
}

fn condition(kind: &str, status: &str) -> Value {
    json!({ "type": kind, "status": status, "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z" })
}

fn text(servers: &[GuardedServer]) -> String {
    let mut fleet = Fleet::default();
    for server in servers {
        count(&mut fleet, server);
    }
    let metrics = Metrics::new("1.0.0");
    metrics.observe_fleet(move || fleet.clone());
    metrics.encode(Format::Prometheus)
}

#[test]
fn servers_are_counted_by_their_statuses() {
    let conditions = [
        condition("Ready", "True"),
        condition("SpecValid", "maybe"),
        condition("acme.io/Blessed", "True"),
    ];
    let mut unreadable = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": "b", "namespace": "tools" }, "spec": { "image": 7 },
    });
    let unreadable: GuardedServer = serde_json::from_value(unreadable.take()).unwrap();
    let text = text(&[
        server(
            "tools",
            json!({ "phase": "Ready", "conditions": conditions }),
        ),
        server("team-a", json!({ "observedGeneration": -1 })),
        unreadable,
    ]);
    for line in [
        r#"mcp_operator_mcpservers_total{phase="Ready"} 1"#,
        r#"mcp_operator_mcpservers_total{phase="Pending"} 1"#,
        r#"mcp_operator_mcpservers_total{phase="Unreadable"} 1"#,
        r#"mcp_operator_namespace_mcpservers{server_namespace="team-a",phase="Pending"} 1"#,
        r#"mcp_operator_mcpserver_conditions{condition="Ready",status="True"} 1"#,
        r#"mcp_operator_mcpserver_conditions{condition="SpecValid",status="Unknown"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains("Blessed"), "a condition of somebody else");
}

/// Whatever a team calls its servers, and writes into their statuses, makes no series.
#[test]
fn a_thousand_servers_with_strange_statuses_have_the_series_of_one() {
    let series = |count: usize| {
        let servers: Vec<_> = (0..count)
            .map(|index| {
                let strange = condition(&format!("Type{index}"), &format!("status{index}"));
                let mut server = server("tools", json!({ "phase": "Ready", "conditions": [strange, condition("Ready", &format!("s{index}"))] }));
                server.meta_mut().name = Some(format!("server-{index}"));
                server
            })
            .collect();
        text(&servers)
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count()
    };
    assert_eq!(series(1000), series(1));
}

#[test]
fn a_plugin_that_is_not_loaded_says_so() {
    let plugin: McpPlugin = serde_json::from_value(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": "rule" },
        "spec": { "source": { "builtin": "rule" }, "mode": "warn" },
    }))
    .unwrap();
    let missing = vec![UnavailablePlugin::new(&plugin, None)];
    let snapshot = Snapshot::with_unavailable(Vec::new(), missing, true);
    let expected = PluginState {
        name: "rule".into(),
        mode: "warn",
        digest: String::new(),
        loaded: false,
    };
    assert_eq!(plugins(&snapshot), [expected]);
}

/// The texts of all `fn category` of the host.
fn categories_of_the_code() -> BTreeSet<String> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") && !is_test(&path) {
                let source = fs::read_to_string(&path).unwrap();
                for body in source.split("fn category(&self) -> &'static str {").skip(1) {
                    let body = body.split("\n    }\n").next().unwrap();
                    let words = body.split('"').skip(1).step_by(2);
                    found.extend(words.map(str::to_owned));
                }
            }
        }
    }
    found
}

fn is_test(file: &Path) -> bool {
    file.to_string_lossy().ends_with("_tests.rs")
}

#[test]
fn the_runbook_has_every_category_and_no_other() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/RUNBOOK.md");
    let runbook = fs::read_to_string(file).unwrap();
    let (_, table) = runbook.split_once("\n# Categories of errors\n").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let told = rows.filter_map(|row| row.split('`').next());
    let mut known = categories_of_the_code();
    assert!(known.len() > 40, "{known:?}");
    // The category of rules that nobody can ask is no match arm.
    known.insert("PluginUnavailable".to_owned());
    assert_eq!(told.map(str::to_owned).collect::<BTreeSet<_>>(), known);
}
