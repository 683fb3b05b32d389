//! MCPServers, by what stands in their statuses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// Namespaces that have series of their own.
pub const MAX_NAMESPACES: usize = 200;
/// The label of all others together, which no namespace can have as its name.
pub const OTHER_NAMESPACES: &str = "_other";

/// MCPServers by namespace, phase and condition, counted at a moment.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    phases: BTreeMap<&'static str, i64>,
    namespaces: BTreeMap<String, BTreeMap<&'static str, i64>>,
    conditions: BTreeMap<(&'static str, &'static str), i64>,
}

impl Fleet {
    /// Without a server. All `phases` that there are have a series, so that none is missing where no server has it.
    pub fn new(phases: impl IntoIterator<Item = &'static str>) -> Self {
        Self {
            phases: phases.into_iter().map(|phase| (phase, 0)).collect(),
            ..Self::default()
        }
    }

    /// Counts a server, with the type and the status of each of its conditions. All words but the namespace are those of the
    /// code: a status can be written by others.
    pub fn count(
        &mut self,
        namespace: &str,
        phase: &'static str,
        conditions: impl IntoIterator<Item = (&'static str, &'static str)>,
    ) {
        *self.phases.entry(phase).or_default() += 1;
        if let Some(phases) = self.namespaces.get_mut(namespace) {
            *phases.entry(phase).or_default() += 1;
        } else {
            self.namespaces
                .insert(namespace.to_owned(), BTreeMap::from([(phase, 1)]));
        }
        for condition in conditions {
            *self.conditions.entry(condition).or_default() += 1;
        }
    }

    /// By namespace and phase, with those namespaces in one that have the fewest servers.
    fn by_namespace(&self) -> BTreeMap<(&str, &'static str), i64> {
        let mut sizes: Vec<(i64, &str)> = self
            .namespaces
            .iter()
            .map(|(namespace, phases)| (-phases.values().sum::<i64>(), namespace.as_str()))
            .collect();
        sizes.sort_unstable();
        let named: BTreeSet<&str> = sizes
            .into_iter()
            .take(MAX_NAMESPACES)
            .map(|(_, namespace)| namespace)
            .collect();
        let mut counts = BTreeMap::new();
        for (namespace, phases) in &self.namespaces {
            let name = named.get(namespace.as_str());
            let name = name.copied().unwrap_or(OTHER_NAMESPACES);
            for (phase, count) in phases {
                *counts.entry((name, *phase)).or_default() += count;
            }
        }
        counts
    }

    pub(crate) fn encode(&self, encoder: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        // The name is the architecture's. It goes up and down, and ends as only counters may: so it is given no type, which
        // changes nothing for who reads it, and nobody takes it for a mistake.
        let mut phases = encoder.encode_descriptor(
            "mcp_operator_mcpservers_total",
            "MCPServers by phase, now: it goes down as well as up.",
            None,
            MetricType::Unknown,
        )?;
        for (phase, count) in &self.phases {
            let labels = [("phase", *phase)];
            ConstGauge::new(*count).encode(phases.encode_family(&labels)?)?;
        }
        let by_namespace = self.by_namespace();
        if !by_namespace.is_empty() {
            let mut namespaces = encoder.encode_descriptor(
                "mcp_operator_namespace_mcpservers",
                "MCPServers by namespace and phase, now. Beyond 200 namespaces, those with the fewest servers are _other.",
                None,
                MetricType::Gauge,
            )?;
            for ((namespace, phase), count) in by_namespace {
                // Not `namespace`: that is the label of what is scraped.
                let labels = [("server_namespace", namespace), ("phase", phase)];
                ConstGauge::new(count).encode(namespaces.encode_family(&labels)?)?;
            }
        }
        if !self.conditions.is_empty() {
            let mut conditions = encoder.encode_descriptor(
                "mcp_operator_mcpserver_conditions",
                "MCPServers by the status of a condition, now.",
                None,
                MetricType::Gauge,
            )?;
            for ((condition, status), count) in &self.conditions {
                let labels = [("condition", *condition), ("status", *status)];
                ConstGauge::new(*count).encode(conditions.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Metrics};

    fn text(fleet: Fleet) -> String {
        let metrics = Metrics::new("1.0.0");
        metrics.observe_fleet(move || fleet.clone());
        metrics.encode(Format::Prometheus)
    }

    #[test]
    fn servers_are_counted_by_phase_namespace_and_condition() {
        let mut fleet = Fleet::new(["Ready", "Failed"]);
        fleet.count("tools", "Ready", [("Ready", "True")]);
        fleet.count("tools", "Ready", [("Ready", "True")]);
        fleet.count(
            "team-a",
            "Ready",
            [("Ready", "True"), ("SpecValid", "False")],
        );
        let text = text(fleet);
        for line in [
            "# TYPE mcp_operator_mcpservers_total untyped",
            r#"mcp_operator_mcpservers_total{phase="Ready"} 3"#,
            r#"mcp_operator_mcpservers_total{phase="Failed"} 0"#,
            r#"mcp_operator_namespace_mcpservers{server_namespace="tools",phase="Ready"} 2"#,
            r#"mcp_operator_mcpserver_conditions{condition="Ready",status="True"} 3"#,
            r#"mcp_operator_mcpserver_conditions{condition="SpecValid",status="False"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn many_namespaces_have_a_bounded_number_of_series_and_lose_no_server() {
        let mut fleet = Fleet::new(["Ready", "Failed"]);
        for namespace in 0..5000 {
            fleet.count(&format!("n{namespace}"), "Ready", []);
        }
        for _ in 0..10 {
            fleet.count("n4999", "Failed", []);
        }
        let text = text(fleet);
        let series: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("mcp_operator_namespace_mcpservers{"))
            .collect();
        // Of each namespace as many as it has phases.
        assert_eq!(series.len(), MAX_NAMESPACES + 2);
        let value = |line: &&str| {
            line.rsplit(' ')
                .next()
                .and_then(|it| it.parse::<i64>().ok())
        };
        assert_eq!(series.iter().filter_map(value).sum::<i64>(), 5010);
        let largest =
            r#"mcp_operator_namespace_mcpservers{server_namespace="n4999",phase="Failed"} 10"#;
        assert!(series.contains(&largest), "{series:?}");
        let others = format!(
            r#"mcp_operator_namespace_mcpservers{{server_namespace="{OTHER_NAMESPACES}",phase="Ready"}} 4800"#
        );
        assert!(series.contains(&others.as_str()));
    }
}
