//! Logs that must be refused, one for each way, and one that must not.

mod events;
mod in_doubt;

use serde_json::{Value, json};

use self::events::*;
use super::*;

fn list() -> Vec<Value> {
    vec![
        json!({ "server_id": "mcp-operator.n.a", "description": "two" }),
        json!({ "server_id": "somebody-elses", "description": "not ours" }),
    ]
}

fn judged(log: &[Value], list: &[Value]) -> Verdict {
    let events = log
        .iter()
        .map(|event| Event::parse(&event.to_string()).unwrap());
    let ended = Ended {
        begin: at(0),
        end: at(END),
        taken_away: vec![Window {
            from: at(20),
            until: at(30),
        }],
    };
    judge(events.collect(), list, &ended)
}

/// The log with these besides is refused by one rule alone.
fn refused(more: Vec<Value>, rule: Rule, words: &str) {
    let verdict = judged(&[log(), more].concat(), &list());
    only(&verdict, rule, words);
}

fn only(verdict: &Verdict, rule: Rule, words: &str) {
    assert!(!verdict.is_good(), "nothing was found");
    for (found, sentence) in &verdict.faults {
        assert!(*found == rule && sentence.contains(words), "{verdict}");
    }
}

#[test]
fn a_run_in_which_all_is_well_is_good() {
    let verdict = judged(&log(), &list());
    assert!(verdict.is_good(), "{verdict}");
    assert_eq!(
        (verdict.judged, verdict.servers, verdict.replicas),
        (3, 1, 2)
    );
}

fn failed_admission(second: i64, why: &str) -> Value {
    let mut failed = event(second, USER, "create", "mcpservers", "n/c");
    let message = format!("failed calling webhook \"rules.mcpservers.mcp.litellm.ai\": {why}");
    failed["responseStatus"] = json!({ "code": 500, "message": message });
    failed
}

#[test]
fn an_admission_that_nobody_answered_is_ours() {
    refused(
        vec![failed_admission(60, "connection refused")],
        Rule::Admission,
        "connection refused",
    );
}

#[test]
fn one_before_the_webhook_was_there_was_early() {
    let verdict = judged(
        &[log(), vec![failed_admission(-5, "refused")]].concat(),
        &list(),
    );
    assert!(verdict.is_good() && verdict.judged == 3, "{verdict}");
}

#[test]
fn one_that_was_lost_with_a_replica_is_counted_apart() {
    let lost = failed_admission(25, "EOF");
    let verdict = judged(&[log(), vec![lost]].concat(), &list());
    assert!(
        verdict.is_good() && verdict.lost_with_a_replica == 1,
        "{verdict}"
    );
}

#[test]
fn one_that_the_api_server_gave_up_or_another_webhook_failed_is_not_ours() {
    let mut other = failed_admission(60, "refused");
    other["responseStatus"]["message"] = json!("failed calling webhook \"storm.example\": refused");
    let given_up = failed_admission(60, "context canceled");
    let verdict = judged(&[log(), vec![other, given_up]].concat(), &list());
    assert!(verdict.is_good(), "{verdict}");
}

#[test]
fn one_that_a_replica_could_not_judge_is_ours() {
    let mut denied = event(60, USER, "create", "mcpservers", "n/c");
    let message =
        "admission webhook \"rules.mcpservers.mcp.litellm.ai\" denied the request: overloaded";
    denied["responseStatus"] = json!({ "code": 429, "message": message });
    refused(vec![denied.clone()], Rule::Admission, "overloaded");
    // By a rule, it is what the webhook is for.
    denied["responseStatus"]["code"] = json!(403);
    let verdict = judged(&[log(), vec![denied]].concat(), &list());
    assert!(verdict.is_good() && verdict.judged == 4, "{verdict}");
}

#[test]
fn a_write_without_the_lease_is_one_too_many() {
    let write = event(60, FIRST, "patch", "configmaps", "n/other");
    refused(vec![write], Rule::OneWriter, "although");
}

#[test]
fn a_write_that_arrives_after_another_has_taken_the_lease_is_one_too_many() {
    let mut write = event(49, FIRST, "patch", "configmaps", "n/other");
    write["stageTimestamp"] = json!(at(51).to_string());
    refused(vec![write], Rule::OneWriter, "answered only after");
}

#[test]
fn a_write_before_anybody_leads_is_one_too_many() {
    let write = event(-1, FIRST, "patch", "configmaps", "n/other");
    refused(vec![write], Rule::OneWriter, "nobody led");
}

#[test]
fn a_write_after_the_lease_was_given_back_is_one_too_many() {
    let mut release = lease(40, FIRST);
    release["requestObject"]["spec"]["holderIdentity"] = json!("");
    let write = event(41, FIRST, "patch", "configmaps", "n/other");
    refused(vec![release, write], Rule::OneWriter, "although");
}

#[test]
fn a_lease_that_was_refused_is_no_lease() {
    let mut lost = lease(51, FIRST);
    lost["responseStatus"]["code"] = json!(409);
    let write = event(52, FIRST, "patch", "configmaps", "n/other");
    refused(vec![lost, write], Rule::OneWriter, "although");
}

#[test]
fn what_is_registered_must_be_what_is_wanted() {
    for (list, words) in [
        (vec![], "not registered"),
        ([list(), list()].concat(), "2 times"),
        (
            vec![json!({ "server_id": "mcp-operator.n.a", "description": "one" })],
            "instead of",
        ),
        (
            [list(), vec![json!({ "server_id": "mcp-operator.n.b" })]].concat(),
            "nobody wants it",
        ),
    ] {
        only(&judged(&log(), &list), Rule::Registration, words);
    }
}

#[test]
fn what_comes_too_late_has_not_converged() {
    // A change that nobody carries out in time.
    let list = [json!({ "server_id": "mcp-operator.n.a", "description": "three" })];
    let late = judged(
        &[log(), vec![user(END + 3, "patch", "n/a", "three")]].concat(),
        &list,
    );
    only(&late, Rule::Convergence, "the change at");
    assert_eq!(late.faults.len(), 3, "{late}");
}

#[test]
fn who_says_the_same_once_more_changes_nothing() {
    let again = user(END + 20, "patch", "n/a", "two");
    let verdict = judged(&[log(), vec![again]].concat(), &list());
    assert!(verdict.is_good(), "{verdict}");
}

#[test]
fn what_is_gone_or_failed_or_left_has_not_converged() {
    let gone = event(END + 4, USER, "delete", "services", "n/mcp-a");
    refused(vec![gone], Rule::Convergence, "is gone");
    refused(
        vec![status(END + 4, SECOND, "n/a", "Degraded")],
        Rule::Convergence,
        "Degraded",
    );
    let left = event(60, SECOND, "patch", "services", "n/mcp-b");
    refused(vec![left], Rule::Convergence, "still there");
    let left = file(60, SECOND, "patch", "b", NEW);
    refused(vec![left], Rule::Convergence, "still there");
    let gone = file(END + 4, USER, "delete", "a", NEW);
    refused(vec![gone], Rule::Convergence, "no configmap");
}

#[test]
fn what_is_never_made_has_not_converged() {
    let mut log = log();
    log.retain(|event| event["objectRef"]["resource"] != "serviceaccounts" || is_list(event));
    only(&judged(&log, &list()), Rule::Convergence, "never made");
}

#[test]
fn a_definition_that_goes_takes_its_servers_with_it() {
    let definition = event(
        60,
        USER,
        "delete",
        "customresourcedefinitions",
        "/mcpservers.mcp.litellm.ai",
    );
    let mut log = [log(), vec![definition]].concat();
    // Users apply theirs again at the end; what is left of the others would be found.
    log.extend(children(
        61,
        "kube-controller-manager/1",
        "delete",
        "a",
        OLD,
    ));
    let verdict = judged(&log, &list());
    assert!(verdict.is_good() && verdict.servers == 1, "{verdict}");
}

#[test]
fn a_write_after_the_time_to_converge_is_too_late() {
    let late = event(END + 31, SECOND, "patch", "services", "n/mcp-a");
    refused(vec![late], Rule::Rest, "services n/mcp-a");
}

#[test]
fn what_does_not_write_is_not_found() {
    let mut asked = event(END + 31, SECOND, "create", "subjectaccessreviews", "/");
    asked["objectRef"]["apiGroup"] = json!("authorization.k8s.io");
    let mut dry = event(END + 31, SECOND, "patch", "services", "n/mcp-a");
    dry["requestURI"] = json!("/api?dryRun=All");
    let read = event(END + 31, SECOND, "list", "services", "n/");
    let verdict = judged(&[log(), vec![asked, dry, read]].concat(), &list());
    assert!(verdict.is_good(), "{verdict}");
}

#[test]
fn without_evidence_there_is_no_praise() {
    let nothing = judged(&[], &[]);
    assert_eq!(nothing.about(Rule::Evidence).count(), 9, "{nothing}");
    let mut unlisted = log();
    unlisted
        .retain(|event| event["objectRef"]["resource"] != "services" || event["verb"] != "list");
    only(
        &judged(&unlisted, &list()),
        Rule::Evidence,
        "no list of services",
    );
    let mut short = log();
    short.pop();
    only(&judged(&short, &list()), Rule::Evidence, "the log ends");
}

#[test]
fn what_is_no_log_is_an_error() {
    assert!(Event::parse("no JSON").is_err());
    assert!(Event::parse(r#"{"verb":"get"}"#).is_err());
}
