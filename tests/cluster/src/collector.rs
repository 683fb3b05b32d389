//! A real OpenTelemetry Collector on this machine, and the spans that it has got.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cache::{Cache, make_folder, write};
use crate::go_program;
use crate::ports::free_port;
use crate::process::Process;

/// How long it may take until it takes traces.
const START: Duration = Duration::from_mins(1);

/// A running collector; it stops when this is dropped.
pub struct Collector {
    _process: Process,
    address: SocketAddr,
    lines: PathBuf,
}

/// A span, as it was received.
#[derive(Clone, Debug)]
pub struct Span {
    /// The id of its trace.
    pub trace: String,
    /// Its own.
    pub id: String,
    /// The span that it is a part of; empty: it is the whole.
    pub parent: String,
    /// What it is called.
    pub name: String,
    /// Its attributes, of which each value is a text.
    pub attributes: Value,
}

impl Collector {
    /// Starts one on the loopback. What it gets and its log are in a folder.
    ///
    /// # Errors
    /// When it cannot be built, or does not start.
    pub fn start(cache: &Cache, folder: &Path) -> Result<Self> {
        let program = go_program::build(cache, "collector")?;
        make_folder(folder)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let lines = folder.join("spans.jsonl");
        // Begun anew, whatever an earlier run has left.
        write(&lines, "")?;
        let config = folder.join("collector.yaml");
        let shown = lines.display();
        write(
            &config,
            format!(
                "receivers: {{otlp: {{protocols: {{http: {{endpoint: '{address}'}}}}}}}}
exporters: {{lines: {{path: '{shown}'}}}}
service:
  pipelines: {{traces: {{receivers: [otlp], exporters: [lines]}}}}
  telemetry: {{metrics: {{level: none}}}}
"
            ),
        )?;
        let mut process = Process::start(
            &program,
            |command| {
                command.arg(format!("--config=file:{}", config.display()));
            },
            &folder.join("collector.log"),
        )?;
        process
            .wait(START, || {
                TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
            })
            .context("the collector does not answer")?;
        Ok(Self {
            _process: process,
            address,
            lines,
        })
    }

    /// Where it takes traces: `http://127.0.0.1:4318`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that it has got, as it came.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn text(&self) -> Result<String> {
        fs::read_to_string(&self.lines).context("no spans")
    }

    /// The spans that it has got.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn spans(&self) -> Result<Vec<Span>> {
        let text = self.text()?;
        let mut spans = Vec::new();
        // A line that is being written has no end yet.
        for line in text.split_inclusive('\n').filter(|it| it.ends_with('\n')) {
            let traces: Value = serde_json::from_str(line).context("no traces")?;
            for resource in list(&traces["resourceSpans"]) {
                for scope in list(&resource["scopeSpans"]) {
                    spans.extend(list(&scope["spans"]).iter().map(span));
                }
            }
        }
        Ok(spans)
    }
}

impl Span {
    /// An attribute, empty where it has none.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes[name].as_str().unwrap_or_default()
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn span(span: &Value) -> Span {
    let text = |name: &str| span[name].as_str().unwrap_or_default().to_owned();
    let attributes = list(&span["attributes"]).iter().filter_map(|attribute| {
        let value = attribute["value"].as_object()?.values().next()?;
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        Some((attribute["key"].as_str()?.to_owned(), Value::from(value)))
    });
    Span {
        trace: text("traceId"),
        id: text("spanId"),
        parent: text("parentSpanId"),
        name: text("name"),
        attributes: Value::Object(attributes.collect()),
    }
}
