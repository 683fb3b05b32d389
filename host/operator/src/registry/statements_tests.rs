use std::convert::Infallible;

use axum::http::{Request, Response};
use futures::future::ready;
use jiff::SignedDuration;
use kube::Client;
use kube::client::Body;
use mcp_operator_core::build;
use mcp_operator_core::registration::{Action, HttpRequest, Plan};
use serde_json::json;

use super::*;
use crate::connections::{Connections, ExchangeError, LeftAlone, Session};
use crate::error::Error;

const PATIENCE: Patience = Patience {
    grace: SignedDuration::ZERO,
    probation: SignedDuration::ZERO,
    arrival: SignedDuration::from_secs(20),
};

/// A server that serves and was registered until now.
fn server(name: &str, wanted: bool) -> McpServer {
    let condition = |kind: &str, reason: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
        })
    };
    serde_json::from_value(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": name, "namespace": "a", "generation": 1 },
        "spec": { "image": { "repository": "acme/mcp" }, "litellm": { "autoRegister": wanted } },
        "status": { "observedGeneration": 1, "conditions": [condition("Available", "PodsServe"), condition(LITELLM_REGISTERED, "Registered")] },
    }))
    .unwrap()
}

fn registration(name: &str, state: State) -> Registration {
    Registration {
        server: format!("a/{name}"),
        registered_name: String::new(),
        state,
        reason: "Registering".into(),
        message: String::new(),
    }
}

fn step(method: &str, name: &str) -> Step {
    Step {
        action: Action::Send(HttpRequest {
            connection: "litellm".into(),
            method: method.into(),
            path: "/".into(),
            headers: Vec::new(),
            body: None,
        }),
        servers: vec![format!("a/{name}")],
    }
}

/// Reason and message for each of these, or nothing.
async fn said(plan: Plan, outcome: &Outcome, servers: &[McpServer]) -> Vec<Option<String>> {
    let service = tower::service_fn(|_: Request<Body>| {
        ready(Ok::<_, Infallible>(Response::new(Body::empty())))
    });
    let connections = Connections::default();
    let client = Client::new(service, "a");
    let advice = Advice {
        session: Session::open(&client, &connections, &LeftAlone::default()).await,
        observations: Vec::new(),
        plan,
    };
    let desired = registry::desired(
        servers,
        &build::Settings::default(),
        PATIENCE,
        jiff::Timestamp::UNIX_EPOCH,
    );
    let statements = Statements::of_plan(&desired, &advice, outcome);
    let about = |server| {
        let (statement, _) = statements.about(server, PATIENCE)?;
        Some(format!("{}: {}", statement.reason, statement.message))
    };
    servers.iter().map(about).collect()
}

#[tokio::test]
async fn what_was_not_done_is_told_to_those_that_it_concerns() {
    let servers = ["lost", "failed", "waits", "waits-too"].map(|name| server(name, true));
    let plan = Plan {
        registrations: vec![
            registration("lost", State::Absent),
            registration("failed", State::Absent),
            registration("waits", State::Absent),
            registration("waits-too", State::Pending),
        ],
        steps: Vec::new(),
    };
    let error = || {
        Error::from(ExchangeError::LeftAlone {
            connection: "litellm".into(),
        })
    };
    let outcome = Outcome {
        done: vec![step("POST", "lost")],
        failed: vec![(step("POST", "failed"), error())],
        withheld: vec![
            (step("POST", "waits"), error().cause()),
            (step("POST", "waits-too"), error().cause()),
        ],
    };
    let why = "connection litellm: the service has asked to be left alone for a while";
    assert_eq!(
        said(plan, &outcome, &servers).await,
        [
            Some("Registering: ".into()),
            Some(format!("TooManyRequests: {why}")),
            Some(format!(
                "TooManyRequests: Waits, since another step failed: {why}"
            )),
            // LiteLLM knows it as it was: what it says stays true.
            None,
        ]
    );
}

#[tokio::test]
async fn who_leaves_is_told_so_until_nothing_is_left() {
    let servers = ["a", "b"].map(|name| server(name, false));
    let leaving = Some("Deregistering: Being removed: spec.litellm.autoRegister is false");
    let gone = Some("NotRegistered: Not registered: spec.litellm.autoRegister is false");
    let plan = |steps: &[Step]| Plan {
        steps: steps.to_vec(),
        registrations: Vec::new(),
    };
    let removals = [step("DELETE", "a")];
    let failed = Outcome {
        failed: vec![(removals[0].clone(), Error::NotAServer)],
        ..Outcome::default()
    };
    let done = Outcome {
        done: removals.to_vec(),
        ..Outcome::default()
    };
    for (plan, outcome, wanted) in [
        (plan(&removals), failed, [leaving, gone]),
        // The next plan tells whether more is left than one plan holds.
        (plan(&removals), done, [leaving, leaving]),
        (plan(&[]), Outcome::default(), [gone, gone]),
    ] {
        let said = said(plan, &outcome, &servers).await;
        assert_eq!(said, wanted.map(|text| text.map(str::to_owned)));
    }
}
