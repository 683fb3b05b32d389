//! How the objects that there are become those of the MCPServer: who may write them says so to the cluster.

use mcp_operator_api::names::annotations::ADOPT;
use mcp_operator_api::names::labels;
use mcp_operator_core::adoption;
use mcp_operator_core::build::child_name;
use mcp_operator_core::manifest::ManagedKind;
use serde_json::Value;
use strum::IntoEnumIterator;

use super::super::Imported;
use super::related::Related;

/// The commands for it, and what is not adopted.
pub(super) fn advice(imported: &Imported, deployment: &Value, related: &Related) -> Vec<String> {
    let namespace = imported.namespace.as_deref().unwrap_or("default");
    let (mut offered, mut lines) = (Vec::new(), Vec::new());
    for object in [deployment].into_iter().chain(related.all()) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        let Some(managed) = ManagedKind::iter().find(|managed| managed.name() == kind) else {
            continue;
        };
        let elsewhere = object["metadata"]["namespace"] != deployment["metadata"]["namespace"];
        let refusal = adoption::refusal(managed, object, &imported.name);
        let why = if elsewhere {
            Some("it is in another namespace, where nothing can have an MCPServer as its owner: delete it when the MCPServer serves".to_owned())
        } else {
            refusal
        };
        match why {
            Some(why) => lines.push(format!("{kind} {name} is not adopted: {why}.")),
            None => offered.push(format!("{}/{name}", kind.to_lowercase())),
        }
    }
    let own = format!("deployment/{}", child_name(&imported.name));
    if !offered.contains(&own) {
        lines.push("Nothing is adopted: the MCPServer gets pods of its own beside these, which go when nobody calls them any more.".into());
        return lines;
    }
    let objects = offered.join(" ");
    lines.push("To have these objects adopted, with the pods that run, whoever may write them offers them, and applies the MCPServer:".into());
    lines.push(format!(
        "  kubectl annotate --namespace {namespace} {objects} {ADOPT}={}",
        imported.name
    ));
    lines.push(format!(
        "  kubectl label --namespace {namespace} --overwrite {objects} {}={} {}={} {}={} {}={}",
        labels::MANAGED_BY,
        labels::MANAGED_BY_VALUE,
        labels::SERVER,
        imported.name,
        labels::NAME,
        child_name(&imported.name),
        labels::INSTANCE,
        imported.name,
    ));
    lines.push("Nobody may apply the old manifests any more.".into());
    lines
}
