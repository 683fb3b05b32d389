//! home-operations' LiteLLM operator (litellm.home-operations.com): LiteLLMMCPServer.

use serde_json::{Value, json};

use super::container::{
    STDIO, Spec, env_and_sources, image, resources, set, set_port, set_replicas, users,
};
use super::field_reader::Fields;
use super::litellm::{gateway, remote};

pub(super) fn server(fields: &mut Fields) -> Option<Spec> {
    fields.take("alias");
    fields.take("proxyRef");
    let transport = fields.text("transport");
    if transport.as_deref() == Some("stdio") {
        fields.refuse(STDIO);
        return None;
    }
    let mut spec = Spec::new();
    set(&mut spec, "transport", transport.filter(|it| it == "sse"));
    if let Some(url) = fields.text("url") {
        remote(&mut spec, &url, fields);
    } else {
        fields.inside("workload", |workload| of_workload(&mut spec, workload))?;
    }
    // What it passes on is in LiteLLM's own words, and so are these two.
    let words = fields.take("params").filter(Value::is_object);
    let mut words = words.unwrap_or_else(|| json!({}));
    if let Some(kind) = fields.take("authType") {
        words["auth_type"] = kind;
    }
    if fields.take("authTokenRef").is_some() {
        words["auth_value"] = json!(true);
    }
    let mut words = Fields::of(&words, "spec.params");
    gateway(&mut spec, &mut words);
    words
        .into_notes()
        .into_iter()
        .for_each(|note| fields.note(note));
    Some(spec)
}

fn of_workload(spec: &mut Spec, workload: &mut Fields) -> Option<()> {
    image(spec, &workload.text("image")?, workload);
    set_replicas(spec, workload.take("replicas"));
    for name in ["command", "args", "nodeSelector", "tolerations"] {
        set(spec, name, workload.take(name));
    }
    set_port(spec, workload.take("port"));
    // Nothing means this there, whatever the transport is.
    let path = workload.text("path").unwrap_or_else(|| "/mcp".into());
    let is_sse = spec.get("transport").is_some_and(|it| it == "sse");
    let ours = if is_sse { "/sse" } else { "/mcp" };
    set(spec, "path", Some(path).filter(|path| path != ours));
    env_and_sources(spec, workload);
    resources(spec, workload);
    let account = workload.take("serviceAccountName");
    let has_account = account.is_some();
    set(spec, "serviceAccountName", account);
    // Kubernetes mounts a token unless somebody says no; here it is the other way round.
    let token = workload.flag("automountServiceAccountToken");
    if has_account && token != Some(false) {
        spec.insert("automountServiceAccountToken".into(), true.into());
    }
    users(spec, workload);
    workload.leave(
        "affinity",
        "an MCPServer spreads its pods itself (affinity), and nodeSelector chooses nodes",
    );
    for name in ["volumes", "volumeMounts"] {
        workload.leave(name, "emptyDirs are for scratch, `config` for files of a configuration; other volumes are not mounted");
    }
    Some(())
}
