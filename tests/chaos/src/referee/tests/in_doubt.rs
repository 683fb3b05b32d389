//! Writes of which the API server did not say whether they were done: what is stored in the end tells.

use super::*;

/// The log, if these writes were answered by an API server that gave up waiting for etcd, and that is stored.
fn in_doubt(which: impl Fn(&Value) -> bool, stored: Vec<(&str, Value)>) -> Vec<Value> {
    let mut log = log();
    log.retain(|event| !is_list(event));
    for write in log.iter_mut().filter(|event| which(event)) {
        write["responseStatus"]["code"] = json!(504);
        write["requestURI"] = json!("/apis?force=true&fieldManager=mcp-operator");
    }
    log.extend(lists(stored));
    log.push(lease(END + 61, SECOND));
    log
}

#[test]
fn a_write_that_was_stored_although_the_api_server_gave_up_was_done() {
    let by_operator = |event: &Value| {
        let agent = event["userAgent"].as_str().unwrap_or_default();
        event["verb"] == "patch" && agent.starts_with("mcp-operator")
    };
    let log = in_doubt(by_operator, stored("a", END + 2, NEW));
    let verdict = judged(&log, &list());
    assert!(verdict.is_good(), "{verdict}");
}

#[test]
fn a_write_in_doubt_that_is_not_stored_was_not_done() {
    let all = stored("a", END + 2, NEW);
    for (resource, name, words) in [
        ("services", "mcp-a", "never made"),
        ("mcpservers", "a", "says nothing"),
    ] {
        let without = all.iter().filter(|(kind, _)| *kind != resource).cloned();
        let without = without.chain([(resource, json!({}))]).collect();
        let which = |event: &Value| {
            is_about(event, resource, name)
                && event["verb"] == "patch"
                && event["userAgent"] != USER
        };
        only(
            &judged(&in_doubt(which, without), &list()),
            Rule::Convergence,
            words,
        );
    }
    // Stored, but by what the same manager had written before the change.
    let which =
        |event: &Value| is_about(event, "deployments", "mcp-a") && event["userAgent"] == SECOND;
    let old = judged(&in_doubt(which, stored("a", END - 90, NEW)), &list());
    only(&old, Rule::Convergence, "is not of the change");
}

#[test]
fn a_removal_in_doubt_was_done_where_nothing_is_left() {
    let which = |event: &Value| event["verb"] == "delete" && is_about(event, "services", "mcp-b");
    let verdict = judged(&in_doubt(which, stored("a", END + 2, NEW)), &list());
    assert!(verdict.is_good(), "{verdict}");
    let of_b = stored("b", 2, OLD)
        .into_iter()
        .filter(|(kind, _)| *kind == "services");
    let left = stored("a", END + 2, NEW).into_iter().chain(of_b).collect();
    only(
        &judged(&in_doubt(which, left), &list()),
        Rule::Convergence,
        "still there",
    );
}
