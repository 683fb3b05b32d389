use mcp_operator_api::names::conditions::DEPLOYMENT_READY;
use serde_json::{Value, json};

use super::*;

const PERIODS: GracePeriods = GracePeriods {
    grace: SignedDuration::from_mins(5),
    readmission: SignedDuration::from_mins(2),
    startup: SignedDuration::from_secs(20),
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

/// A server that the rules admit.
fn admitted(server: &McpServer) -> Candidate<'_> {
    let basis = RegistrationBasis::of_admitted(server, &Settings::default());
    Candidate::new(Cow::Borrowed(server), basis)
}

fn desired_of(servers: &[McpServer], now: i64) -> DesiredEntries {
    let candidates: Vec<Candidate<'_>> = servers.iter().map(admitted).collect();
    desired(&candidates, &Settings::default(), PERIODS, at(now))
}

fn names(servers: &[McpServer], now: i64) -> Vec<String> {
    desired_of(servers, now)
        .entries
        .into_iter()
        .map(|entry| entry.key.name)
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
    let desired = desired_of(&servers, 0);
    let first = &desired.entries[0];
    assert_eq!(
        (first.key.name.as_str(), first.url.as_str()),
        ("a", "http://mcp-a.tools.svc.cluster.local:8080/mcp")
    );
    assert_eq!(first.access_groups, ["a", "b"]);
    assert_eq!(first.extra["auth"], r#"{"type":"apiKey"}"#);
    assert_eq!(first.created, "2026-01-01T00:00:00Z");
    assert_eq!(desired.entries.len(), 2);
}

#[test]
fn a_server_is_listed_when_a_pod_serves() {
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
fn the_grace_period_begins_when_the_last_pod_stops_serving() {
    let stuck = condition(DEPLOYMENT_READY, "False", "ImagePullBackOff", 0);
    let servers = [server("a", vec![stuck, down(3600), known()])];
    assert_eq!(names(&servers, 3601), ["a"]);
    assert!(names(&servers, 3900).is_empty());
}

/// The operator has just been replaced by a newer one, or may not read Deployments.
#[test]
fn a_server_of_which_nobody_knows_whether_it_serves_stays_as_it_was() {
    let unreadable = condition(AVAILABLE, "Unknown", "Unreadable", 0);
    for conditions in [vec![], vec![unreadable]] {
        let with = |more: Vec<Value>| server("a", [conditions.clone(), more].concat());
        assert_eq!(names(&[with(vec![known()])], 100_000), ["a"]);
        assert!(names(&[with(vec![])], 100_000).is_empty());
    }
}

#[test]
fn a_server_without_pods_is_removed_after_the_grace_period_and_stays_unlisted() {
    let servers = [server("a", vec![down(1000), known()])];
    assert_eq!(names(&servers, 1299), ["a"]);
    assert_eq!(desired_of(&servers, 1299).recheck_at, Some(at(1300)));
    assert!(names(&servers, 1300).is_empty());
    let removed = condition(LITELLM_REGISTERED, "False", NOT_REGISTERED, 1300);
    assert!(names(&[server("a", vec![down(1000), removed])], 1301).is_empty());
}

/// As long as it is not known for how long a server is without pods, it stays listed.
#[test]
fn a_clock_that_steps_back_removes_no_server() {
    let servers = [server("a", vec![down(1_000_000), known()])];
    for now in [-5_000_000, 0, 999_999] {
        assert_eq!(names(&servers, now), ["a"]);
    }
    assert!(names(&servers, 1_000_300).is_empty());
}

fn serving_since(second: i64) -> Value {
    condition(AVAILABLE, "True", "PodsServe", second)
}

fn removed() -> Value {
    condition(LITELLM_REGISTERED, "False", NOT_REGISTERED, 1300)
}

/// It serves for half a minute, crashes, and is started again after five minutes: it is removed once, and for good.
#[test]
fn a_flapping_server_is_removed_once() {
    let mut registration = known();
    let mut changes = Vec::new();
    for cycle in 0..10 {
        let start = cycle * 330;
        for (available, from, to) in [
            (serving_since(start), start, start + 30),
            (down(start + 30), start + 30, start + 330),
        ] {
            for now in (from..=to).step_by(10) {
                let server = server("a", vec![available.clone(), registration.clone()]);
                let is_listed = !names(std::slice::from_ref(&server), now).is_empty();
                if is_listed != (registration["reason"] != NOT_REGISTERED) {
                    changes.push(now);
                }
                registration = if is_listed { known() } else { removed() };
            }
        }
    }
    assert_eq!(changes, [330]);
}

#[test]
fn a_removed_server_is_listed_again_after_its_readmission_period() {
    let back = [server("a", vec![serving_since(2000), removed()])];
    assert!(names(&back, 2119).is_empty());
    assert_eq!(desired_of(&back, 2119).recheck_at, Some(at(2120)));
    assert_eq!(names(&back, 2120), ["a"]);
    let draft = unlisted_condition(&admitted(&back[0]), PERIODS, false).unwrap();
    assert!(
        draft.message.contains("at 1970-01-01T00:35:20Z"),
        "{}",
        draft.message
    );
}

#[test]
fn a_server_that_opts_out_and_in_again_need_not_wait() {
    let mut server = server("a", vec![serving_since(2000), removed()]);
    server.metadata.generation = Some(2);
    assert_eq!(names(&[server], 2001), ["a"]);
}

#[test]
fn opted_out_and_deleted_servers_are_removed_at_once() {
    let mut out = server("a", vec![serving()]);
    out.spec.litellm.auto_register = false;
    let mut deleted = server("b", vec![serving()]);
    deleted.metadata.deletion_timestamp = deleted.metadata.creation_timestamp.clone();
    assert!(names(&[out.clone(), deleted], 0).is_empty());
    assert!(unlisted_condition(&admitted(&out), PERIODS, false).is_some());
    assert!(
        unlisted_condition(&admitted(&server("new", vec![])), PERIODS, true).is_none(),
        "it has not served yet"
    );
    out.status = None;
    assert!(
        unlisted_condition(&admitted(&out), PERIODS, false).is_none(),
        "it was not reconciled yet"
    );
}

#[test]
fn a_removed_server_is_deregistering_until_the_gateway_has_forgotten_it() {
    let mut server = server("a", vec![serving(), known()]);
    server.spec.litellm.auto_register = false;
    let draft = |server: &McpServer, may_remain| {
        let draft = unlisted_condition(&admitted(server), PERIODS, may_remain).unwrap();
        (draft.status, draft.reason)
    };
    assert_eq!(
        draft(&server, true),
        (ConditionStatus::Unknown, DEREGISTERING.into())
    );
    assert_eq!(
        draft(&server, false),
        (ConditionStatus::False, NOT_REGISTERED.into())
    );
    // Once it is removed, a rollout for other servers changes nothing about it.
    server.status.as_mut().unwrap().conditions[1].reason = NOT_REGISTERED.into();
    assert_eq!(
        draft(&server, true),
        (ConditionStatus::False, NOT_REGISTERED.into())
    );
    // A server that is being removed because no pod serves stays unlisted.
    let leaving = condition(LITELLM_REGISTERED, "Unknown", DEREGISTERING, 1300);
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
    let mut before = desired_of(&both, 0);
    let mut now = desired_of(&both[1..], 0);
    now.keep(before.entries.remove(0));
    let keys: Vec<_> = now.keys().map(ToString::to_string).collect();
    assert_eq!(keys, ["tools/a", "tools/b"]);
}

#[test]
fn a_registered_server_stays_registered_while_others_change() {
    let mut server = server("a", vec![serving(), known()]);
    assert!(still_registered(&admitted(&server)));
    server.metadata.generation = Some(2);
    assert!(!still_registered(&admitted(&server)));
}

fn starting_until(servers: &[McpServer], now: i64) -> Option<Timestamp> {
    desired_of(servers, now).starting_until
}

#[test]
fn a_new_server_is_starting_until_it_serves_or_its_startup_period_ends() {
    let new = |conditions| server("a", conditions);
    assert_eq!(starting_until(&[new(vec![down(100)])], 119), Some(at(120)));
    assert_eq!(starting_until(&[new(vec![down(100)])], 120), None);
    assert_eq!(starting_until(&[new(vec![serving_since(100)])], 100), None);
    let both = [new(vec![down(100)]), new(vec![down(105)])];
    assert_eq!(starting_until(&both, 106), Some(at(125)));
}

/// Of many servers that are made at once, the last may have its objects much later.
#[test]
fn a_new_server_that_was_not_reconciled_yet_has_longer() {
    let new = server("a", vec![]);
    let created = new.creation_timestamp().unwrap().0.as_second();
    let new = [new];
    assert_eq!(starting_until(&new, created), Some(at(created + 20)));
    assert_eq!(starting_until(&new, created + 100), Some(at(created + 120)));
    assert_eq!(starting_until(&new, created + 179), Some(at(created + 180)));
    assert_eq!(starting_until(&new, created + 180), None);
}

#[test]
fn a_server_that_cannot_be_listed_is_not_waited_for() {
    let now = server("a", vec![])
        .creation_timestamp()
        .unwrap()
        .0
        .as_second();
    let mut out = server("a", vec![]);
    out.spec.litellm.auto_register = false;
    let mut deleted = server("a", vec![]);
    deleted.metadata.deletion_timestamp = deleted.metadata.creation_timestamp.clone();
    let mut failed = server("a", vec![down(now)]);
    failed.status.as_mut().unwrap().phase = Some(Phase::Failed);
    let registered = server("a", vec![down(now), known()]);
    assert_eq!(
        starting_until(&[out, deleted, failed, registered], now),
        None
    );
}

#[test]
fn a_server_made_in_the_future_is_waited_for_no_longer_than_others() {
    let server = server("a", vec![down(1000)]);
    assert_eq!(starting_until(&[server], 0), Some(at(20)));
}

fn listed(server: &McpServer, basis: RegistrationBasis) -> Option<RegistrationEntry> {
    let candidates = [Candidate::new(Cow::Borrowed(server), basis)];
    let desired = desired(&candidates, &Settings::default(), PERIODS, at(0));
    desired.entries.into_iter().next()
}

/// What a plugin defaults reaches the gateway, and what is stored does not.
#[test]
fn what_the_rules_admit_is_registered() {
    let stored = server("a", vec![serving()]);
    let mut defaulted = stored.clone();
    defaulted.spec.litellm.description = Some("By a plugin".into());
    let basis = RegistrationBasis::of_admitted(&defaulted, &Settings::default());
    assert_eq!(listed(&stored, basis).unwrap().description, "By a plugin");
    defaulted.spec.litellm.auto_register = false;
    let basis = RegistrationBasis::of_admitted(&defaulted, &Settings::default());
    assert_eq!(listed(&stored, basis), None);
}

#[test]
fn a_server_that_breaks_a_rule_is_removed_at_once_and_says_which() {
    let registered = server("a", vec![serving(), known()]);
    let basis = RegistrationBasis::Forbidden("spec.image.tag: Invalid value".into());
    assert_eq!(listed(&registered, basis.clone()), None);
    let candidate = Candidate::new(Cow::Borrowed(&registered), basis);
    let draft = unlisted_condition(&candidate, PERIODS, true).unwrap();
    assert_eq!(draft.reason, DEREGISTERING);
    let draft = unlisted_condition(&candidate, PERIODS, false).unwrap();
    assert_eq!(draft.reason, FORBIDDEN);
    let expected = "Not registered: rules in force forbid it: spec.image.tag: Invalid value";
    assert_eq!(draft.message, expected);
    // It comes back as soon as no rule forbids it any more, and rollouts for others change nothing about it until then.
    let mut gone = registered.clone();
    gone.status.as_mut().unwrap().conditions[1].reason = FORBIDDEN.into();
    let candidate = Candidate {
        server: Cow::Borrowed(&gone),
        ..candidate
    };
    let draft = unlisted_condition(&candidate, PERIODS, true).unwrap();
    assert_eq!(draft.reason, FORBIDDEN);
    assert_eq!(names(std::slice::from_ref(&gone), 0), ["a"]);
}

#[test]
fn a_server_of_which_nobody_can_say_whether_it_is_valid_stays_as_it_was() {
    let registered = server("a", vec![serving(), known()]);
    assert!(listed(&registered, RegistrationBasis::Unknown).is_some());
    let removed = server("a", vec![serving(), removed()]);
    assert_eq!(listed(&removed, RegistrationBasis::Unknown), None);
    let new = server("a", vec![serving()]);
    assert_eq!(listed(&new, RegistrationBasis::Unknown), None);
}
