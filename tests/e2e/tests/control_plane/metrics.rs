//! What the operator says of itself, read by a real Prometheus.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mcp_cluster::{Prometheus, check_metrics, repository, test_rules};
use mcp_e2e::eventually;
use serde_json::{Value, json};

use crate::world::{SOON, World, environment, operator};

/// Each of them must have a series after a server came and another one was refused: the names are promised.
const FAMILIES: [&str; 25] = [
    "leader_election_master_status{name=\"mcp-operator-leader\"} == 1",
    "controller_runtime_reconcile_total{controller=\"mcpserver\",result=\"success\"}",
    "controller_runtime_reconcile_time_seconds_bucket{controller=\"mcpserver\"}",
    "controller_runtime_reconcile_total{controller=\"registration\"}",
    "mcp_operator_mcpservers_total{phase=\"Ready\"}",
    "mcp_operator_namespace_mcpservers{server_namespace=\"metrics\"}",
    "mcp_operator_mcpserver_conditions{condition=\"SpecValid\",status=\"True\"}",
    "mcp_operator_plugin_calls_total{plugin=\"validation\",interface=\"validator\",outcome=\"Answered\"}",
    "mcp_operator_plugin_calls_total{plugin=\"compliance\",interface=\"defaulter\"}",
    "mcp_operator_plugin_call_seconds_count{plugin=\"litellm-configmap\",interface=\"registrar\"}",
    "mcp_operator_plugin_call_largest_memory_bytes{plugin=\"validation\",function=\"validate\"}",
    "mcp_operator_plugin_call_memory_limit_bytes{plugin=\"validation\",function=\"validate\"}",
    "mcp_operator_plugin_loaded{plugin=\"tenancy\",mode=\"enforce\"}",
    "mcp_operator_plugin_info{plugin=\"tenancy\"}",
    "mcp_operator_plugin_violating_servers{plugin=\"tenancy\"}",
    "mcp_operator_admission_requests_total{verdict=\"allowed\",code=\"200\"}",
    "mcp_operator_admission_requests_total{verdict=\"denied\",code=\"422\"}",
    "mcp_operator_admission_seconds_bucket{webhook=\"mutate_mcpserver\"}",
    "mcp_operator_admission_in_flight",
    "workqueue_depth{name=\"mcpserver\"}",
    "workqueue_oldest_due_seconds{name=\"mcpserver\"}",
    "mcp_operator_registry_servers",
    "mcp_operator_registry_pending",
    "mcp_operator_certificate_expiration_timestamp_seconds{certificate=\"serving\"}",
    "mcp_operator_build_info",
];

/// What the word `latest` makes of a server, and what one that is in order becomes.
fn something_happens(world: &World) -> Result<()> {
    let denied = world.server("latest-image", json!({ "image": { "tag": "latest" } }));
    let refusal = world.refused(&denied);
    ensure!(refusal.contains("spec.image.tag"), "{refusal}");
    world.apply(&world.server("counted-server", json!({})))?;
    world.deployed("counted-server").map(drop)
}

#[test]
fn prometheus_scrapes_every_family_and_promtool_finds_nothing_wrong() -> Result<()> {
    let world = World::new("metrics");
    // Where the registrar writes to.
    let _gateway = World::new("litellm");
    let folder = environment().logs.join("prometheus");
    let rules = write_rules(&folder)?;
    let prometheus = Prometheus::start(&folder, &operator().metrics_address(), &[rules])?;
    something_happens(&world)?;
    eventually("the scrape has a server that is ready", SOON, || {
        let text = operator().scrape()?;
        let ready =
            r#"mcp_operator_namespace_mcpservers{server_namespace="metrics",phase="Ready"} 1"#;
        ensure!(text.lines().any(|line| line == ready), "{text}");
        check_metrics(&text)
    })?;
    let text = operator().scrape()?;
    for name in ["counted-server", "latest-image"] {
        ensure!(
            !text.contains(&format!("\"{name}\"")),
            "the name of a server is a label"
        );
    }
    for family in FAMILIES {
        eventually(family, SOON, || {
            let series = prometheus.query(family)?;
            ensure!(!series.is_empty(), "no series");
            Ok(())
        })?;
    }
    for (panel, expression) in panels()? {
        eventually(&panel, SOON, || {
            let series = prometheus.query(&expression)?;
            ensure!(!series.is_empty(), "{panel} shows nothing: {expression}");
            Ok(())
        })?;
    }
    let up = prometheus.query("min_over_time(up[10s])")?;
    ensure!(up[0]["value"][1] == "1", "{up:?}");
    Ok(())
}

#[test]
fn the_certificate_tells_until_when_it_is_valid() -> Result<()> {
    let folder = environment().logs.join("prometheus-certificate");
    let prometheus = Prometheus::start(&folder, &operator().metrics_address(), &[])?;
    let name = "mcp_operator_certificate_expiration_timestamp_seconds";
    // What is made for 90 days ends in as many, and so does its authority.
    let within = format!("abs({name} - time() - 90 * 86400) < 86400");
    eventually("both certificates", Duration::from_secs(30), || {
        let series = prometheus.query(&within)?;
        ensure!(series.len() == 2, "{series:?}");
        Ok(())
    })
}

const MONITORING: &str = "deploy/components/monitoring";
/// ConfigMap of both dashboards, as Grafana's sidecar finds it.
const DASHBOARDS: &str = "dashboards.yaml";

fn manifest(file: &str) -> Result<Value> {
    let file = repository().join(MONITORING).join(file);
    let text = fs::read_to_string(&file).with_context(|| format!("no {}", file.display()))?;
    Ok(serde_yaml_ng::from_str(&text)?)
}

/// The groups of the PrometheusRule, as a file of Prometheus.
fn write_rules(folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let rule = manifest("prometheus-rule.yaml")?;
    let file = folder.join("alerts.yaml");
    fs::write(
        &file,
        json!({ "groups": rule["spec"]["groups"] }).to_string(),
    )?;
    Ok(file)
}

/// Name of the file and content of each dashboard.
pub(crate) fn dashboards() -> Result<Vec<(&'static str, Value)>> {
    let manifest = manifest(DASHBOARDS)?;
    let read = |file: &'static str| {
        let dashboard = manifest["data"][file].as_str();
        let dashboard = serde_json::from_str(dashboard.context("no dashboard")?)?;
        Ok((file, dashboard))
    };
    ["mcp-operator.json", "mcp-fleet.json"]
        .into_iter()
        .map(read)
        .collect()
}

/// Title and expression of every panel of every dashboard.
fn panels() -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for (_, dashboard) in dashboards()? {
        for panel in dashboard["panels"].as_array().context("no panels")? {
            for target in panel["targets"].as_array().context("no targets")? {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                found.push((text(&panel["title"]), text(&target["expr"])));
            }
        }
    }
    ensure!(found.len() > 20, "{} panels", found.len());
    Ok(found)
}

/// Needs no cluster, but the tool of Prometheus, as the others here.
#[test]
fn every_alert_fires_in_its_case_and_has_its_section_in_the_runbook() -> Result<()> {
    let folder = tempfile::tempdir()?;
    write_rules(folder.path())?;
    let cases = repository().join(MONITORING).join("alerts-test.yaml");
    let copy = folder.path().join("alerts-test.yaml");
    fs::copy(&cases, &copy)?;
    test_rules(&copy)?;

    let runbook = fs::read_to_string(repository().join("deploy/RUNBOOK.md"))?;
    let sections: BTreeSet<&str> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    let rule = manifest("prometheus-rule.yaml")?;
    let rules = rule["spec"]["groups"][0]["rules"].as_array();
    let alerts: BTreeSet<&str> = rules
        .into_iter()
        .flatten()
        .filter_map(|rule| rule["alert"].as_str())
        .collect();
    ensure!(sections == alerts, "{sections:?} is not {alerts:?}");
    let cases = manifest("alerts-test.yaml")?;
    for alert in alerts {
        let tests = cases["tests"].as_array().into_iter().flatten();
        let checks =
            tests.flat_map(|test| test["alert_rule_test"].as_array().into_iter().flatten());
        let fires: BTreeSet<bool> = checks
            .filter(|check| check["alertname"] == alert)
            .map(|check| check.get("exp_alerts").is_some())
            .collect();
        ensure!(
            fires.len() == 2,
            "{alert} needs a case in which it fires and one in which not"
        );
    }
    Ok(())
}
