//! Traces in a real collector, beside the log and the audit log: one id for all of them, and what is secret is nowhere.

#[path = "traces/observed.rs"]
mod observed;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mcp_cluster::Span;
use mcp_e2e::{Operator, eventually};
use serde_json::Value;

use self::observed::{HOME, IN_CONFIG, IN_ENV, IN_HEADER, IN_KEY, IN_SECRET, LOGGING, Observed};
use crate::world::{RECOVERY, World};

/// What stands in a text after this, to the end of the word.
fn word_after<'a>(text: &'a str, before: &str) -> Result<&'a str> {
    let (_, rest) = text.split_once(before).with_context(|| text.to_owned())?;
    let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '-';
    Ok(rest.split(is_end).next().unwrap_or_default())
}

#[test]
fn one_id_leads_from_a_denial_to_its_trace_and_no_secret_is_on_the_way() -> Result<()> {
    let mut observed = Observed::start("traces")?;
    let refusal = observed.refusal("denied")?;
    let uid = word_after(&refusal, "Warning: to ask about this refusal: request ")?.to_owned();
    let trace = word_after(&refusal, ", trace ")?.to_owned();
    ensure!(
        refusal.contains("spec.image.tag") && trace.len() == 32,
        "{refusal}"
    );

    let noted = eventually("the audit log has the ids", RECOVERY, || {
        let all = observed.world.own.audit.annotations_of("denied")?;
        let found = all
            .into_iter()
            .find(|noted| noted.values().any(|value| *value == uid));
        found.context("the uid is not noted")
    })?;
    // Who completes it is asked before, in a request of its own.
    let key = |name: &str| noted.get(&format!("rules.mcpservers.mcp.litellm.ai/{name}"));
    ensure!(
        key("request") == Some(&uid) && key("trace") == Some(&trace),
        "{noted:?}"
    );
    let line = observed.line(0, |line| line["uid"] == uid.as_str())?;
    ensure!(
        line["msg"] == "request denied" && line["trace_id"] == trace.as_str(),
        "{line}"
    );
    ensure!(
        line["fields"] == "spec.image.tag" && line["name"] == "denied",
        "{line}"
    );

    let request = observed.span("the denial", |span| span.attribute("uid") == uid)?;
    ensure!(
        request.trace == trace && request.parent.is_empty(),
        "{request:?}"
    );
    ensure!(
        request.name == "admission" && request.attribute("verdict") == "denied",
        "{request:?}"
    );
    let call = [
        ("plugin", "validation"),
        ("function", "validate"),
        ("outcome", "Answered"),
    ];
    observed.below(&request, "plugin call", &call)?;

    reconcile_and_registration(&observed)?;
    let text = observed.operator.scrape()?;
    ensure!(
        text.contains(r#"mcp_operator_trace_spans_total{outcome="exported"}"#),
        "{text}"
    );
    ensure!(!text.contains(r#"outcome="dropped""#), "{text}");

    let (log, spans) = (observed.log()?, observed.collector.text()?);
    ensure!(
        log.contains(r#""level":"debug""#),
        "it is no log of everything"
    );
    // What is no secret is found in both.
    ensure!(log.contains("s-0") && spans.contains("s-0"));
    for secret in [IN_ENV, IN_CONFIG, IN_SECRET, IN_KEY, IN_HEADER] {
        for (what, text) in [("log", &log), ("spans", &spans)] {
            let line = text.lines().find(|line| line.contains(secret));
            ensure!(line.is_none(), "{secret} is in the {what}: {line:?}");
        }
    }
    Ok(())
}

fn reconcile_and_registration(observed: &Observed) -> Result<()> {
    let server = Observed::server("s-0", "1.0.0").to_string();
    observed.world.kubectl().apply(&server)?;
    observed.world.converged(1)?;
    let created = observed.span("the Deployment is created", |span| {
        span.name == "apply object"
            && span.attribute("kind") == "Deployment"
            && span.attribute("outcome") == "Created"
    })?;
    ensure!(created.attribute("name") == "mcp-s-0", "{created:?}");
    let spans = observed.collector.spans()?;
    let parent = |of: &Span| spans.iter().find(|span| span.id == of.parent).cloned();
    let step = parent(&created).context("no step")?;
    let reconcile = parent(&step).context("no reconcile")?;
    ensure!(
        step.name == "apply" && reconcile.name == "reconcile",
        "{step:?} {reconcile:?}"
    );
    ensure!(
        reconcile.parent.is_empty() && reconcile.attribute("name") == "s-0",
        "{reconcile:?}"
    );
    let judge = observed.below(&reconcile, "judge", &[])?;
    let call = [("plugin", "tenancy"), ("function", "validate")];
    observed.below(&judge, "plugin call", &call)?;
    let mutate = observed.below(&reconcile, "mutate", &[])?;
    observed.below(
        &mutate,
        "plugin call",
        &[("plugin", "compliance"), ("function", "defaults")],
    )?;

    let sent = observed.span("it is registered", |span| {
        span.name == "http request" && span.attribute("method") == "POST"
    })?;
    ensure!(sent.attribute("connection") == "litellm", "{sent:?}");
    let spans = observed.collector.spans()?;
    let of_trace = |name: &str| {
        let mut found = spans.iter().filter(|span| span.trace == sent.trace);
        found
            .find(|span| span.name == name)
            .cloned()
            .context(name.to_owned())
    };
    let (execute, pass) = (of_trace("execute plan")?, of_trace("registration")?);
    ensure!(
        sent.parent == execute.id && execute.parent == pass.id,
        "{sent:?} {execute:?}"
    );
    ensure!(pass.parent.is_empty(), "{pass:?}");
    let plan = observed.below(&pass, "plan", &[("plugin", "api")])?;
    observed.below(
        &plan,
        "plugin call",
        &[("function", "plan"), ("outcome", "Answered")],
    )?;
    observed.below(&plan, "http request", &[("method", "GET")])?;
    Ok(())
}

#[test]
fn what_is_logged_is_changed_by_a_config_map_and_a_mistake_changes_nothing() -> Result<()> {
    let observed = Observed::start("log-filter")?;
    let is_change = |line: &Value| line["msg"] == "what is logged changes";
    observed.filter("info,kube=warn")?;
    observed.line(0, is_change)?;
    let after = observed.log()?.len();
    observed.filter("verbose")?;
    let refused = observed.line(after, |line| line["msg"] == "what is logged stays as it is")?;
    let error = refused["error"].as_str().unwrap_or_default();
    ensure!(error.contains("`verbose` has no level"), "{refused}");
    observed.refusal("denied")?;
    observed.line(after, |line| line["msg"] == "request denied")?;
    // Nothing at level debug, and the operator was never restarted.
    let log = observed.log()?;
    ensure!(
        !log[after..].contains(r#""level":"debug""#),
        "{}",
        &log[after..]
    );

    let after = log.len();
    let delete = ["delete", "configmap", LOGGING, "--namespace", HOME];
    observed.world.kubectl().run(&delete)?;
    observed.line(after, is_change)?;
    observed.line(after, |line| line["level"] == "debug")?;
    Ok(())
}

/// A service that takes requests and hangs up, and the heads of what it was asked.
fn hangs_up() -> Result<(String, Arc<Mutex<Vec<String>>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let asked = heads.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let lines = BufReader::new(stream).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let head = head.join("\n").to_lowercase();
            asked.lock().unwrap().push(head);
        }
    });
    Ok((url, heads))
}

/// A collector that does not answer keeps nobody waiting, also not at the end.
#[test]
fn with_a_collector_that_hangs_up_the_operator_works_and_stops_as_without_one() -> Result<()> {
    let world = World::start("no-collector")?;
    let (url, heads) = hangs_up()?;
    let headers = format!("authorization=Bearer%20{IN_HEADER}");
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", headers.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ];
    let environment = &world.own.environment;
    let mut operator =
        Operator::start_told(environment, "no-collector", &["--log-json"], &variables)?;
    world.apply(3)?;
    world.converged(3)?;
    eventually("what is lost is counted and told once", RECOVERY, || {
        let text = operator.scrape()?;
        let failed = r#"mcp_operator_trace_spans_total{outcome="failed"}"#;
        ensure!(text.contains(failed), "{text}");
        let log = fs::read_to_string(operator.log())?;
        let told = log.matches("traces are lost").count();
        ensure!(told == 1, "{told} times");
        Ok(())
    })?;
    let asked = heads.lock().unwrap().first().cloned().unwrap_or_default();
    let credential = format!("authorization: bearer {IN_HEADER}");
    for part in ["post /v1/traces ", "application/x-protobuf", &credential] {
        ensure!(asked.contains(part), "{asked}");
    }
    operator.signal("TERM")?;
    eventually("it stops", Duration::from_secs(10), || {
        ensure!(operator.has_ended(), "it runs");
        Ok(())
    })
}
