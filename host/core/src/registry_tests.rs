use mcp_operator_api::names::conditions::DEPLOYMENT_READY;
use serde_json::{Value, json};

use super::*;

const PATIENCE: Patience = Patience {
    grace: SignedDuration::from_mins(5),
    probation: SignedDuration::from_mins(2),
    arrival: SignedDuration::from_secs(20),
};

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
        "spec": { "image": { "repository": "acme/mcp" }, "transport": "http", "litellm": { "allowedUserGroups": ["b", "a"], "auth": { "type": "apiKey" } } },
        "status": { "observedGeneration": 1, "conditions": conditions },
    }))
    .unwrap()
}

fn names(servers: &[McpServer], now: i64) -> Vec<String> {
    desired(servers, &Settings::default(), PATIENCE, at(now))
        .entries
        .into_iter()
        .map(|entry| entry.name)
        .collect()
}

fn serving() -> Value {
    condition(AVAILABLE, "True", "PodsServe", 0)
}

fn down(since: i64) -> Value {
    condition(AVAILABLE, "False", "NoPodServes", since)
}

fn known() -> Value {
    condition(LITELLM_REGISTERED, "True", "Registered", 0)
}

#[test]
fn servers_are_sorted_and_complete() {
    let servers = [server("b", vec![serving()]), server("a", vec![serving()])];
    let desired = desired(&servers, &Settings::default(), PATIENCE, at(0));
    let first = &desired.entries[0];
    assert_eq!(
        (first.name.as_str(), first.url.as_str()),
        ("a", "http://mcp-a.tools.svc.cluster.local:8080/mcp")
    );
    assert_eq!(first.access_groups, ["a", "b"]);
    assert_eq!(json!(first.auth), json!({ "type": "apiKey" }));
    assert_eq!(first.created, "2026-01-01T00:00:00Z");
    assert_eq!(desired.entries.len(), 2);
}

#[test]
fn a_server_enters_when_a_pod_serves() {
    assert!(names(&[server("a", vec![])], 0).is_empty());
    assert!(names(&[server("a", vec![down(0)])], 0).is_empty());
    assert_eq!(names(&[server("a", vec![serving()])], 0), ["a"]);
}

/// A new image that cannot be pulled, while the pods of the old one serve.
#[test]
fn a_rollout_changes_nothing_also_when_it_is_stuck() {
    for reason in [
        "RolloutInProgress",
        "ImagePullBackOff",
        "Forbidden",
        "ProgressDeadlineExceeded",
    ] {
        let stuck = condition(DEPLOYMENT_READY, "False", reason, 0);
        let server = server("a", vec![stuck, serving(), known()]);
        assert_eq!(names(&[server], 100_000), ["a"], "{reason}");
    }
}

#[test]
fn grace_begins_when_the_last_pod_stops_to_serve() {
    let stuck = condition(DEPLOYMENT_READY, "False", "ImagePullBackOff", 0);
    let servers = [server("a", vec![stuck, down(3600), known()])];
    assert_eq!(names(&servers, 3601), ["a"]);
    assert!(names(&servers, 3900).is_empty());
}

/// The operator has just been replaced by a newer one, or may not read Deployments.
#[test]
fn whoever_cannot_know_whether_it_serves_changes_nothing() {
    let blind = condition(AVAILABLE, "Unknown", "Unreadable", 0);
    for conditions in [vec![], vec![blind]] {
        let with = |more: Vec<Value>| server("a", [conditions.clone(), more].concat());
        assert_eq!(names(&[with(vec![known()])], 100_000), ["a"]);
        assert!(names(&[with(vec![])], 100_000).is_empty());
    }
}

#[test]
fn a_server_without_pods_leaves_after_the_grace_period_and_stays_out() {
    let servers = [server("a", vec![down(1000), known()])];
    assert_eq!(names(&servers, 1299), ["a"]);
    assert_eq!(
        desired(&servers, &Settings::default(), PATIENCE, at(1299)).look_again,
        Some(at(1300))
    );
    assert!(names(&servers, 1300).is_empty());
    let left = condition(LITELLM_REGISTERED, "False", GONE, 1300);
    assert!(names(&[server("a", vec![down(1000), left])], 1301).is_empty());
}

/// Whoever cannot know how long a server is without pods keeps it.
#[test]
fn a_clock_that_steps_back_takes_no_server_out() {
    let servers = [server("a", vec![down(1_000_000), known()])];
    for now in [-5_000_000, 0, 999_999] {
        assert_eq!(names(&servers, now), ["a"]);
    }
    assert!(names(&servers, 1_000_300).is_empty());
}

fn serving_since(second: i64) -> Value {
    condition(AVAILABLE, "True", "PodsServe", second)
}

fn left() -> Value {
    condition(LITELLM_REGISTERED, "False", GONE, 1300)
}

/// It serves for half a minute, crashes, and is started again after five minutes: it leaves once, and for good.
#[test]
fn a_flapping_server_leaves_once() {
    let mut standing = known();
    let mut changes = Vec::new();
    for cycle in 0..10 {
        let start = cycle * 330;
        for (available, from, to) in [
            (serving_since(start), start, start + 30),
            (down(start + 30), start + 30, start + 330),
        ] {
            for now in (from..=to).step_by(10) {
                let server = server("a", vec![available.clone(), standing.clone()]);
                let is_in = !names(std::slice::from_ref(&server), now).is_empty();
                if is_in != (standing["reason"] != GONE) {
                    changes.push(now);
                }
                standing = if is_in { known() } else { left() };
            }
        }
    }
    assert_eq!(changes, [330]);
}

#[test]
fn who_left_comes_back_after_serving_for_a_while() {
    let back = [server("a", vec![serving_since(2000), left()])];
    assert!(names(&back, 2119).is_empty());
    assert_eq!(
        desired(&back, &Settings::default(), PATIENCE, at(2119)).look_again,
        Some(at(2120))
    );
    assert_eq!(names(&back, 2120), ["a"]);
    let said = not_wanted(&back[0], PATIENCE, false).unwrap();
    assert!(
        said.message.contains("at 1970-01-01T00:35:20Z"),
        "{}",
        said.message
    );
}

#[test]
fn who_opts_out_and_in_again_need_not_wait() {
    let mut server = server("a", vec![serving_since(2000), left()]);
    server.metadata.generation = Some(2);
    assert_eq!(names(&[server], 2001), ["a"]);
}

#[test]
fn opted_out_and_deleted_servers_leave_at_once() {
    let mut out = server("a", vec![serving()]);
    out.spec.litellm.auto_register = false;
    let mut gone = server("b", vec![serving()]);
    gone.metadata.deletion_timestamp = gone.metadata.creation_timestamp.clone();
    assert!(names(&[out.clone(), gone], 0).is_empty());
    assert!(not_wanted(&out, PATIENCE, false).is_some());
    assert!(
        not_wanted(&server("new", vec![]), PATIENCE, true).is_none(),
        "it is on its way: there is nothing to say yet"
    );
    out.status = None;
    assert!(
        not_wanted(&out, PATIENCE, false).is_none(),
        "nobody has looked at it yet"
    );
}

#[test]
fn who_leaves_is_not_gone_before_the_gateway_has_forgotten_it() {
    let mut server = server("a", vec![serving(), known()]);
    server.spec.litellm.auto_register = false;
    let said = |server: &McpServer, may_remain| {
        let said = not_wanted(server, PATIENCE, may_remain).unwrap();
        (said.status, said.reason)
    };
    assert_eq!(said(&server, true), (Truth::Unknown, LEAVING.into()));
    assert_eq!(said(&server, false), (Truth::False, GONE.into()));
    // Once gone, a rollout for others says nothing about it.
    server.status.as_mut().unwrap().conditions[1].reason = GONE.into();
    assert_eq!(said(&server, true), (Truth::False, GONE.into()));
    // While it leaves for want of pods, it stays out.
    let leaving = condition(LITELLM_REGISTERED, "Unknown", LEAVING, 1300);
    assert!(
        names(
            &[super::tests::server("a", vec![down(1000), leaving])],
            1301
        )
        .is_empty()
    );
}

#[test]
fn a_server_that_cannot_be_read_is_kept_as_it_was() {
    let both = [server("a", vec![serving()]), server("b", vec![serving()])];
    let mut before = desired(&both, &Settings::default(), PATIENCE, at(0));
    let mut now = desired(&both[1..], &Settings::default(), PATIENCE, at(0));
    now.keep(before.entries.remove(0));
    assert_eq!(now.keys().collect::<Vec<_>>(), ["tools/a", "tools/b"]);
}

#[test]
fn a_registered_server_stays_registered_while_others_change() {
    let mut server = server("a", vec![serving(), known()]);
    assert!(still_registered(&server));
    server.metadata.generation = Some(2);
    assert!(!still_registered(&server));
}

fn arriving(servers: &[McpServer], now: i64) -> Option<Timestamp> {
    desired(servers, &Settings::default(), PATIENCE, at(now)).arriving
}

#[test]
fn a_new_server_is_expected_until_it_serves_or_has_had_its_time() {
    let new = |conditions| server("a", conditions);
    assert_eq!(arriving(&[new(vec![down(100)])], 119), Some(at(120)));
    assert_eq!(arriving(&[new(vec![down(100)])], 120), None);
    assert_eq!(arriving(&[new(vec![serving_since(100)])], 100), None);
    let both = [new(vec![down(100)]), new(vec![down(105)])];
    assert_eq!(arriving(&both, 106), Some(at(125)));
}

/// In a burst, it may be long after it was made that its objects are.
#[test]
fn a_new_server_that_nobody_has_looked_at_is_expected_for_longer() {
    let new = server("a", vec![]);
    let created = new.creation_timestamp().unwrap().0.as_second();
    let new = [new];
    assert_eq!(arriving(&new, created), Some(at(created + 20)));
    assert_eq!(arriving(&new, created + 100), Some(at(created + 120)));
    assert_eq!(arriving(&new, created + 179), Some(at(created + 180)));
    assert_eq!(arriving(&new, created + 180), None);
}

#[test]
fn nobody_waits_for_a_server_that_cannot_come() {
    let now = server("a", vec![])
        .creation_timestamp()
        .unwrap()
        .0
        .as_second();
    let mut out = server("a", vec![]);
    out.spec.litellm.auto_register = false;
    let mut gone = server("a", vec![]);
    gone.metadata.deletion_timestamp = gone.metadata.creation_timestamp.clone();
    let mut failed = server("a", vec![down(now)]);
    failed.status.as_mut().unwrap().phase = Some(Phase::Failed);
    let registered = server("a", vec![down(now), known()]);
    assert_eq!(arriving(&[out, gone, failed, registered], now), None);
}

#[test]
fn a_server_made_in_the_future_is_waited_for_no_longer_than_others() {
    let server = server("a", vec![down(1000)]);
    assert_eq!(arriving(&[server], 0), Some(at(20)));
}
