//! Servers that break rules.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// Servers by the name of the plugin.
pub(crate) fn encode(
    encoder: &mut DescriptorEncoder,
    servers: &BTreeMap<String, u32>,
) -> Result<(), fmt::Error> {
    if servers.is_empty() {
        return Ok(());
    }
    let mut family = encoder.encode_descriptor(
        "mcp_operator_plugin_violating_servers",
        "MCPServers that are stored and break a rule of an MCPPlugin, in whatever mode it is, as the leader has found.",
        None,
        MetricType::Gauge,
    )?;
    for (plugin, count) in servers {
        let labels = [("plugin", plugin.as_str())];
        ConstGauge::new(*count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{Format, Metrics};

    #[test]
    fn nothing_is_told_before_all_are_judged() {
        let metrics = Metrics::new("1.0.0");
        metrics.observe_violations(Default::default);
        assert!(!metrics.encode(Format::Prometheus).contains("violating"));
        metrics.observe_violations(|| [("tenancy".to_owned(), 3)].into());
        let text = metrics.encode(Format::Prometheus);
        let line = r#"mcp_operator_plugin_violating_servers{plugin="tenancy"} 3"#;
        assert!(text.lines().any(|found| found == line), "{text}");
    }
}
