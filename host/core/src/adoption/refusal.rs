//! What cannot be adopted without taking something away from the pods that run, or from those who call them.

use serde_json::Value;

use crate::build::child_name;
use crate::manifest::ManagedKind;

/// Why an object that is offered is left as it is; nothing if it is taken.
pub fn refusal(kind: ManagedKind, object: &Value, server: &str) -> Option<String> {
    let (name, child) = (
        object["metadata"]["name"].as_str().unwrap_or_default(),
        child_name(server),
    );
    let is_of_server = name == child
        || name
            .strip_prefix(&child)
            .is_some_and(|rest| rest.starts_with('-'));
    if !is_of_server {
        return Some(format!(
            "its name is neither {child} nor begins with {child}-, so it is not in the way: delete it when the MCPServer serves"
        ));
    }
    match kind {
        ManagedKind::Deployment => of_deployment(&object["spec"]),
        ManagedKind::Service => of_service(&object["spec"]),
        ManagedKind::ExternalSecret => of_external_secret(&object["spec"], name),
        _ => None,
    }
    .map(str::to_owned)
}

fn of_deployment(spec: &Value) -> Option<&'static str> {
    let selector = &spec["selector"];
    let has_labels = selector["matchLabels"]
        .as_object()
        .is_some_and(|labels| !labels.is_empty());
    let expressions = selector["matchExpressions"].as_array();
    if !has_labels || expressions.is_some_and(|expressions| !expressions.is_empty()) {
        return Some(
            "its selector is not made of labels alone (matchLabels), and a selector cannot change: delete the Deployment to let the operator make its own",
        );
    }
    (spec["paused"] == true).then_some("it is paused: kubectl rollout resume")
}

fn of_service(spec: &Value) -> Option<&'static str> {
    if spec["type"]
        .as_str()
        .is_some_and(|kind| kind != "ClusterIP")
    {
        return Some(
            "it is reached from outside of the cluster, or is a name of something outside, and the Service of an MCPServer is of type ClusterIP",
        );
    }
    (spec["clusterIP"] == "None").then_some(
        "it is headless, which cannot change: delete the Service to let the operator make its own",
    )
}

fn of_external_secret(spec: &Value, name: &str) -> Option<&'static str> {
    let target = &spec["target"];
    if target["name"].as_str().is_some_and(|target| target != name) {
        return Some(
            "its Secret has another name than itself, and would go with it while pods read it: delete the ExternalSecret when they do not",
        );
    }
    let says = |value: &Value| !value.is_null() && *value != Value::Array(Vec::new());
    let template = &target["template"];
    [&spec["dataFrom"], &template["data"], &template["templateFrom"]]
        .into_iter()
        .any(says)
        .then_some("it makes keys by dataFrom or a template, which no MCPServer says, and pods would miss them: name the keys one by one first")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn why(kind: ManagedKind, name: &str, spec: &Value) -> Option<String> {
        let object = json!({ "metadata": { "name": name }, "spec": spec });
        refusal(kind, &object, "github")
    }

    #[test]
    fn what_hand_made_manifests_usually_say_is_taken() {
        use ManagedKind::{ConfigMap, Deployment, ExternalSecret, Service, ServiceAccount};
        for (kind, name, spec) in [
            (
                Deployment,
                "mcp-github",
                json!({ "selector": { "matchLabels": { "app": "a" } } }),
            ),
            (
                Service,
                "mcp-github",
                json!({ "type": "ClusterIP", "clusterIP": "10.0.0.7" }),
            ),
            (
                ExternalSecret,
                "mcp-github-secrets",
                json!({ "data": [{}], "target": { "name": "mcp-github-secrets" } }),
            ),
            (ConfigMap, "mcp-github-config", json!(null)),
            (ServiceAccount, "mcp-github", json!(null)),
        ] {
            assert_eq!(why(kind, name, &spec), None, "{kind:?}");
        }
    }

    #[test]
    fn what_pods_or_callers_would_miss_is_refused() {
        use ManagedKind::{ConfigMap, Deployment, ExternalSecret, Service};
        let labels = json!({ "app": "a" });
        for (kind, name, spec, part) in [
            (
                Deployment,
                "mcp-github",
                json!({ "selector": { "matchLabels": labels, "matchExpressions": [{}] } }),
                "selector",
            ),
            (
                Deployment,
                "mcp-github",
                json!({ "selector": {} }),
                "selector",
            ),
            (
                Deployment,
                "mcp-github",
                json!({ "selector": { "matchLabels": labels }, "paused": true }),
                "paused",
            ),
            (
                Service,
                "mcp-github",
                json!({ "type": "LoadBalancer" }),
                "ClusterIP",
            ),
            (
                Service,
                "mcp-github",
                json!({ "clusterIP": "None" }),
                "headless",
            ),
            (
                ExternalSecret,
                "mcp-github-secrets",
                json!({ "target": { "name": "token" } }),
                "another name",
            ),
            (
                ExternalSecret,
                "mcp-github-secrets",
                json!({ "dataFrom": [{}] }),
                "dataFrom",
            ),
            (ConfigMap, "github-config", json!(null), "mcp-github"),
            (ConfigMap, "mcp-githubs", json!(null), "mcp-github"),
        ] {
            let why = why(kind, name, &spec).unwrap();
            assert!(why.contains(part), "{why}");
        }
    }
}
