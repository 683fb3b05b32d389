use mcp_plugin_sdk::testing::{registrable, settings};
use mcp_plugin_sdk::{
    HttpResponse, Observation, Plan, Registrar, RegistrationState, WorkloadState,
};
use serde_json::{Value, json};

use super::*;
use crate::LiteLlmConfigMap;

fn verifying() -> Settings {
    settings(json!({ "verify": { "connection": "litellm", "health": true } }))
}

/// A plan with this file, which was rolled out, and these answers of LiteLLM.
fn plan(servers: &[Server], file: Option<String>, list: Observed, health: Value) -> Plan {
    let settings = verifying();
    let rolled_to = file.as_deref().map(crate::plan::hash);
    let observations = LiteLlmConfigMap::observe(&settings)
        .into_iter()
        .map(|read| Observation {
            state: match (&read.source, read.id.as_str()) {
                (ReadSource::ConfigKey(_), _) => Observed::ConfigKey(file.clone()),
                (ReadSource::Workload(_), _) => Observed::Workload(Some(WorkloadState {
                    rolled_to: rolled_to.clone(),
                    complete: true,
                    message: String::new(),
                })),
                (_, LIST) => list.clone(),
                _ => answer(200, &health),
            },
            id: read.id,
        });
    let registry = Registry {
        instance: "mcp-operator".into(),
        servers: servers.to_vec(),
        observations: observations.collect(),
    };
    LiteLlmConfigMap::plan(&settings, &registry)
}

fn answer(status: u16, body: &Value) -> Observed {
    Observed::Http(HttpResponse {
        status,
        headers: Vec::new(),
        body: body.to_string(),
    })
}

/// As LiteLLM lists what it read from the file.
fn entry(name: &str) -> Value {
    json!({
        "server_id": format!("mcp-operator.a.{name}"), "server_name": format!("a_{name}"), "is_config": true,
        "mcp_info": { "managed_by": "mcp-operator", "namespace": "a", "name": name },
    })
}

fn reasons(plan: &Plan) -> Vec<&str> {
    let registrations = plan.registrations.iter();
    registrations
        .map(|registration| registration.reason.as_str())
        .collect()
}

/// The file that the plan for these servers writes.
fn file(servers: &[Server]) -> String {
    let plan = plan(servers, None, answer(200, &json!([])), json!([]));
    let mcp_plugin_sdk::Action::WriteConfigKey(write) = &plan.steps[0].action else {
        panic!("{plan:?}");
    };
    write.content.clone().unwrap()
}

/// Switching verification off, or to another connection, must not clear the file.
#[test]
fn only_the_read_of_the_file_is_marked_as_written() {
    let reads = LiteLlmConfigMap::observe(&verifying());
    let written: Vec<&str> = reads
        .iter()
        .filter(|read| read.written)
        .map(|read| read.id.as_str())
        .collect();
    assert_eq!(written, ["file"]);
}

#[test]
fn registered_is_what_litellm_lists_and_reaches() {
    let servers = ["listed", "silent", "missing"].map(|name| registrable("a", name));
    let list = answer(200, &json!([entry("listed"), entry("silent")]));
    let health = json!([
        { "server_id": "mcp-operator.a.listed", "status": "healthy" },
        { "server_id": "mcp-operator.a.silent", "status": "unhealthy" },
    ]);
    let plan = plan(&servers, Some(file(&servers)), list, health);
    assert_eq!(reasons(&plan), ["Registered", "Unhealthy", "NotListed"]);
    assert_eq!(
        plan.registrations[2].state,
        RegistrationState::Absent,
        "whatever was reported before"
    );
    assert!(plan.steps.is_empty());
}

/// The state is `Pending`, for which the operator keeps a server registered that was.
#[test]
fn without_a_health_report_no_server_becomes_registered() {
    let servers = [registrable("a", "b")];
    let list = answer(200, &json!([entry("b")]));
    for health in [json!([]), json!({ "detail": "no" })] {
        let plan = plan(&servers, Some(file(&servers)), list.clone(), health);
        assert_eq!(reasons(&plan), ["VerificationUnavailable"]);
        assert_eq!(
            plan.registrations[0].state,
            mcp_plugin_sdk::RegistrationState::Pending
        );
    }
}

#[test]
fn a_name_of_another_server_is_refused_and_stays_out_of_the_file() {
    let servers = ["b", "c"].map(|name| registrable("a", name));
    let foreign =
        json!({ "server_id": "x", "server_name": "A_b", "is_config": false, "mcp_info": null });
    let plan = plan(&servers, None, answer(200, &json!([foreign])), json!([]));
    assert_eq!(reasons(&plan), ["NameCollision", "WritingConfiguration"]);
    assert!(
        plan.registrations[0]
            .message
            .contains("id x: rename one of them")
    );
}

#[test]
fn while_litellm_does_not_answer_nothing_is_changed() {
    let servers = [registrable("a", "b")];
    for list in [
        Observed::Unavailable("connection refused".into()),
        answer(503, &json!({})),
        answer(200, &json!({})),
    ] {
        let registered = plan(&servers, Some(file(&servers)), list.clone(), json!([]));
        let changed = plan(&servers, Some("{}\n".into()), list.clone(), json!([]));
        for plan in [registered, changed] {
            assert!(plan.steps.is_empty());
            assert_eq!(reasons(&plan), ["VerificationUnavailable"]);
        }
        // LiteLLM does not start without the file.
        assert_eq!(plan(&servers, None, list, json!([])).steps.len(), 1);
    }
}
