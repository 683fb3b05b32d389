//! Every object is as users wanted it last, in time.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::event::Event;
use super::users::Servers;

/// What is made of every server.
const MADE: [&str; 4] = ["serviceaccounts", "configmaps", "services", "deployments"];
/// What says that a change of the configuration has come through: the file, and the pods that have to read it.
const CHANGED: [&str; 2] = ["configmaps", "deployments"];

pub(crate) fn judge(events: &[Event], servers: &Servers, due: Timestamp) -> Vec<String> {
    let mut last = BTreeMap::<(&str, &str), &Event>::new();
    let mut last_of_operator = BTreeMap::<(&str, &str), &Event>::new();
    let in_time = events.iter().filter(|event| event.answered <= due);
    for event in in_time.filter(|event| event.is_write() && event.is_done()) {
        let about = (event.resource.as_str(), event.object.as_str());
        last.insert(about, event);
        if event.is_by_operator() {
            last_of_operator.insert(about, event);
        }
    }
    let mut found = Vec::new();
    for (name, server) in servers.living() {
        let child = child(name);
        for resource in MADE {
            match last.get(&(resource, child.as_str())) {
                None => found.push(format!("{resource} {child} was never made")),
                Some(event) if event.is_removal() => {
                    found.push(format!("{resource} {child} is gone: {}", event.line()));
                }
                Some(_) => (),
            }
        }
        for resource in CHANGED {
            let written = last_of_operator.get(&(resource, child.as_str()));
            if written.is_none_or(|written| written.answered < server.changed) {
                found.push(format!(
                    "{resource} {child} was not written after the change at {}",
                    server.changed
                ));
            }
        }
        match last_of_operator.get(&("mcpservers/status", name)) {
            Some(status) if status.answered >= server.changed => {
                let phase = &status.body["status"]["phase"];
                if phase != "Ready" {
                    found.push(format!("{name} is {phase}: {}", why(status)));
                }
            }
            _ => found.push(format!(
                "{name} says nothing of the change at {}",
                server.changed
            )),
        }
    }
    for name in servers.gone() {
        let child = child(name);
        let left = MADE.into_iter().filter(|resource| {
            let last = last.get(&(*resource, child.as_str()));
            last.is_some_and(|last| !last.is_removal())
        });
        found.extend(
            left.map(|resource| {
                format!("{resource} {child} is still there, without its MCPServer")
            }),
        );
    }
    found
}

/// What the conditions of a status complain of.
fn why(status: &Event) -> String {
    let conditions = status.body["status"]["conditions"].as_array();
    let words: Vec<String> = conditions
        .into_iter()
        .flatten()
        .filter(|condition| condition["status"] != "True")
        .map(|condition| {
            format!(
                "{} {}: {}",
                condition["type"], condition["reason"], condition["message"]
            )
        })
        .collect();
    words.join("; ")
}

/// Objects are named `mcp-<server>`, in the server's namespace.
fn child(name: &str) -> String {
    name.replacen('/', "/mcp-", 1)
}
