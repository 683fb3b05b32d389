use serde_json::{Value, json};

use super::*;

fn pod_issue(pod: Value) -> Option<PodIssue> {
    PodIssue::of(&serde_json::from_value(pod).unwrap())
}

fn pod(status: Value) -> Option<PodIssue> {
    pod_issue(json!({ "metadata": { "name": "a-1" }, "status": status }))
}

fn crashing(restarts: i32, state: &Value) -> Value {
    let mut container = json!({ "name": "server", "image": "acme/mcp:1", "ready": false, "restartCount": restarts });
    for (name, member) in state.as_object().unwrap() {
        container[name] = member.clone();
    }
    json!({ "containerStatuses": [container] })
}

fn container(state: Value) -> Option<PodIssue> {
    pod(crashing(0, &state))
}

#[test]
fn a_pod_that_serves_or_starts_has_no_issue() {
    assert_eq!(pod(json!({})), None);
    assert_eq!(container(json!({ "state": { "running": {} } })), None);
    assert_eq!(
        container(json!({ "state": { "waiting": { "reason": "ContainerCreating" } } })),
        None
    );
}

#[test]
fn the_two_reasons_of_the_kubelet_for_a_failed_pull_are_one() {
    let pulling = |reason: &str, message: &str| {
        container(json!({ "state": { "waiting": { "reason": reason, "message": message } } }))
    };
    let first = pulling("ErrImagePull", "not found").unwrap();
    assert_eq!(first.reason, "ImagePullBackOff");
    assert_eq!(
        first.message,
        "pod a-1: cannot pull image acme/mcp:1: not found"
    );
    let backing_off = "Back-off pulling image \"acme/mcp:1\": ErrImagePull: not found";
    assert_eq!(pulling("ImagePullBackOff", backing_off), Some(first));
}

#[test]
fn a_crash_loop_stays_one_between_two_attempts() {
    let ended = json!({ "terminated": { "exitCode": 1, "reason": "Error" } });
    let states = [
        (3, json!({ "state": ended })),
        (
            3,
            json!({ "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 10s" } }, "lastState": ended }),
        ),
        (4, json!({ "state": { "running": {} }, "lastState": ended })),
    ];
    for (restarts, state) in states {
        let pod_issue = pod(crashing(restarts, &state)).unwrap();
        assert_eq!(pod_issue.reason, "CrashLoopBackOff");
        assert_eq!(
            pod_issue.message,
            "pod a-1: container server ended with exit code 1 (Error)"
        );
    }
}

/// Node.js ends with its version, below what went wrong.
#[test]
fn of_a_log_the_line_that_explains_is_shown() {
    let said = |message: &str| {
        let ended =
            json!({ "terminated": { "exitCode": 1, "reason": "Error", "message": message } });
        pod(crashing(3, &json!({ "state": ended })))
            .unwrap()
            .message
    };
    let node = "node:fs:1\n  throw e;\nError: EROFS: read-only file system, mkdir '/root/.npm'\n  errno: -30\n\nNode.js v20\n";
    assert!(
        said(node).ends_with("(Error): Error: EROFS: read-only file system, mkdir '/root/.npm'"),
        "{}",
        said(node)
    );
    assert!(said("first\nlast\n\n").ends_with("(Error): last"));
    assert!(said(&"x".repeat(5000)).len() < 500);
}

#[test]
fn one_crash_is_no_loop() {
    let ended = json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
    let states = [
        (0, json!({ "state": ended })),
        (1, json!({ "state": { "running": {} }, "lastState": ended })),
    ];
    for (restarts, state) in states {
        let pod_issue = pod(crashing(restarts, &state)).unwrap();
        assert_eq!(pod_issue.reason, "OOMKilled");
    }
}

/// Each rollout stops its old pods with SIGTERM, on which few programs exit with 0.
#[test]
fn a_pod_that_is_terminated_has_no_issue() {
    let status = crashing(
        0,
        &json!({ "state": { "terminated": { "exitCode": 143, "reason": "Error" } } }),
    );
    assert!(pod(status.clone()).is_some());
    let deleted = json!({ "name": "a-1", "deletionTimestamp": "2026-01-01T00:00:00Z" });
    assert_eq!(
        pod_issue(json!({ "metadata": deleted, "status": status })),
        None
    );
    for phase in ["Failed", "Succeeded"] {
        let mut ended = status.clone();
        ended["phase"] = json!(phase);
        assert_eq!(pod(ended), None);
    }
}

#[test]
fn the_message_of_the_scheduler_is_passed_on() {
    let pod_issue = pod(json!({ "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu.",
    }] }));
    assert_eq!(
        pod_issue.unwrap().message,
        "pod a-1: 0/1 nodes are available: 1 Insufficient cpu."
    );
}

#[test]
fn a_pod_is_read_as_the_api_server_sends_it() {
    let pod: Pod = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "a-1", "namespace": "tools", "labels": { "a": "b" }, "resourceVersion": "7", "managedFields": [{ "manager": "kubelet" }],
        },
        "spec": { "nodeName": "n" }, "status": { "phase": "Pending", "containerStatuses": [{ "name": "server", "state": {} }] },
    }))
    .unwrap();
    assert_eq!(pod.metadata.resource_version.as_deref(), Some("7"));
    assert_eq!(pod.metadata.managed_fields, None);
    assert_eq!(pod.status.container_statuses[0].name, "server");
}
