use std::borrow::Cow;

use jiff::SignedDuration;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_connections::ExchangeError;
use mcp_operator_core::build;
use mcp_operator_core::registration_basis::RegistrationBasis;
use mcp_operator_core::registration_plan::{Action, HttpRequest, Plan};
use serde_json::json;

use super::*;
use crate::error::RegistrationError;

const GRACE_PERIODS: GracePeriods = GracePeriods {
    grace: SignedDuration::ZERO,
    readmission: SignedDuration::ZERO,
    startup: SignedDuration::from_secs(20),
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

fn admitted(server: &McpServer) -> Candidate<'_> {
    let basis = RegistrationBasis::of_admitted(server, &build::Settings::default());
    Candidate::new(Cow::Borrowed(server), basis)
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
fn conditions_of(
    plan: Plan,
    outcome: &ExecutionOutcome,
    servers: &[McpServer],
) -> Vec<Option<String>> {
    let planned = PlannedRegistration {
        plan,
        ..PlannedRegistration::default()
    };
    let candidates: Vec<Candidate<'_>> = servers.iter().map(admitted).collect();
    let desired = desired_entries::desired(
        &candidates,
        &build::Settings::default(),
        GRACE_PERIODS,
        jiff::Timestamp::UNIX_EPOCH,
    );
    let conditions = RegistrationConditions::of_plan(&desired, &planned, outcome);
    let of_server = |candidate| {
        let (draft, _) = conditions.of_server(candidate, GRACE_PERIODS)?;
        Some(format!("{}: {}", draft.reason, draft.message))
    };
    candidates.iter().map(of_server).collect()
}

#[test]
fn a_step_that_was_not_done_concerns_its_servers() {
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
        RegistrationError::from(ExchangeError::RetryAfter {
            connection: "litellm".into(),
        })
    };
    let outcome = ExecutionOutcome {
        done: vec![step("POST", "lost")],
        failed: vec![(step("POST", "failed"), error())],
        skipped: vec![
            (step("POST", "waits"), error().failure_cause()),
            (step("POST", "waits-too"), error().failure_cause()),
        ],
    };
    let why = "connection litellm: the service has asked to be left alone for a while";
    assert_eq!(
        conditions_of(plan, &outcome, &servers),
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

#[test]
fn a_server_is_deregistering_until_nothing_of_it_is_left() {
    let servers = ["a", "b"].map(|name| server(name, false));
    let deregistering = Some("Deregistering: Being removed: spec.litellm.autoRegister is false");
    let gone = Some("NotRegistered: Not registered: spec.litellm.autoRegister is false");
    let plan = |steps: &[Step]| Plan {
        steps: steps.to_vec(),
        registrations: Vec::new(),
    };
    let removals = [step("DELETE", "a")];
    let error = RegistrationError::UnsupportedWorkload {
        kind: "StatefulSet".into(),
    };
    let failed = ExecutionOutcome {
        failed: vec![(removals[0].clone(), error)],
        ..ExecutionOutcome::default()
    };
    let done = ExecutionOutcome {
        done: removals.to_vec(),
        ..ExecutionOutcome::default()
    };
    for (plan, outcome, wanted) in [
        (plan(&removals), failed, [deregistering, gone]),
        // Only the next plan shows whether more is left than one plan holds.
        (plan(&removals), done, [deregistering, deregistering]),
        (plan(&[]), ExecutionOutcome::default(), [gone, gone]),
    ] {
        let found = conditions_of(plan, &outcome, &servers);
        assert_eq!(found, wanted.map(|text| text.map(str::to_owned)));
    }
}
