//! Pictures of the dashboards, for the pages: what a real Prometheus answers to the query of each panel.

#[path = "pictures/drawing.rs"]
mod drawing;

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mcp_cluster::{Prometheus, repository};
use serde_json::{Value, json};

use self::drawing::{Panel, Place, Series, draw};
use crate::metrics::dashboards;
use crate::world::{World, environment, operator};

/// For how long something happens: the rates of the panels are those of five minutes.
const SHOWN: Duration = Duration::from_mins(7);
/// One thing happens after the other.
const PAUSE: Duration = Duration::from_millis(700);
const TEAMS: [&str; 3] = ["billing", "data", "search"];
/// Servers of each team, before some of them go.
const SERVERS: usize = 12;

/// LiteLLM as far as the operator sees it: a Deployment that mounts the file.
fn gateway() -> Result<()> {
    let world = World::new("litellm");
    let labels = json!({ "app": "litellm-proxy" });
    let container = json!({ "name": "litellm", "image": "litellm" });
    world.apply(&json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "litellm-proxy", "namespace": world.namespace },
        "spec": {
            "replicas": 2, "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": { "containers": [container] } },
        },
    }))?;
    Ok(())
}

/// What teams do: they bring servers, change them, make mistakes, and take some away. Each number is one thing.
fn happen(worlds: &[World], number: usize) -> Result<()> {
    let world = &worlds[number % worlds.len()];
    let round = number / worlds.len();
    let name = format!("server-{}", round % SERVERS);
    let spec = |value: usize| {
        json!({
            "litellm": { "autoRegister": true }, "config": { "value": value.to_string() },
            "observability": { "metrics": { "enabled": true } },
        })
    };
    match round % 8 {
        3 => drop(world.refused(&world.server(&name, json!({ "image": { "tag": "latest" } })))),
        6 if round > SERVERS => {
            let namespace = format!("--namespace={}", world.namespace);
            let delete = [
                "delete",
                "mcpserver",
                &name,
                &namespace,
                "--ignore-not-found",
                "--wait=false",
            ];
            world.kubectl.run(&delete)?;
        }
        _ => drop(world.apply(&world.server(&name, spec(round)))?),
    }
    Ok(())
}

#[test]
#[ignore = "draws deploy/pictures for seven minutes: `cargo xtask test --only control-plane --filter pictures`"]
fn pictures_of_the_dashboards_are_drawn() -> Result<()> {
    let folder = environment().logs.join("prometheus-pictures");
    let prometheus = Prometheus::start(&folder, &operator().metrics_address(), &[])?;
    gateway()?;
    let worlds = TEAMS.map(World::new);
    let began = Instant::now();
    for number in 0.. {
        if began.elapsed() > SHOWN {
            break;
        }
        happen(&worlds, number)?;
        sleep(PAUSE);
    }
    let pictures = repository().join("deploy/pictures");
    fs::create_dir_all(&pictures)?;
    for (file, dashboard) in dashboards()? {
        let panels = dashboard["panels"].as_array().context("no panels")?;
        let panels = panels
            .iter()
            .map(|panel| answered(&prometheus, panel))
            .collect::<Result<Vec<_>>>()?;
        let file = pictures.join(file.replace(".json", ".svg"));
        draw(
            &file,
            dashboard["title"].as_str().unwrap_or_default(),
            &panels,
        )?;
    }
    Ok(())
}

/// A panel with what Prometheus answers to it.
fn answered(prometheus: &Prometheus, panel: &Value) -> Result<Panel> {
    let mut series = Vec::new();
    for target in panel["targets"].as_array().context("no targets")? {
        let legend = target["legendFormat"].as_str().unwrap_or_default();
        let expression = target["expr"].as_str().context("no expression")?;
        for found in prometheus.query_range(expression, SHOWN)? {
            series.push(Series {
                name: named(legend, &found["metric"]),
                points: points(&found),
            });
        }
    }
    let place = &panel["gridPos"];
    let at = |side: &str| place[side].as_u64().and_then(|cells| cells.try_into().ok());
    Ok(Panel {
        title: panel["title"].as_str().unwrap_or_default().to_owned(),
        is_stat: panel["type"] == "stat",
        unit: panel["fieldConfig"]["defaults"]["unit"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        place: Place {
            left: at("x").context("no x")?,
            top: at("y").context("no y")?,
            width: at("w").context("no w")?,
            height: at("h").context("no h")?,
        },
        series,
    })
}

/// A legend such as `{{plugin}} p99`, with the labels of a series.
fn named(legend: &str, labels: &Value) -> String {
    let labels = labels.as_object().into_iter().flatten();
    labels
        .fold(legend.to_owned(), |name, (label, value)| {
            name.replace(
                &format!("{{{{{label}}}}}"),
                value.as_str().unwrap_or_default(),
            )
        })
        // A label that this series has not.
        .split("{{")
        .map(|part| part.split_once("}}").map_or(part, |(_, rest)| rest))
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Seconds since 1970, and values. A rate of nothing is no number, and shown as a gap.
fn points(series: &Value) -> Vec<(f64, f64)> {
    let values = series["values"].as_array().into_iter().flatten();
    values
        .filter_map(|point| Some((point[0].as_f64()?, point[1].as_str()?.parse().ok()?)))
        .filter(|(_, value): &(f64, f64)| value.is_finite())
        .collect()
}
