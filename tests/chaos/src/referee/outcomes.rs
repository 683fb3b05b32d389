//! What came of writes whose answer does not say it: an API server that waits too long for etcd answers 504, and may have stored
//! the object all the same. Whoever watches sees it, and need not write again; the log has no other word of it than what was stored
//! in the end.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::event::Event;

/// Whose lists the log must have, from after everything is as it should be.
const LISTED: [&str; 5] = [
    "mcpservers",
    "serviceaccounts",
    "services",
    "deployments",
    "configmaps",
];

/// Metadata of what is stored in the end, by resource and `namespace/name`.
type Stored<'a> = BTreeMap<(&'static str, String), &'a Value>;

/// Finds out which writes in doubt were done. Gives what the log lacks for that.
pub(crate) fn settle(events: &mut [Event], due: Timestamp) -> Vec<String> {
    let lists = LISTED.map(|resource| (resource, last_list(events, resource, due)));
    let lacks = lists
        .iter()
        .filter(|(_, list)| list.is_none())
        .map(|(resource, _)| format!("the log has no list of {resource} after {due}"))
        .collect();
    let stored: Stored<'_> = lists
        .iter()
        .flat_map(|(resource, list)| list.iter().flatten().map(|item| (*resource, item)))
        .map(|(resource, item)| ((resource, name(&item["metadata"])), &item["metadata"]))
        .collect();
    let done: Vec<usize> = events
        .iter()
        .enumerate()
        .filter(|(_, event)| event.is_write() && event.is_in_doubt() && was_done(event, &stored))
        .map(|(index, _)| index)
        .collect();
    for index in done {
        events[index].is_done = true;
    }
    lacks
}

fn last_list(events: &[Event], resource: &str, due: Timestamp) -> Option<Vec<Value>> {
    let mut lists = events
        .iter()
        .rev()
        .filter(|event| event.verb == "list" && event.resource == resource && event.received > due);
    lists.find_map(|event| event.answer["items"].as_array().cloned())
}

fn name(metadata: &Value) -> String {
    let text = |member: &str| metadata[member].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}

fn was_done(event: &Event, stored: &Stored<'_>) -> bool {
    let (resource, part) = event
        .resource
        .split_once('/')
        .unwrap_or((&event.resource, ""));
    let Some(resource) = LISTED.into_iter().find(|listed| *listed == resource) else {
        return false;
    };
    let metadata = stored.get(&(resource, event.object.clone()));
    // Objects have no parts of a second in their times.
    let since = |time: &Value| {
        let time: Option<Timestamp> = time.as_str().and_then(|time| time.parse().ok());
        time.is_some_and(|time| time.as_second() >= event.received.as_second())
    };
    if event.is_removal() {
        return metadata.is_none_or(|metadata| since(&metadata["creationTimestamp"]));
    }
    let managers = metadata.and_then(|metadata| metadata["managedFields"].as_array());
    managers.into_iter().flatten().any(|entry| {
        entry["manager"] == event.field_manager.as_str()
            && entry["subresource"].as_str().unwrap_or_default() == part
            && since(&entry["time"])
    })
}
