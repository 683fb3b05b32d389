//! ToolHive (toolhive.stacklok.dev): MCPServer and MCPRemoteProxy.

use serde_json::{Value, json};

use super::container::{STDIO, Spec, WAY_IN, add_env, env, image, resources, set, set_port};
use super::field_reader::Fields;
use super::litellm::remote as remote_url;

/// A server that runs in the cluster.
pub(super) fn server(fields: &mut Fields) -> Option<Spec> {
    let transport = fields.text("transport").unwrap_or_else(|| "stdio".into());
    let reference = fields.text("image");
    if transport == "stdio" {
        fields.refuse(STDIO);
        return None;
    }
    let mut spec = Spec::new();
    image(&mut spec, &reference?, fields);
    set(
        &mut spec,
        "transport",
        (transport == "sse").then_some("sse"),
    );
    let ports = ["mcpPort", "targetPort", "proxyPort", "port"].map(|name| fields.take(name));
    let port = ports.into_iter().flatten().next();
    set_port(&mut spec, port);
    set(&mut spec, "args", fields.take("args"));
    env(&mut spec, fields);
    secrets(&mut spec, fields);
    resources(&mut spec, fields);
    set(
        &mut spec,
        "serviceAccountName",
        fields.take("serviceAccount"),
    );
    proxy(&mut spec, fields);
    set(&mut spec, "replicas", fields.take("backendReplicas"));
    fields.leave(
        "replicas",
        "these are of ToolHive's proxy, which there is not any more",
    );
    fields.leave(
        "volumes",
        "folders of the node are in no MCPServer; emptyDirs are for scratch",
    );
    fields.leave(
        "permissionProfile",
        "networkPolicy says what a server may reach",
    );
    fields.leave("podTemplateSpec", "an MCPServer has fields in the place of a pod template: nodeSelector, tolerations, securityContext, imagePullSecrets");
    Some(spec)
}

/// One that runs elsewhere.
pub(super) fn remote(fields: &mut Fields) -> Option<Spec> {
    let mut spec = Spec::new();
    remote_url(&mut spec, &fields.text("remoteUrl")?, fields);
    let transport = fields.text("transport");
    set(&mut spec, "transport", transport.filter(|it| it == "sse"));
    proxy(&mut spec, fields);
    // A remote server has no Service whose sessions could stay with a pod.
    spec.remove("sessions");
    fields.leave("headerForward", "LiteLLM adds the credential: litellm.auth");
    for name in ["proxyPort", "port"] {
        fields.take(name);
    }
    for name in ["replicas", "resources", "serviceAccount"] {
        fields.leave(
            name,
            "this is of ToolHive's proxy, which there is not any more",
        );
    }
    Some(spec)
}

/// What is about ToolHive's proxy in front of a server.
fn proxy(spec: &mut Spec, fields: &mut Fields) {
    let affinity = fields.text("sessionAffinity");
    set(spec, "sessions", affinity.filter(|it| it == "None"));
    fields.take("proxyMode");
    for name in [
        "oidcConfig",
        "oidcConfigRef",
        "authzConfig",
        "authzConfigRef",
        "authServerRef",
    ] {
        fields.leave(name, WAY_IN);
    }
    for name in ["toolConfigRef", "toolsFilter"] {
        fields.leave(
            name,
            "litellm.allowedTools names the tools that are offered; they cannot be renamed",
        );
    }
    fields.leave(
        "externalAuthConfigRef",
        "LiteLLM has the credential: litellm.auth says of which kind",
    );
    fields.leave(
        "groupRef",
        "litellm.allowedUserGroups names groups of LiteLLM",
    );
    fields.leave(
        "rateLimiting",
        "litellm.limits has requestsPerMinute of all callers together",
    );
    for name in ["telemetry", "telemetryConfigRef"] {
        fields.leave(name, "observability has metrics and tracing");
    }
}

/// Secrets that exist become variables.
fn secrets(spec: &mut Spec, fields: &mut Fields) {
    let Some(Value::Array(secrets)) = fields.take("secrets") else {
        return;
    };
    let variables = secrets.iter().map(|secret| {
        let key = &secret["key"];
        let name = secret["targetEnvName"].as_str().or(key.as_str()).unwrap_or_default();
        json!({ "name": name, "valueFrom": { "secretKeyRef": { "name": secret["name"], "key": key } } })
    });
    add_env(spec, variables);
}
