//! `kubectl mcp tree NAME`: the objects that an MCPServer has become, by their owners.

mod state;

use std::collections::BTreeSet;

use anyhow::Result;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::core::{ApiResource, DynamicObject};
use mcp_operator_api::names::{annotations, labels};
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::build::{self, child_name};
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_core::owner_reference::{belongs_to, is_abandoned};
use mcp_operator_core::validated_server::ValidatedServer;
use serde::Serialize;
use serde_json::Value;
use strum::IntoEnumIterator;

pub(crate) use self::state::serves;
use self::state::state;
use crate::cluster::{Cluster, Scope};
use crate::view::{Style, Tone, View, harmless, not_read, text, width};

/// An object, and what belongs to it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    kind: String,
    name: String,
    namespace: String,
    #[serde(skip)]
    tone: Tone,
    state: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    children: Vec<Node>,
}

/// An MCPServer with everything below it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tree {
    #[serde(flatten)]
    root: Node,
    /// What whoever asks may not read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unread: Vec<String>,
}

/// Reads the MCPServer and the objects with its label.
///
/// # Errors
/// When it is not there.
pub(crate) async fn tree(cluster: &Cluster, name: &str) -> Result<Tree> {
    let server = cluster.server(name).await?;
    let mut unread = Vec::new();
    let objects = objects(cluster, name, &mut unread).await?;
    Ok(view(&server, &objects, unread))
}

/// Everything that may be the server's: what has its label, what those make, and ServiceMonitors of other namespaces.
pub(crate) async fn objects(
    cluster: &Cluster,
    name: &str,
    unread: &mut Vec<String>,
) -> Result<Vec<Value>> {
    let here = Scope::Namespace(&cluster.namespace);
    let label = format!("{}={name}", labels::SERVER);
    let service = format!("kubernetes.io/service-name={}", child_name(name));
    let mut wanted: Vec<(ApiResource, &str)> = ManagedKind::iter()
        .map(|kind| (kind.api_resource(), label.as_str()))
        .collect();
    wanted.push((ApiResource::erase::<ReplicaSet>(&()), &label));
    wanted.push((ApiResource::erase::<Pod>(&()), &label));
    wanted.push((ApiResource::erase::<EndpointSlice>(&()), &service));
    let mut objects = Vec::new();
    for (resource, label) in &wanted {
        let found = cluster.list(resource, here, label).await?;
        objects.extend(found.or_note(unread).unwrap_or_default());
    }
    let elsewhere = format!("{label},{}={}", labels::SERVER_NAMESPACE, cluster.namespace);
    let monitors = ManagedKind::ServiceMonitor.api_resource();
    let found = cluster.list(&monitors, Scope::Cluster, &elsewhere).await?;
    objects.extend(found.known().cloned().unwrap_or_default());
    objects.extend(
        cluster
            .secrets(&label)
            .await?
            .or_note(unread)
            .unwrap_or_default(),
    );
    let mut seen = BTreeSet::new();
    objects.retain(|object| seen.insert(text(&object["metadata"]["uid"])));
    Ok(objects)
}

fn view(server: &Value, objects: &[Value], unread: Vec<String>) -> Tree {
    let mut root = node(server, objects);
    if let Ok(typed) = serde_json::from_value::<McpServer>(server.clone()) {
        let strays = objects
            .iter()
            .filter(|object| is_stray(object, &typed, objects));
        for stray in strays {
            let mut stray = node(stray, objects);
            stray.state = format!("not of this MCPServer {}", stray.state);
            stray.tone = Tone::Bad;
            root.children.push(stray);
        }
        root.children.extend(missing(&typed, objects, &unread));
    }
    Tree { root, unread }
}

fn node(object: &Value, all: &[Value]) -> Node {
    let metadata = &object["metadata"];
    let (tone, state) = state(object);
    let children = all.iter().filter(|child| is_child(child, object));
    Node {
        kind: text(&object["kind"]),
        name: text(&metadata["name"]),
        namespace: text(&metadata["namespace"]),
        tone,
        state,
        children: children
            .filter(|child| !is_over(child))
            .map(|child| node(child, all))
            .collect(),
    }
}

/// By its owner references, or, in another namespace, by the uid that an annotation has.
fn is_child(child: &Value, owner: &Value) -> bool {
    let uid = &owner["metadata"]["uid"];
    let metadata = &child["metadata"];
    let owners = metadata["ownerReferences"].as_array();
    let is_owned = owners.is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == *uid));
    let is_elsewhere = metadata["namespace"] != owner["metadata"]["namespace"];
    is_owned || is_elsewhere && metadata["annotations"][annotations::SERVER_UID] == *uid
}

/// A ReplicaSet of an older template, without pods.
fn is_over(object: &Value) -> bool {
    object["kind"] == "ReplicaSet"
        && object["spec"]["replicas"].as_i64() == Some(0)
        && object["status"]["replicas"].as_i64().unwrap_or(0) == 0
}

/// What has the label of the server and belongs to nobody here: somebody else's, or left behind.
fn is_stray(object: &Value, server: &McpServer, all: &[Value]) -> bool {
    let Ok(typed) = serde_json::from_value::<DynamicObject>(object.clone()) else {
        return false;
    };
    let has_owner = all.iter().any(|owner| is_child(object, owner));
    let is_made_by_others = ["Secret", "EndpointSlice"]
        .iter()
        .any(|kind| object["kind"] == *kind);
    !belongs_to(&typed, server) && !is_abandoned(&typed, server) && !has_owner && !is_made_by_others
}

/// What should be there and is not, of what could be read.
fn missing(server: &McpServer, objects: &[Value], unread: &[String]) -> Vec<Node> {
    let settings = build::Settings::default();
    let built = ValidatedServer::parse(server)
        .ok()
        .and_then(|server| build::objects(&server, &settings).ok());
    let wanted = built.iter().flat_map(|objects| objects.iter());
    let is_missing = |kind: ManagedKind| {
        let plural = kind.api_resource().plural;
        !kind.is_optional()
            && !objects.iter().any(|object| object["kind"] == kind.name())
            && !unread.iter().any(|why| why.contains(&plural))
    };
    wanted
        .filter(|manifest| is_missing(manifest.kind))
        .map(|manifest| Node {
            kind: manifest.kind.name().into(),
            name: text(&manifest.object["metadata"]["name"]),
            namespace: text(&manifest.object["metadata"]["namespace"]),
            tone: Tone::Bad,
            state: "missing".into(),
            children: Vec::new(),
        })
        .collect()
}

impl View for Tree {
    fn text(&self, style: &Style) -> String {
        let mut lines = Vec::new();
        lines_of(&self.root, "", "", &self.root.namespace, &mut lines);
        let longest = lines.iter().map(|(line, _)| width(line)).max();
        let column = longest.unwrap_or_default() + 3;
        let mut text = String::new();
        for (line, node) in &lines {
            let blank = " ".repeat(column - width(line));
            let state = style.fit(&harmless(&node.state), column);
            let shown = format!("{line}{blank}{}", style.paint(node.tone, &state));
            text.push_str(shown.trim_end());
            text.push('\n');
        }
        text.push_str(&not_read(&self.unread, style));
        text
    }
}

fn lines_of<'a>(
    node: &'a Node,
    mark: &str,
    indent: &str,
    home: &str,
    lines: &mut Vec<(String, &'a Node)>,
) {
    let elsewhere = if node.namespace == home {
        String::new()
    } else {
        format!(" (namespace {})", node.namespace)
    };
    let line = format!("{indent}{mark}{} {}{elsewhere}", node.kind, node.name);
    lines.push((harmless(&line), node));
    let indent = match mark {
        "" => String::new(),
        "└─ " => format!("{indent}   "),
        _ => format!("{indent}│  "),
    };
    for (index, child) in node.children.iter().enumerate() {
        let is_last = index + 1 == node.children.len();
        lines_of(
            child,
            if is_last { "└─ " } else { "├─ " },
            &indent,
            home,
            lines,
        );
    }
}

#[cfg(test)]
mod tests;
