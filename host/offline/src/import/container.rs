//! What all kinds say of a container alike.

use serde_json::{Map, Value, json};

use super::field_reader::Fields;

pub(super) type Spec = Map<String, Value>;

/// Sets a field, if it is said.
pub(super) fn set(spec: &mut Spec, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        spec.insert(name.to_owned(), value.into());
    }
}

/// The port, unless it is that of every MCPServer.
pub(super) fn set_port(spec: &mut Spec, port: Option<Value>) {
    set(
        spec,
        "port",
        port.filter(|port| port.as_i64() != Some(8080)),
    );
}

/// The number of pods: nothing means one elsewhere, and two here.
pub(super) fn set_replicas(spec: &mut Spec, replicas: Option<Value>) {
    set(spec, "replicas", Some(replicas.unwrap_or_else(|| json!(1))));
}

/// An image's reference in its parts.
pub(super) fn image(spec: &mut Spec, reference: &str, fields: &mut Fields) {
    let (name, digest) = match reference.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (reference, None),
    };
    // A colon before the last slash is that of a port.
    let tag_at = name.rfind(':').filter(|at| !name[*at..].contains('/'));
    let (repository, tag) = match tag_at {
        Some(at) => (&name[..at], Some(&name[at + 1..])),
        None => (name, None),
    };
    if digest.is_none() && tag.is_none_or(|tag| tag == "latest") {
        fields.note(format!("the image {reference} has no tag of its own, which the plugin `validation` refuses: name a version"));
    }
    let mut image = json!({ "repository": repository });
    if let Some(tag) = tag {
        image["tag"] = tag.into();
    }
    if let Some(digest) = digest {
        image["digest"] = digest.into();
    }
    spec.insert("image".into(), image);
}

/// `env` as pods have it: what comes from a field of the pod or of the container is left out.
pub(super) fn env(spec: &mut Spec, fields: &mut Fields) {
    let Some(Value::Array(list)) = fields.take("env") else {
        return;
    };
    let mut kept = Vec::new();
    for variable in list {
        let source = &variable["valueFrom"];
        let is_known = source.is_null()
            || !source["secretKeyRef"].is_null()
            || !source["configMapKeyRef"].is_null();
        if is_known {
            kept.push(variable);
        } else {
            let name = variable["name"].as_str().unwrap_or_default();
            fields.note(format!("the variable {name} comes from the pod itself, which no MCPServer can say: it is left out"));
        }
    }
    add_env(spec, kept);
}

/// `env`, and `envFrom`, of which nothing comes.
pub(super) fn env_and_sources(spec: &mut Spec, fields: &mut Fields) {
    env(spec, fields);
    fields.leave(
        "envFrom",
        "an MCPServer names its variables one by one: env, with valueFrom",
    );
}

/// More variables.
pub(super) fn add_env(spec: &mut Spec, variables: impl IntoIterator<Item = Value>) {
    let mut variables = variables.into_iter().peekable();
    if variables.peek().is_some() {
        let list = spec.entry("env").or_insert_with(|| json!([]));
        list.as_array_mut()
            .into_iter()
            .for_each(|list| list.extend(variables.by_ref()));
    }
}

/// `resources` as pods have them.
pub(super) fn resources(spec: &mut Spec, fields: &mut Fields) {
    let mut kept = Spec::new();
    fields.inside("resources", |resources| {
        for part in ["limits", "requests"] {
            set(&mut kept, part, resources.take(part));
        }
    });
    if !kept.contains_key("limits") {
        fields.note("there are no resources.limits: the plugins say what is used, or refuse it");
    }
    if !kept.is_empty() {
        spec.insert("resources".into(), kept.into());
    }
}

/// A probe by plain HTTP or TCP with its times; nothing where it is another one. `ports`: those of the container, by their names.
pub(super) fn probe(probe: &Value, ports: &[Value], own: Option<i64>) -> Option<Spec> {
    let (http, tcp) = (&probe["httpGet"], &probe["tcpSocket"]);
    let (kind, asked) = match (http.is_null(), tcp.is_null()) {
        (false, _) => ("HTTP", http),
        (true, false) => ("TCP", tcp),
        (true, true) => return None,
    };
    let is_plain = http["scheme"]
        .as_str()
        .is_none_or(|scheme| scheme == "HTTP");
    let port = port_number(&asked["port"], ports);
    let is_once = probe["successThreshold"].as_i64().is_none_or(|it| it == 1);
    if !is_plain || !is_once || !asked["host"].is_null() || port.is_none() {
        return None;
    }
    let mut ours = Spec::new();
    ours.insert("type".into(), kind.into());
    set(&mut ours, "path", http["path"].as_str());
    set(&mut ours, "port", port.filter(|port| Some(*port) != own));
    let headers = http["httpHeaders"]
        .as_array()
        .filter(|headers| !headers.is_empty());
    set(&mut ours, "headers", headers.cloned());
    for time in [
        "initialDelaySeconds",
        "periodSeconds",
        "timeoutSeconds",
        "failureThreshold",
    ] {
        set(&mut ours, time, probe[time].as_i64());
    }
    Some(ours)
}

/// The number of a port that is named or numbered.
pub(super) fn port_number(port: &Value, ports: &[Value]) -> Option<i64> {
    port.as_i64().or_else(|| {
        let named = ports.iter().find(|named| named["name"] == *port)?;
        named["containerPort"].as_i64()
    })
}

/// User and groups of the pod, and of its container.
pub(super) fn users(spec: &mut Spec, fields: &mut Fields) {
    for name in ["podSecurityContext", "securityContext"] {
        if let Some(context) = fields.take(name) {
            user(spec, &context, fields);
        }
    }
}

/// User and groups: all else about a pod's security an MCPServer has by itself.
fn user(spec: &mut Spec, context: &Value, fields: &mut Fields) {
    let context = context.as_object().into_iter().flatten();
    let mut kept = Spec::new();
    for (name, value) in context {
        match name.as_str() {
            "runAsUser" | "runAsGroup" | "fsGroup" => {
                drop(kept.insert(name.clone(), value.clone()));
            }
            // These are so, whatever is said.
            "runAsNonRoot"
            | "readOnlyRootFilesystem"
            | "allowPrivilegeEscalation"
            | "seccompProfile" => {}
            "capabilities" if value["add"].as_array().is_none_or(Vec::is_empty) => {}
            other => fields.note(format!(
                "the security context's {other} is left out: an MCPServer runs restricted"
            )),
        }
    }
    if !kept.is_empty() {
        let context = spec.entry("securityContext").or_insert_with(|| json!({}));
        context
            .as_object_mut()
            .into_iter()
            .for_each(|context| context.append(&mut kept));
    }
}

/// Who may call a server is not the server's own business here.
pub(super) const WAY_IN: &str = "LiteLLM is the way in: keys, teams and groups of LiteLLM say who may call it (litellm.allowedUserGroups)";
/// A server of standard input cannot be called by LiteLLM in a cluster.
pub(super) const STDIO: &str = "the transport stdio is not offered: a server of an MCPServer serves HTTP. Many servers can (look for an option of theirs); a bridge such as mcp-proxy in the image does for the others";
