//! Logs as JSON, a line for each event, with the fields that operators in Go have: `level`, `ts`, `msg`, `controller`,
//! `namespace`, `name`.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::trace_id;

/// Crates with a controller, and what that is called in logs and metrics.
const CONTROLLERS: [(&str, &str); 3] = [
    ("mcp_operator_controller", "mcpserver"),
    ("mcp_operator_registration", "registration"),
    ("mcp_operator_plugin_catalog", "mcpplugin"),
];

/// Formats an event as a line of JSON. Fields of the event stand beside the others; an MCPServer, `namespace/name` in the
/// field `server`, also has a field for each part, and what belongs to a trace has `trace_id`.
pub(super) struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = now.unwrap_or_default().as_secs_f64();
        let mut fields = Fields::default();
        event.record(&mut fields);
        if let Some(id) = trace_id() {
            fields.0.insert("trace_id", json!(id));
        }
        let metadata = event.metadata();
        let level = metadata.level().as_str().to_lowercase();
        writeln!(
            writer,
            "{}",
            line(seconds, &level, metadata.target(), fields)
        )
    }
}

/// Fields of an event by their names.
#[derive(Default)]
struct Fields(BTreeMap<&'static str, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), json!(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name(), json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name(), json!(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name(), json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name(), json!(value));
    }
}

fn line(seconds: f64, level: &str, target: &str, Fields(mut fields): Fields) -> String {
    let message = fields.remove("message").unwrap_or_default();
    let module = target.split("::").next().unwrap_or_default();
    let mut controllers = CONTROLLERS.iter();
    if let Some((_, controller)) = controllers.find(|(owner, _)| *owner == module) {
        fields.entry("controller").or_insert(json!(controller));
    }
    let server = fields.get("server").and_then(Value::as_str);
    let parts = server.and_then(|server| server.split_once('/'));
    if let Some((namespace, name)) = parts.map(|(a, b)| (json!(a), json!(b))) {
        fields.entry("namespace").or_insert(namespace);
        fields.entry("name").or_insert(name);
    }
    fields.entry("logger").or_insert(json!(target));
    let mut line = format!(r#"{{"level":"{level}","ts":{seconds:.6},"msg":{message}"#);
    for (name, value) in fields {
        // Those that stand there already.
        if !["level", "ts", "msg"].contains(&name) {
            // Writing to a text cannot fail.
            let _ = write!(line, ",{}:{value}", json!(name));
        }
    }
    line.push('}');
    line
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::super::test_output::Output;
    use super::*;

    /// The lines of what is logged meanwhile, without their times, which are of today.
    fn logged(log: impl FnOnce()) -> Vec<Value> {
        let output = Output::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(output.clone())
            .event_format(JsonLines)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let text = output.text();
        let lines = text.lines().map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let time = line.as_object_mut().unwrap().remove("ts").unwrap();
            assert!(time.as_f64().unwrap() > 1_700_000_000.0, "{time}");
            line
        });
        lines.collect()
    }

    #[test]
    fn a_line_has_the_fields_of_the_architecture() {
        let lines = logged(|| {
            tracing::warn!(target: "mcp_operator_controller::schedule", server = %"tools/github", generation = 2_i64, category = "Forbidden", "reconcile failed");
        });
        let expected = json!({
            "level": "warn", "msg": "reconcile failed", "controller": "mcpserver", "namespace": "tools", "name": "github",
            "server": "tools/github", "generation": 2, "category": "Forbidden", "logger": "mcp_operator_controller::schedule",
        });
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn a_line_within_a_trace_has_its_id() {
        use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let lines = logged(|| {
            tracer.in_span("span", |context| {
                let id = context.span().span_context().trace_id().to_string();
                tracing::info!(target: "other", id, "a line");
            });
        });
        assert_eq!(lines[0]["trace_id"], lines[0]["id"]);
        assert_eq!(lines[0]["id"].as_str().map(str::len), Some(32));
    }

    #[test]
    fn whatever_is_logged_stays_one_line_of_json() {
        let lines = logged(|| {
            tracing::info!(target: "other", error = "a \"quoted\"\nline", level = "x", is = true, half = 0.5, list = ?["a"], "b\"\n\u{1b}[31m");
        });
        let expected = json!({
            "level": "info", "msg": "b\"\n\u{1b}[31m", "error": "a \"quoted\"\nline", "is": true, "half": 0.5, "list": "[\"a\"]", "logger": "other",
        });
        assert_eq!(lines, [expected]);
    }
}
