//! `mcp-operator dashboards`: Grafana's dashboards of what is counted, as JSON. The files below `deploy/` are its output.

use anyhow::{Context, Result};
use serde_json::{Value, json};

mod config_map;
mod fleet;
mod operator;

pub(crate) use config_map::DashboardsConfigMap;

/// A dashboard.
pub struct Dashboard {
    /// By which it is asked for, and the name of its file.
    pub name: &'static str,
    title: &'static str,
    panels: &'static [Panel],
}

/// All that there are.
pub const DASHBOARDS: [&Dashboard; 2] = [&operator::DASHBOARD, &fleet::DASHBOARD];

/// Prints one by its name.
///
/// # Errors
/// When there is none of this name.
pub fn print(name: &str) -> Result<()> {
    let mut dashboards = DASHBOARDS.into_iter();
    let found = dashboards.find(|dashboard| dashboard.name == name);
    let dashboard = found.with_context(|| format!("there is no dashboard {name}"))?;
    println!("{:#}", dashboard.json());
    Ok(())
}

/// One picture on a dashboard.
struct Panel {
    title: &'static str,
    shows: Shows,
    /// As Grafana names units.
    unit: &'static str,
    /// Expressions, and what the legend says of their series.
    queries: &'static [(&'static str, &'static str)],
}

/// How a panel shows its numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// The last value, large.
    Number,
    /// How values have changed.
    Course,
}

/// Grafana divides the width of a page into so many parts.
const PAGE_WIDTH: usize = 24;

impl Shows {
    /// Name of Grafana's panel, its width and its height.
    fn panel(self) -> (&'static str, usize, usize) {
        match self {
            Self::Number => ("stat", 4, 4),
            Self::Course => ("timeseries", 12, 8),
        }
    }
}

impl Dashboard {
    /// The expressions of all panels.
    pub fn queries(&self) -> impl Iterator<Item = &'static str> {
        let queries = self.panels.iter().flat_map(|panel| panel.queries);
        queries.map(|(expression, _)| *expression)
    }

    /// As Grafana reads it.
    pub fn json(&self) -> Value {
        let (mut x, mut y, mut row_height) = (0, 0, 0);
        let panels: Vec<Value> = self
            .panels
            .iter()
            .zip(1..)
            .map(|(panel, id)| {
                let (_, width, height) = panel.shows.panel();
                if x + width > PAGE_WIDTH || height != row_height && x > 0 {
                    (x, y) = (0, y + row_height);
                }
                let place = json!({ "x": x, "y": y, "w": width, "h": height });
                (x, row_height) = (x + width, height);
                panel.json(id, &place)
            })
            .collect();
        json!({
            "uid": format!("mcp-{}", self.name),
            "title": self.title,
            "tags": ["mcp"],
            "editable": true,
            "schemaVersion": 39,
            "refresh": "30s",
            "time": { "from": "now-6h", "to": "now" },
            "templating": { "list": [{ "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus" }] },
            "panels": panels,
        })
    }
}

impl Panel {
    fn json(&self, id: u32, place: &Value) -> Value {
        let (kind, ..) = self.shows.panel();
        let source = json!({ "type": "prometheus", "uid": "${datasource}" });
        let targets: Vec<Value> = self
            .queries
            .iter()
            .zip('A'..)
            .map(|((expression, legend), reference)| {
                let is_number = self.shows == Shows::Number;
                json!({ "refId": reference, "expr": expression, "legendFormat": legend, "instant": is_number, "datasource": source })
            })
            .collect();
        json!({
            "id": id, "title": self.title, "type": kind, "gridPos": place, "datasource": source, "targets": targets,
            "fieldConfig": { "defaults": { "unit": self.unit, "min": 0 }, "overrides": [] },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_files_are_what_the_program_prints() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/chart/monitoring");
        for dashboard in DASHBOARDS {
            let file = folder.join(format!("{}.json", dashboard.name));
            let found: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            let name = dashboard.name;
            assert_eq!(
                found,
                dashboard.json(),
                "mcp-operator dashboards {name} > {}",
                file.display()
            );
        }
    }

    #[test]
    fn no_panel_lies_over_another() {
        for dashboard in DASHBOARDS {
            let json = dashboard.json();
            let mut taken = std::collections::BTreeSet::new();
            for panel in json["panels"].as_array().unwrap() {
                let at = |member: &str| panel["gridPos"][member].as_u64().unwrap();
                assert!(at("x") + at("w") <= 24, "{panel}");
                for x in at("x")..at("x") + at("w") {
                    for y in at("y")..at("y") + at("h") {
                        assert!(taken.insert((x, y)), "{panel}");
                    }
                }
            }
        }
    }
}
