//! Every object is as users wanted it last, in time.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::event::Event;
use super::users::Servers;

/// What is made of every server, besides the file of its configuration.
const MADE: [&str; 3] = ["serviceaccounts", "services", "deployments"];
/// The file of a configuration has a hash in its name: each change makes another one.
const FILES: &str = "configmaps";
/// Letters of that hash.
const HASH: usize = 8;

pub(crate) fn judge(events: &[Event], servers: &Servers, due: Timestamp) -> Vec<String> {
    let last = LastWrites::of(events, due);
    let mut found = Vec::new();
    for (name, server) in servers.living() {
        let child = child(name);
        for resource in MADE {
            match last.of_all.get(&(resource, child.as_str())) {
                None => found.push(format!("{resource} {child} was never made")),
                Some(event) if event.is_removal() => {
                    found.push(format!("{resource} {child} is gone: {}", event.line()));
                }
                Some(_) => (),
            }
        }
        // What says that a change has come through: the file, the pods that have to read it, and the status.
        let mut files = last.files(&child);
        if files.all(|file| file.answered < server.changed) {
            found.push(format!(
                "no configmap of {child} is of the change at {}",
                server.changed
            ));
        }
        let pods = last.of_operator.get(&("deployments", child.as_str()));
        if pods.is_none_or(|written| written.answered < server.changed) {
            found.push(format!(
                "deployments {child} is not of the change at {}",
                server.changed
            ));
        }
        match last.of_operator.get(&("mcpservers/status", name)) {
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
        let made = MADE
            .iter()
            .filter_map(|resource| last.of_all.get(&(*resource, child.as_str())));
        let left = made.copied().filter(|event| !event.is_removal());
        let left = left.chain(last.files(&child));
        found.extend(left.map(|event| {
            format!(
                "{} {} is still there, without its MCPServer",
                event.resource, event.object
            )
        }));
    }
    found
}

/// The last writes of each object, by resource and name.
struct LastWrites<'a> {
    of_all: BTreeMap<(&'a str, &'a str), &'a Event>,
    of_operator: BTreeMap<(&'a str, &'a str), &'a Event>,
}

impl<'a> LastWrites<'a> {
    fn of(events: &'a [Event], due: Timestamp) -> Self {
        let (mut of_all, mut of_operator) = (BTreeMap::new(), BTreeMap::new());
        let in_time = events.iter().filter(|event| event.answered <= due);
        for event in in_time.filter(|event| event.is_write() && event.is_done) {
            let about = (event.resource.as_str(), event.object.as_str());
            of_all.insert(about, event);
            if event.is_by_operator() {
                of_operator.insert(about, event);
            }
        }
        Self {
            of_all,
            of_operator,
        }
    }

    /// The files of a server's configuration that there are.
    fn files(&self, child: &str) -> impl Iterator<Item = &'a Event> {
        let is_file = move |object: &str| {
            let hash = object
                .strip_prefix(child)
                .and_then(|rest| rest.strip_prefix('-'));
            hash.is_some_and(|hash| {
                hash.len() == HASH && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
            })
        };
        self.of_all
            .iter()
            .filter(move |((resource, object), event)| {
                *resource == FILES && is_file(object) && !event.is_removal()
            })
            .map(|(_, event)| *event)
    }
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
