//! What it takes to ask many plugins about one object, by its size.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::try_join_all;
use mcp_bench::question::validate;
use mcp_plugin_host::{Host, Plugin};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use crate::{SETTINGS, load, native_plugin};

const KILOBYTES: [usize; 3] = [1, 10, 100];
const COUNTS: [usize; 4] = [1, 4, 16, 64];
/// How long each is measured.
const TIME: Duration = Duration::from_secs(2);

/// Prints a table: so many times `validation`, each in an instance of its own, asked at once as admission does, and its own
/// code without a component.
pub(crate) fn measure(runtime: &Runtime, host: &Host) -> Result<()> {
    let most = COUNTS.into_iter().max().unwrap_or_default();
    let plugins: Vec<Plugin> = (0..most)
        .map(|_| load(runtime, host, "validation"))
        .collect::<Result<_>>()?;
    println!(
        "\n| MCPServer | one, native | {} |",
        COUNTS.map(|count| count.to_string()).join(" | ")
    );
    println!("|---|---|{}", "---|".repeat(COUNTS.len()));
    for kilobytes in KILOBYTES {
        let server = server(kilobytes * 1000);
        let native = median(|| {
            native_plugin(&server);
            Ok(())
        })?;
        let mut cells = vec![format!("{native:.0} \u{b5}s")];
        for count in COUNTS {
            let asked = median(|| ask(runtime, &plugins[..count], &server))?;
            cells.push(format!("{asked:.0} \u{b5}s"));
        }
        println!("| {kilobytes} kB | {} |", cells.join(" | "));
    }
    Ok(())
}

/// All at once.
fn ask(runtime: &Runtime, plugins: &[Plugin], server: &str) -> Result<()> {
    let asked = plugins
        .iter()
        .map(|plugin| validate(plugin, SETTINGS, server));
    runtime.block_on(try_join_all(asked)).map(drop)
}

/// What a call takes, in microseconds.
fn median(call: impl Fn() -> Result<()>) -> Result<f64> {
    call()?;
    let (began, mut took) = (Instant::now(), Vec::new());
    while began.elapsed() < TIME {
        let before = Instant::now();
        call()?;
        took.push(before.elapsed());
    }
    took.sort_unstable();
    Ok(took[took.len() / 2].as_secs_f64() * 1e6)
}

/// An MCPServer of about so many bytes, which most of is configuration.
fn server(bytes: usize) -> String {
    let with = |config: &Map<String, Value>| {
        json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": "github", "namespace": "litellm" },
            "spec": {
                "image": { "repository": "123456789012.dkr.ecr.us-east-1.amazonaws.com/github", "tag": "1.0.0" },
                "resources": { "limits": { "cpu": "1", "memory": "1Gi" } },
                "config": config,
            },
        })
        .to_string()
    };
    let mut config = Map::new();
    let (empty, item) = (
        with(&config).len(),
        "\"key-0000\":\"\",".len() + VALUE.len(),
    );
    for number in 0..bytes.saturating_sub(empty) / item {
        config.insert(format!("key-{number:04}"), VALUE.into());
    }
    with(&config)
}

/// As long as most values are.
const VALUE: &str = "https://github.example.com/api/v3";
