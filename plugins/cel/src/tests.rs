//! Rules as platform teams write them, natively.

mod hostile;
mod language;
mod rules;
mod settings;

use mcp_plugin_sdk::testing;
use mcp_plugin_sdk::{Finding, Request, Severity};
use serde_json::{Value, json};

use crate::policy;
use crate::settings::Settings;

/// A server with what rules are usually about.
fn server() -> Value {
    json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1",
        "kind": "MCPServer",
        "metadata": {
            "name": "weather", "namespace": "tools",
            "labels": { "team": "payments", "app.kubernetes.io/part-of": "shop" },
            "managedFields": [{ "manager": "kubectl" }],
        },
        "spec": {
            "image": { "repository": "ghcr.io/acme/weather", "tag": "1.2.3", "digest": null },
            "replicas": 2,
            "secrets": [{ "name": "a", "awsSecretKey": "tools/a" }, { "name": "b", "awsSecretKey": "tools/b" }],
            "resources": { "limits": { "cpu": "500m", "memory": "256Mi" } },
            "networkPolicy": { "egress": [{ "cidr": "10.1.0.0/16" }] },
            "config": { "ratio": 1.5, "nothing": null },
        },
    })
}

/// A request to create it in a namespace of production.
fn request(object: &Value) -> Request {
    let namespace = json!({ "name": "tools", "labels": { "env": "prod" }, "annotations": {} });
    let rendered = json!([
        { "kind": "Service", "metadata": { "name": "mcp-weather" } },
        { "kind": "Deployment", "metadata": { "name": "mcp-weather" }, "spec": { "replicas": 2 } },
    ]);
    let mut request = testing::request_about(
        object,
        None,
        &[("namespace", namespace), ("rendered", rendered)],
    );
    request.username = Some("jane".into());
    request.groups = vec!["developers".into()];
    request.user_uid = "7".into();
    let scopes = vec!["a".into(), "b".into()];
    request.user_extra = [("example.com/scopes".into(), scopes)].into();
    request
}

fn judge(settings: Value, request: &Request) -> Vec<Finding> {
    policy::judge(&testing::settings::<Settings>(settings), request)
}

/// The messages of what refuses.
fn refusals(settings: Value, request: &Request) -> Vec<String> {
    let findings = judge(settings, request).into_iter();
    findings
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.message)
        .collect()
}

/// What one expression says about the server above: `true`, `false`, or why it cannot be evaluated.
fn said(expression: &str) -> String {
    let settings = json!({ "validations": [{ "expression": expression, "message": "false" }] });
    let refused = refusals(settings, &request(&server()));
    let Some(message) = refused.into_iter().next() else {
        return "true".into();
    };
    let prefix = "the rule validation-0 cannot be evaluated: ";
    let reason = message
        .strip_prefix(prefix)
        .map(|rest| rest.split(", in `").next());
    reason.flatten().map_or(message.clone(), str::to_owned)
}
