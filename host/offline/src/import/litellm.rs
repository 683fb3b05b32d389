//! LiteLLM's own `mcp_servers`: names, with what LiteLLM is told of each.

use serde_json::{Map, Value, json};

use super::Imported;
use super::container::{STDIO, Spec, set};
use super::field_reader::Fields;
use crate::documents;

/// Those of a ConfigMap with LiteLLM's configuration.
pub(super) fn config_map(object: &Value) -> Option<Vec<Imported>> {
    let texts = object["data"]
        .as_object()?
        .values()
        .filter_map(Value::as_str);
    let parsed = texts
        .filter_map(|text| documents::values(text).ok())
        .flatten();
    let found: Vec<Imported> = parsed
        .filter_map(|value| value["mcp_servers"].as_object().map(servers))
        .flatten()
        .collect();
    (!found.is_empty()).then_some(found)
}

/// By their names.
pub(super) fn servers(servers: &Map<String, Value>) -> Vec<Imported> {
    servers
        .iter()
        .map(|(name, entry)| {
            let mut fields = Fields::of(entry, "");
            let spec = server(&mut fields);
            let mut imported = Imported {
                origin: format!("mcp_servers.{name}"),
                name: String::new(),
                namespace: None,
                labels: Map::new(),
                spec,
                notes: fields.into_notes(),
                advice: Vec::new(),
            };
            imported.rename(name);
            imported
        })
        .collect()
}

fn server(fields: &mut Fields) -> Option<Spec> {
    let transport = fields.text("transport");
    if transport.as_deref() == Some("stdio") {
        fields.refuse(STDIO);
        return None;
    }
    let mut spec = Spec::new();
    let Some(url) = fields.text("url") else {
        fields.note("there is no url");
        return None;
    };
    remote(&mut spec, &url, fields);
    set(&mut spec, "transport", transport.filter(|it| it == "sse"));
    gateway(&mut spec, fields);
    // Without words of its own, a name of LiteLLM is that of the server.
    for name in ["server_id", "alias"] {
        fields.leave(
            name,
            "the operator says under which name and id LiteLLM knows a server (deploy/LITELLM.md)",
        );
    }
    Some(spec)
}

/// A server that runs elsewhere.
pub(super) fn remote(spec: &mut Spec, url: &str, fields: &mut Fields) {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['/', ':', '?']).next().unwrap_or(host);
    if host.split('.').any(|part| part == "svc") || !host.contains('.') {
        fields.note(format!("{url} is of this cluster, and refused as remote unless the platform allows it (deploy/TEAMS.md): give `image` in its place, and the operator runs it"));
    }
    spec.insert("type".into(), "external-saas".into());
    spec.insert("remote".into(), json!({ "url": url }));
}

/// How LiteLLM calls it, and who may. Also for other kinds that pass LiteLLM's own words on.
pub(super) fn gateway(spec: &mut Spec, fields: &mut Fields) {
    let mut litellm = Spec::new();
    let groups = fields
        .take("access_groups")
        .or_else(|| fields.take("mcp_access_groups"));
    set(&mut litellm, "allowedUserGroups", groups);
    set(&mut litellm, "allowedTools", fields.take("allowed_tools"));
    fields.leave(
        "disallowed_tools",
        "an MCPServer names the tools that are allowed: litellm.allowedTools",
    );
    set(&mut litellm, "description", fields.take("description"));
    set(&mut litellm, "instructions", fields.take("instructions"));
    let protocol = fields.take("protocol_version");
    fields.take("oauth2_flow");
    let inner = fields.inside("mcp_info", |info| {
        info.take("server_name");
        let description = info.take("description");
        (description, info.take("protocol_version"))
    });
    if !litellm.contains_key("description") {
        set(&mut litellm, "description", inner.0);
    }
    set(&mut litellm, "protocolVersion", protocol.or(inner.1));
    if let Some(Value::Object(tools)) = fields.take("allowed_params") {
        let tools = tools
            .into_iter()
            .map(|(tool, parameters)| json!({ "tool": tool, "parameters": parameters }));
        litellm.insert("allowedParameters".into(), tools.collect());
    }
    let mut limits = Spec::new();
    set(&mut limits, "requestsPerMinute", fields.take("rpm"));
    set(
        &mut limits,
        "maxConcurrentRequests",
        fields.take("max_concurrent_requests"),
    );
    let timeout = fields.take("timeout").and_then(|it| it.as_f64());
    #[expect(
        clippy::cast_possible_truncation,
        reason = "seconds of a timeout, which have a small end"
    )]
    set(
        &mut limits,
        "timeoutSeconds",
        timeout.map(|seconds| seconds.ceil() as i64),
    );
    if !limits.is_empty() {
        litellm.insert("limits".into(), limits.into());
    }
    auth(&mut litellm, fields);
    if !litellm.is_empty() {
        spec.insert("litellm".into(), litellm.into());
    }
}

/// Credentials stay with LiteLLM: a manifest says of which kind they are.
fn auth(litellm: &mut Spec, fields: &mut Fields) {
    let kind = fields.text("auth_type");
    let values: Vec<bool> = [
        "auth_value",
        "authentication_token",
        "client_id",
        "client_secret",
    ]
    .iter()
    .map(|name| fields.take(name).is_some())
    .collect();
    let has_value = values.contains(&true);
    let kind = match kind.as_deref() {
        Some("bearer_token") => "bearerToken",
        Some("api_key") => "apiKey",
        Some("basic") => "basic",
        Some("token") => "token",
        Some("authorization") => "authorization",
        Some("oauth2") if has_value => "oauth2ClientCredentials",
        Some("none") | None => return,
        Some(other) => {
            fields.note(format!("auth_type {other}: an MCPServer cannot say so, and LiteLLM would call it without a credential"));
            return;
        }
    };
    let mut auth = json!({ "type": kind });
    if kind == "oauth2ClientCredentials" {
        let Some(url) = fields.text("token_url") else {
            fields.note("auth_type oauth2 without token_url: an MCPServer needs it, and has no credential now");
            return;
        };
        auth["tokenUrl"] = url.into();
        if let Some(scopes) = fields.take("scopes") {
            auth["scopes"] = scopes;
        }
        fields.note("the client's id and secret are not carried over: LiteLLM reads them from its environment variables MCP_CLIENT_ID_... and MCP_CLIENT_SECRET_... (deploy/LITELLM.md)");
    } else {
        fields.note("the credential is not carried over: LiteLLM reads it from its environment variable MCP_TOKEN_... (deploy/LITELLM.md)");
    }
    litellm.insert("auth".into(), auth);
}
