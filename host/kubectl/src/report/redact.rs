//! Hides what may be secret: by where it stands, and where it stands in sentences, by what it is.

use mcp_operator_core::private_values::hide_in;
use serde_json::Value;

use crate::doctor::Installation;

/// What stands in the place of a value.
const HIDDEN: &str = "...";
/// Members all of whose values are hidden, however deep.
const HIDDEN_BELOW: [&str; 8] = [
    "config",
    "settings",
    "data",
    "stringData",
    "binaryData",
    "args",
    "command",
    "annotations",
];
/// Lists of which the member `value` is hidden.
const HIDDEN_VALUES: [&str; 3] = ["env", "headers", "httpHeaders"];
/// Members that are sentences.
const SENTENCES: [&str; 3] = ["message", "note", "lastLine"];
/// Reasons whose sentences quote a container.
const QUOTING: [&str; 4] = [
    "CrashLoopBackOff",
    "Error",
    "OOMKilled",
    "ContainerCannotRun",
];
/// Annotations that the operator and Kubernetes write.
const KNOWN_ANNOTATIONS: [&str; 2] = ["mcp.litellm.ai/", "deployment.kubernetes.io/"];

/// Knows the values that people typed into MCPServers.
pub(super) struct Redactor<'a> {
    servers: &'a [Value],
}

impl<'a> Redactor<'a> {
    pub(super) fn of(servers: &'a [Value]) -> Self {
        Self { servers }
    }

    /// An object without what may be secret.
    pub(super) fn hidden(&self, object: &Value) -> Value {
        let mut hidden = object.clone();
        self.hide(&mut hidden);
        hidden
    }

    /// The same of what findings quote: pods, and what MCPServers and MCPPlugins say in their conditions.
    pub(super) fn quoted(&self, installation: &mut Installation) {
        for ((kind, _), list) in &mut installation.lists {
            for object in list {
                match kind.as_str() {
                    "Pod" | "MCPServer" => self.hide(object),
                    // Of their specification checks see more than anybody may.
                    "MCPPlugin" => self.hide(&mut object["status"]),
                    _ => {}
                }
            }
        }
    }

    /// The same of everything that was read for the checks.
    pub(super) fn installation(&self, installation: &mut Installation) {
        let objects = installation.objects.values_mut().flatten();
        let lists = installation.lists.values_mut().flatten();
        objects.chain(lists).for_each(|object| self.hide(object));
    }

    fn hide(&self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.remove("managedFields");
                let quotes = members
                    .get("reason")
                    .is_some_and(|reason| QUOTING.iter().any(|it| reason == it));
                let is_container = members.contains_key("exitCode");
                for (name, member) in members {
                    match name.as_str() {
                        "annotations" => annotations(member),
                        name if HIDDEN_BELOW.contains(&name) => hide_all(member),
                        name if HIDDEN_VALUES.contains(&name) => self.hide_values(member),
                        name if SENTENCES.contains(&name) && (quotes || is_container) => {
                            hide_all(member);
                        }
                        _ => self.hide(member),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide(item)),
            Value::String(text) => *text = self.sentence(&without_queries(text)),
            _ => {}
        }
    }

    fn hide_values(&self, list: &mut Value) {
        for item in list.as_array_mut().into_iter().flatten() {
            self.hide(item);
            if let Some(value) = item.get_mut("value") {
                hide_all(value);
            }
        }
    }

    fn sentence(&self, text: &str) -> String {
        let servers = self.servers.iter();
        servers.fold(text.to_owned(), |text, server| hide_in(&text, server))
    }
}

/// Names stay.
fn hide_all(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(hide_all),
        Value::Array(items) => items.iter_mut().for_each(hide_all),
        Value::Null => {}
        other => *other = HIDDEN.into(),
    }
}

fn annotations(annotations: &mut Value) {
    for (name, value) in annotations.as_object_mut().into_iter().flatten() {
        if !KNOWN_ANNOTATIONS
            .iter()
            .any(|known| name.starts_with(known))
        {
            *value = HIDDEN.into();
        }
    }
}

/// A text whose URLs have neither users nor queries.
fn without_queries(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace);
    let shown = words.map(|word| {
        let (inner, space) = word.split_at(word.trim_end().len());
        match inner.find("http://").or_else(|| inner.find("https://")) {
            Some(at) => format!("{}{}{space}", &inner[..at], without_query(&inner[at..])),
            None => word.to_owned(),
        }
    });
    shown.collect()
}

/// A URL without its user and its query, which may hold a token.
fn without_query(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let (address, query) = match rest.split_once(['?', '#']) {
        Some((address, _)) => (address, "?..."),
        None => (rest, ""),
    };
    let end = address.find('/').unwrap_or(address.len());
    let (authority, path) = address.split_at(end);
    let host = authority
        .rsplit_once('@')
        .map_or(authority.to_owned(), |(_, host)| format!("...@{host}"));
    format!("{scheme}://{host}{path}{query}")
}
