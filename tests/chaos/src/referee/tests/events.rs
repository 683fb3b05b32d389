//! What an API server logs of a run in which all is well, and its parts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

/// Seconds after the beginning of a run.
pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A request that takes no time.
pub(super) fn event(second: i64, agent: &str, verb: &str, resource: &str, object: &str) -> Value {
    let (kind, part) = resource.split_once('/').unwrap_or((resource, ""));
    let (namespace, name) = object.split_once('/').unwrap();
    json!({
        "verb": verb, "userAgent": agent, "requestURI": "/apis",
        "objectRef": { "resource": kind, "subresource": part, "namespace": namespace, "name": name },
        "responseStatus": { "code": 200 },
        "requestReceivedTimestamp": at(second).to_string(), "stageTimestamp": at(second).to_string(),
    })
}

pub(super) const FIRST: &str = "mcp-operator/1 (first)";
pub(super) const SECOND: &str = "mcp-operator/1 (second)";
pub(super) const USER: &str = "kubectl/1";
/// The last fault ends then.
pub(super) const END: i64 = 100;

pub(super) fn lease(second: i64, agent: &str) -> Value {
    let mut lease = event(second, agent, "update", "leases", "o/leader");
    lease["requestObject"] = json!({ "spec": { "holderIdentity": agent } });
    lease
}

pub(super) fn user(second: i64, verb: &str, server: &str, description: &str) -> Value {
    let mut request = event(second, USER, verb, "mcpservers", server);
    request["requestObject"] = json!({ "spec": { "litellm": { "description": description } } });
    request
}

pub(super) fn status(second: i64, agent: &str, server: &str, phase: &str) -> Value {
    let mut status = event(second, agent, "patch", "mcpservers/status", server);
    status["requestObject"] = json!({ "status": { "phase": phase } });
    status
}

/// What is made of a server, with the file of this configuration.
pub(super) fn children(
    second: i64,
    agent: &str,
    verb: &str,
    server: &str,
    configuration: &str,
) -> Vec<Value> {
    let mut children: Vec<Value> = ["serviceaccounts", "services", "deployments"]
        .map(|kind| event(second, agent, verb, kind, &format!("n/mcp-{server}")))
        .to_vec();
    children.push(file(second, agent, verb, server, configuration));
    children
}

pub(super) fn file(
    second: i64,
    agent: &str,
    verb: &str,
    server: &str,
    configuration: &str,
) -> Value {
    let name = format!("n/mcp-{server}-{configuration}");
    event(second, agent, verb, "configmaps", &name)
}

/// Hashes of configurations.
pub(super) const OLD: &str = "0000abc1";
pub(super) const NEW: &str = "0000abc2";

/// The first replica leads, a server comes and one goes; the second leads, the server changes and all is well.
pub(super) fn log() -> Vec<Value> {
    let mut log = vec![
        lease(0, FIRST),
        user(1, "create", "n/a", "one"),
        user(1, "create", "n/b", "b"),
    ];
    log.extend(children(2, FIRST, "patch", "a", OLD));
    log.extend(children(2, FIRST, "patch", "b", OLD));
    log.push(status(3, FIRST, "n/a", "Ready"));
    log.push(event(4, USER, "delete", "mcpservers", "n/b"));
    log.extend(children(5, "kube-controller-manager/1", "delete", "b", OLD));
    log.push(lease(50, SECOND));
    log.push(user(END, "patch", "n/a", "two"));
    log.extend(children(END + 1, SECOND, "patch", "a", NEW));
    log.push(file(END + 2, SECOND, "delete", "a", OLD));
    log.push(status(END + 2, SECOND, "n/a", "Ready"));
    log.extend(lists(stored("a", END + 2, NEW)));
    log.push(lease(END + 60, SECOND));
    log
}

/// What is stored of a server since that second, by resource.
pub(super) fn stored(server: &str, second: i64, configuration: &str) -> Vec<(&'static str, Value)> {
    let object = |name: &str, parts: &[&str]| {
        let time = at(second).to_string();
        let managers: Vec<Value> = parts
            .iter()
            .map(|part| json!({ "manager": "mcp-operator", "subresource": part, "time": time }))
            .collect();
        json!({ "metadata": { "namespace": "n", "name": name, "creationTimestamp": time, "managedFields": managers } })
    };
    let child = format!("mcp-{server}");
    vec![
        ("mcpservers", object(server, &["status"])),
        ("serviceaccounts", object(&child, &[""])),
        ("services", object(&child, &[""])),
        ("deployments", object(&child, &[""])),
        (
            "configmaps",
            object(&format!("{child}-{configuration}"), &[""]),
        ),
    ]
}

/// What somebody is told who lists everything in the end.
pub(super) fn lists(stored: Vec<(&str, Value)>) -> Vec<Value> {
    let mut lists = BTreeMap::<&str, Vec<Value>>::new();
    for (resource, object) in stored {
        lists.entry(resource).or_default().push(object);
    }
    let list = |(resource, items)| {
        let mut list = event(END + 31, USER, "list", resource, "/");
        list["responseObject"] = json!({ "items": items });
        list
    };
    lists.into_iter().map(list).collect()
}

pub(super) fn is_list(event: &Value) -> bool {
    event["verb"] == "list"
}

pub(super) fn is_about(event: &Value, resource: &str, name: &str) -> bool {
    let about = &event["objectRef"];
    about["resource"] == resource
        && about["name"]
            .as_str()
            .is_some_and(|it| it.starts_with(name))
}
