//! Plugins, by what is in force of them.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// An MCPPlugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginState {
    /// Its name, which the platform has given it.
    pub name: String,
    /// As `spec.mode`.
    pub mode: &'static str,
    /// The beginning of the component's digest; empty if none is in force.
    pub digest: String,
    /// Whether a component of it is in force.
    pub loaded: bool,
}

pub(crate) fn encode(
    encoder: &mut DescriptorEncoder,
    plugins: &[PluginState],
) -> Result<(), fmt::Error> {
    if plugins.is_empty() {
        return Ok(());
    }
    let mut loaded = encoder.encode_descriptor(
        "mcp_operator_plugin_loaded",
        "Whether a component of an MCPPlugin is in force (1) or it refuses what it is for, or is passed over (0).",
        None,
        MetricType::Gauge,
    )?;
    for plugin in plugins {
        let labels = [("plugin", plugin.name.as_str()), ("mode", plugin.mode)];
        let value = ConstGauge::new(i64::from(plugin.loaded));
        value.encode(loaded.encode_family(&labels)?)?;
    }
    let mut info = encoder.encode_descriptor(
        "mcp_operator_plugin",
        "The component of an MCPPlugin that is in force.",
        None,
        MetricType::Info,
    )?;
    for plugin in plugins.iter().filter(|plugin| plugin.loaded) {
        let labels = [("plugin", &*plugin.name), ("digest", &*plugin.digest)];
        info.encode_info(&labels)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Metrics};

    #[test]
    fn plugins_are_those_of_the_moment_of_the_scrape() {
        let metrics = Metrics::new("1.0.0");
        let state = |name: &str, loaded| PluginState {
            name: name.into(),
            mode: "enforce",
            digest: "b0dc6185b4a0".into(),
            loaded,
        };
        metrics.observe_plugins(move || vec![state("tenancy", true), state("broken", false)]);
        let text = metrics.encode(Format::Prometheus);
        for line in [
            r#"mcp_operator_plugin_loaded{plugin="tenancy",mode="enforce"} 1"#,
            r#"mcp_operator_plugin_loaded{plugin="broken",mode="enforce"} 0"#,
            r#"mcp_operator_plugin_info{plugin="tenancy",digest="b0dc6185b4a0"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains(r#"mcp_operator_plugin_info{plugin="broken""#));
    }
}
