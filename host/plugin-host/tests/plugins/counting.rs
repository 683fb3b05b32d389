//! What is counted of calls.

use std::time::Duration;

use mcp_operator_metrics::{Format, Metrics};
use mcp_plugin_host::Limits;

use crate::common::{fixture_component, host_with, run};

#[tokio::test]
async fn calls_are_counted_by_their_outcome_and_go_with_the_plugin() {
    let metrics = Metrics::new("1.0.0");
    let host = host_with(|config| config.metrics = metrics.plugin_calls());
    let plugin = host.load("counted", fixture_component()).await.unwrap();
    let limits = Limits {
        timeout: Duration::from_secs(30),
        ..Limits::default()
    };
    run(&plugin, "good", &limits).await.unwrap();
    let short = Limits {
        timeout: Duration::from_millis(100),
        ..limits
    };
    run(&plugin, "loop", &short).await.unwrap_err();
    let text = metrics.encode(Format::Prometheus);
    let labels = r#"plugin="counted",interface="validator",function="validate""#;
    for line in [
        format!(r#"mcp_operator_plugin_calls_total{{{labels},outcome="Answered"}} 1"#),
        format!(r#"mcp_operator_plugin_calls_total{{{labels},outcome="DeadlineExceeded"}} 1"#),
        format!("mcp_operator_plugin_call_seconds_count{{{labels}}} 2"),
        format!("mcp_operator_plugin_call_memory_limit_bytes{{{labels}}} 67108864"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let memory = format!("mcp_operator_plugin_call_largest_memory_bytes{{{labels}}} ");
    let memory = text.lines().find_map(|line| line.strip_prefix(&memory));
    let bytes: u64 = memory.unwrap().parse().unwrap();
    assert!((1 << 16..=64 << 20).contains(&bytes), "{bytes}");
    drop(plugin);
    assert!(!metrics.encode(Format::Prometheus).contains("counted"));
}
