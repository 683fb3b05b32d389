//! kubernetes-sigs/mcp-lifecycle-operator (mcp.x-k8s.io): MCPServer.

use serde_json::{Value, json};

use super::container::{
    Spec, env_and_sources, image, probe, resources, set, set_port, set_replicas, users,
};
use super::field_reader::Fields;

pub(super) fn server(fields: &mut Fields) -> Option<Spec> {
    let reference = fields.inside("source", |source| {
        source.take("type");
        source.inside("containerImage", |image| image.text("ref"))
    })?;
    let mut spec = Spec::new();
    image(&mut spec, &reference, fields);
    fields.inside("config", |config| {
        set_port(&mut spec, config.take("port"));
        set(
            &mut spec,
            "path",
            config.text("path").filter(|path| path != "/mcp"),
        );
        set(&mut spec, "args", config.take("arguments"));
        env_and_sources(&mut spec, config);
        storage(&mut spec, config);
    });
    fields.inside("runtime", |runtime| {
        set_replicas(&mut spec, runtime.take("replicas"));
        resources(&mut spec, runtime);
        runtime.inside("security", |security| {
            set(
                &mut spec,
                "serviceAccountName",
                security.take("serviceAccountName"),
            );
            users(&mut spec, security);
        });
        runtime.inside("health", |health| probes(&mut spec, health));
    });
    let is_stateless = fields.inside("mcp", |mcp| mcp.take("stateless").is_some());
    set(&mut spec, "sessions", is_stateless.then_some("None"));
    fields.leave(
        "network",
        "networkPolicy says it in other words: its selectors have to be written anew",
    );
    fields.leave(
        "transport",
        "TLS between the operator and the server is not needed: the operator does not call it",
    );
    fields.leave(
        "extraLabels",
        "labels of the MCPServer reach its objects with --propagate-labels",
    );
    fields.leave(
        "extraAnnotations",
        "annotations of the MCPServer do not reach its objects",
    );
    fields.leave("gateway", "the server is registered with LiteLLM");
    Some(spec)
}

/// Scratch is carried over; what is mounted of ConfigMaps and Secrets is not.
fn storage(spec: &mut Spec, config: &mut Fields) {
    let Some(Value::Array(mounts)) = config.take("storage") else {
        return;
    };
    let mut scratch = Vec::new();
    for mount in mounts {
        let path = mount["path"].as_str().unwrap_or_default();
        if mount["source"]["type"] == "EmptyDir" {
            let mut folder = json!({ "mountPath": path });
            if let Some(limit) = mount["source"]["emptyDir"]["sizeLimit"].as_str() {
                folder["sizeLimit"] = limit.into();
            }
            scratch.push(folder);
        } else {
            config.note(format!("spec.config.storage {path}: files of ConfigMaps and Secrets are not mounted; `config` becomes /etc/mcp/config.yaml, and env reads single keys"));
        }
    }
    set(spec, "emptyDirs", (!scratch.is_empty()).then_some(scratch));
}

/// Probes by HTTP and TCP, with their times.
fn probes(spec: &mut Spec, health: &mut Fields) {
    let mut kept = Spec::new();
    for (theirs, ours) in [
        ("livenessProbe", "liveness"),
        ("readinessProbe", "readiness"),
    ] {
        let Some(said) = health.take(theirs) else {
            continue;
        };
        let Some(ours_is) = probe(&said, &[], None) else {
            health.note(format!(
                "spec.runtime.health.{theirs}: only probes by HTTP and TCP are carried over"
            ));
            continue;
        };
        kept.insert(ours.into(), ours_is.into());
    }
    if !kept.is_empty() {
        spec.insert("observability".into(), json!({ "healthProbes": kept }));
    }
}
