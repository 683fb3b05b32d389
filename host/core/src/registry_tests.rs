use serde_json::{Value, json};

use super::*;

const GRACE: SignedDuration = SignedDuration::from_mins(5);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn condition(kind: &str, status: &str, reason: &str, second: i64) -> Value {
    json!({
        "type": kind, "status": status, "reason": reason, "message": "",
        "lastTransitionTime": at(second).to_string(), "observedGeneration": 1,
    })
}

fn server(name: &str, conditions: Vec<Value>) -> McpServer {
    serde_json::from_value(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": name, "namespace": "tools", "uid": name, "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z" },
        "spec": { "image": { "repository": "acme/mcp" }, "transport": "http", "litellm": { "allowedUserGroups": ["b", "a"] } },
        "status": { "conditions": conditions },
    }))
    .unwrap()
}

fn names(servers: &[McpServer], now: i64) -> Vec<String> {
    desired(servers, &Settings::default(), GRACE, at(now))
        .entries
        .into_iter()
        .map(|entry| entry.name)
        .collect()
}

fn ready() -> Value {
    condition(DEPLOYMENT_READY, "True", reasons::AVAILABLE, 0)
}

#[test]
fn servers_are_sorted_and_complete() {
    let servers = [server("b", vec![ready()]), server("a", vec![ready()])];
    let desired = desired(&servers, &Settings::default(), GRACE, at(0));
    let first = &desired.entries[0];
    assert_eq!(
        (first.name.as_str(), first.url.as_str()),
        ("a", "http://mcp-a.tools.svc.cluster.local:8080/mcp")
    );
    assert_eq!(first.access_groups, ["a", "b"]);
    assert_eq!(first.created, "2026-01-01T00:00:00Z");
    assert_eq!(desired.entries.len(), 2);
}

#[test]
fn a_server_enters_when_its_pods_serve() {
    assert!(names(&[server("a", vec![])], 0).is_empty());
    assert!(
        names(
            &[server(
                "a",
                vec![condition(
                    DEPLOYMENT_READY,
                    "False",
                    reasons::PROGRESSING,
                    0
                )]
            )],
            0
        )
        .is_empty()
    );
    assert_eq!(names(&[server("a", vec![ready()])], 0), ["a"]);
}

#[test]
fn a_rollout_changes_nothing() {
    let rolling = condition(DEPLOYMENT_READY, "False", reasons::PROGRESSING, 0);
    let known = condition(LITELLM_REGISTERED, "True", "Registered", 0);
    assert_eq!(names(&[server("a", vec![rolling, known])], 100_000), ["a"]);
}

#[test]
fn a_server_without_pods_leaves_after_the_grace_period_and_stays_out() {
    let down = condition(DEPLOYMENT_READY, "False", reasons::UNAVAILABLE, 1000);
    let known = condition(LITELLM_REGISTERED, "True", "Registered", 0);
    let servers = [server("a", vec![down.clone(), known])];
    assert_eq!(names(&servers, 1299), ["a"]);
    assert_eq!(
        desired(&servers, &Settings::default(), GRACE, at(1299)).look_again,
        Some(at(1300))
    );
    assert!(names(&servers, 1300).is_empty());
    let left = condition(LITELLM_REGISTERED, "False", NOT_WANTED, 1300);
    assert!(names(&[server("a", vec![down, left])], 1301).is_empty());
}

/// Whoever cannot know how long a server is without pods keeps it.
#[test]
fn a_clock_that_steps_back_takes_no_server_out() {
    let down = condition(DEPLOYMENT_READY, "False", reasons::UNAVAILABLE, 1_000_000);
    let known = condition(LITELLM_REGISTERED, "True", "Registered", 0);
    let servers = [server("a", vec![down, known])];
    for now in [-5_000_000, 0, 999_999] {
        assert_eq!(names(&servers, now), ["a"]);
    }
    assert!(names(&servers, 1_000_300).is_empty());
}

#[test]
fn opted_out_and_deleted_servers_leave_at_once() {
    let mut out = server("a", vec![ready()]);
    out.spec.litellm.auto_register = false;
    let mut gone = server("b", vec![ready()]);
    gone.metadata.deletion_timestamp = gone.metadata.creation_timestamp.clone();
    assert!(names(&[out.clone(), gone], 0).is_empty());
    assert!(not_wanted(&out).is_some());
    assert!(
        not_wanted(&server("new", vec![])).is_none(),
        "it is on its way: there is nothing to say yet"
    );
}

#[test]
fn a_registered_server_stays_registered_while_others_change() {
    let known = condition(LITELLM_REGISTERED, "True", "Registered", 0);
    let mut server = server("a", vec![ready(), known]);
    assert!(still_registered(&server));
    server.metadata.generation = Some(2);
    assert!(!still_registered(&server));
}
