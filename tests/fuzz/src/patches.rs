//! The patches of a plugin that was taken over, on objects as they are built.

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use mcp_operator_api::v1alpha1::{McpServer, PluginGrants};
use mcp_operator_core::build;
use mcp_operator_core::patch::{MAX_DEPTH, ObjectPatch, apply};
use mcp_operator_core::validated_server::ValidatedServer;
use mcp_operator_policy::fuzzing as policy;
use mcp_plugin_host::contract::{Patch, PatchOperation, PathValue};
use serde_json::{Value, json};

/// What paths are made of, besides whatever the fuzzer writes.
const NAMES: [&str; 58] = [
    "metadata",
    "name",
    "namespace",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "uid",
    "kind",
    "apiVersion",
    "spec",
    "status",
    "template",
    "containers",
    "initContainers",
    "0",
    "1",
    "-",
    "image",
    "command",
    "args",
    "env",
    "envFrom",
    "securityContext",
    "privileged",
    "allowPrivilegeEscalation",
    "capabilities",
    "add",
    "drop",
    "runAsUser",
    "runAsNonRoot",
    "readOnlyRootFilesystem",
    "procMount",
    "volumes",
    "volumeMounts",
    "hostPath",
    "hostNetwork",
    "hostPID",
    "serviceAccountName",
    "automountServiceAccountToken",
    "replicas",
    "selector",
    "matchLabels",
    "strategy",
    "resources",
    "limits",
    "cpu",
    "livenessProbe",
    "exec",
    "httpGet",
    "host",
    "type",
    "externalName",
    "ports",
    "nodeName",
    "ingress",
    "tolerations",
    "a~1b~0",
];
const VALUES: [&str; 16] = [
    "true",
    "false",
    "null",
    "0",
    "1",
    "\"\"",
    "\"Always\"",
    "{}",
    "[]",
    "[{}]",
    r#"{"privileged":true}"#,
    r#"[{"name":"x","image":"evil"}]"#,
    r#"{"name":"x","hostPath":{"path":"/"}}"#,
    r#"{"add":["SYS_ADMIN"]}"#,
    r#"{"limits":{"cpu":"1"}}"#,
    r#"{"httpGet":{"host":"evil","port":1}}"#,
];
const SERVER: &str = r#"{"apiVersion":"mcp.litellm.ai/v1alpha1","kind":"MCPServer","metadata":{"name":"weather","namespace":"tools","uid":"1"},
"spec":{"image":{"repository":"acme/weather","tag":"1.0.0"},"resources":{"limits":{"cpu":"1","memory":"1Gi"}},"config":{"greeting":"hello"},
"secrets":[{"name":"TOKEN","awsSecretKey":"a/b"}],"replicas":2}}"#;

/// An MCPServer, and everything that it becomes.
static OBJECTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let server: Option<McpServer> = serde_json::from_str(SERVER).ok();
    let parsed = server.and_then(|server| ValidatedServer::parse(&server).ok());
    let built = parsed.and_then(|server| build::objects(&server, &build::Settings::default()).ok());
    let mut objects: Vec<Value> = serde_json::from_str(SERVER).into_iter().collect();
    objects.extend(built.iter().flat_map(|built| built.values().cloned()));
    objects
});

pub(crate) fn run(data: &[u8]) {
    assert!(
        OBJECTS.len() > 5,
        "the sample becomes objects: {}",
        OBJECTS.len()
    );
    if let Ok(said) = patches(&mut Unstructured::new(data)) {
        check(said);
    }
}

fn patches(input: &mut Unstructured<'_>) -> Result<Vec<Patch>> {
    let mut said = Vec::new();
    loop {
        let mut operations = Vec::new();
        loop {
            operations.push(operation(input)?);
            if operations.len() == 8 || input.ratio(1, 2)? {
                break;
            }
        }
        said.push(Patch {
            object: input.int_in_range(0..=u32::try_from(OBJECTS.len()).unwrap_or_default())?,
            code: input.arbitrary()?,
            operations,
        });
        if said.len() == 4 || input.ratio(1, 2)? {
            return Ok(said);
        }
    }
}

fn operation(input: &mut Unstructured<'_>) -> Result<PatchOperation> {
    let path = path(input)?;
    Ok(match input.int_in_range(0..=2_u8)? {
        0 => PatchOperation::Remove(path),
        1 => PatchOperation::Replace(PathValue {
            path,
            value: value(input)?,
        }),
        _ => PatchOperation::Add(PathValue {
            path,
            value: value(input)?,
        }),
    })
}

fn path(input: &mut Unstructured<'_>) -> Result<String> {
    let below = *input.choose(&[
        "",
        "/spec",
        "/spec/template/spec",
        "/spec/template/spec/containers/0",
        "/metadata",
    ])?;
    let mut path = below.to_owned();
    while path.len() < 400 && input.ratio(2, 3)? {
        path.push('/');
        if input.ratio(1, 8)? {
            path.push_str(input.arbitrary()?);
        } else {
            path.push_str(input.choose(&NAMES)?);
        }
    }
    Ok(path)
}

fn value(input: &mut Unstructured<'_>) -> Result<String> {
    let value = if input.ratio(1, 8)? {
        input.arbitrary::<&str>()?
    } else {
        *input.choose(&VALUES)?
    };
    // JSON is read 127 levels deep, and one value can be put into another.
    let levels = if input.ratio(1, 16)? { 120 } else { 0 };
    Ok(format!(
        "{}{value}{}",
        "[".repeat(levels),
        "]".repeat(levels)
    ))
}

fn check(said: Vec<Patch>) {
    let Ok(patches) = policy::patches(said) else {
        return;
    };
    let grants = PluginGrants::default();
    let result = match apply(&OBJECTS, &patches, &grants) {
        Ok(result) => result,
        Err(error) => {
            let error = error.to_string();
            return assert!(!error.is_empty() && error.len() < 16 << 10, "{error}");
        }
    };
    for (before, after) in OBJECTS.iter().zip(&result) {
        assert_harmless(before, after);
    }
    assert_the_difference_does_the_same(&result);
    let one_by_one = patches.iter().try_fold(OBJECTS.clone(), |objects, patch| {
        apply(
            &objects,
            std::slice::from_ref::<ObjectPatch>(patch),
            &grants,
        )
    });
    if let Ok(one_by_one) = one_by_one {
        assert_eq!(one_by_one, result, "all at once is one after the other");
    }
}

/// Written as a patch, as admission does it, and applied, the result is the same; and a second time there is nothing to do.
fn assert_the_difference_does_the_same(result: &[Value]) {
    for (before, after) in OBJECTS.iter().zip(result) {
        let patch = json_patch::diff(before, after);
        let text = json!(patch).to_string();
        let mut object = before.clone();
        let patch = serde_json::from_str(&text).unwrap_or(json_patch::Patch(Vec::new()));
        let applied = json_patch::patch(&mut object, &patch);
        assert!(applied.is_ok(), "{applied:?}: {text}");
        assert_eq!(object, *after, "by {text}");
        assert!(json_patch::diff(&object, after).0.is_empty());
    }
}

/// What no plugin without grants may bring about, said once more, by the results alone.
fn assert_harmless(before: &Value, after: &Value) {
    assert!(depth(after) <= MAX_DEPTH);
    let (before, after) = (&as_kubernetes_reads(before), &as_kubernetes_reads(after));
    for path in [
        "/kind",
        "/apiVersion",
        "/metadata",
        "/status",
        "/data",
        "/imagePullSecrets",
        "/spec/replicas",
        "/spec/selector",
        "/spec/image",
        "/spec/ports",
        "/spec/type",
        "/spec/externalName",
        "/spec/template/metadata",
        "/spec/template/spec/initContainers",
        "/spec/template/spec/ephemeralContainers",
        "/spec/template/spec/serviceAccountName",
        "/spec/template/spec/hostNetwork",
        "/spec/template/spec/hostPID",
        "/spec/template/spec/hostIPC",
        "/spec/template/spec/nodeName",
        "/spec/template/spec/imagePullSecrets",
        "/spec/template/spec/shareProcessNamespace",
    ] {
        assert_eq!(before.pointer(path), after.pointer(path), "{path} changed");
    }
    let kind = after["kind"].as_str().unwrap_or_default();
    if matches!(
        kind,
        "NetworkPolicy" | "ConfigMap" | "ServiceMonitor" | "MCPServer"
    ) {
        assert_eq!(before, after, "no plugin without grants changes a {kind}");
    }
    let pod = |object: &Value| object["spec"]["template"]["spec"].clone();
    let containers = |object: &Value| {
        pod(object)["containers"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let (old, new) = (containers(before), containers(after));
    assert_eq!(old.len(), new.len(), "no container comes or goes");
    for (old, new) in old.iter().zip(&new) {
        for name in [
            "name",
            "image",
            "command",
            "args",
            "env",
            "envFrom",
            "ports",
            "lifecycle",
            "workingDir",
            "tty",
            "stdin",
        ] {
            assert_eq!(
                old.get(name),
                new.get(name),
                "{name} of a container changed"
            );
        }
        let context = &new["securityContext"];
        assert!(context["privileged"] != true && context["allowPrivilegeEscalation"] != true);
        let unmasked = context["procMount"]
            .as_str()
            .is_some_and(|mount| mount != "Default");
        assert!(!unmasked, "{context}");
        let added = &context["capabilities"]["add"];
        assert!(added.as_array().is_none_or(Vec::is_empty), "{added}");
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            let is_new = |name: &str| new[probe].pointer(name) != old[probe].pointer(name);
            assert!(!is_new("/exec") && !is_new("/httpGet/host") && !is_new("/tcpSocket/host"));
        }
    }
    for volume in pod(after)["volumes"].as_array().into_iter().flatten() {
        let known = pod(before)["volumes"]
            .as_array()
            .is_some_and(|old| old.contains(volume));
        let is_scratch =
            volume.get("emptyDir").is_some() && volume.as_object().is_some_and(|it| it.len() == 2);
        assert!(known || is_scratch, "{volume}");
    }
}

/// Without what is nothing to Kubernetes: what is null, and labels and annotations of which there are none.
fn as_kubernetes_reads(value: &Value) -> Value {
    let is_nothing = |name: &str, value: &Value| {
        let are_none = value.as_object().is_some_and(serde_json::Map::is_empty);
        value.is_null() || (are_none && matches!(name, "labels" | "annotations"))
    };
    match value {
        Value::Array(items) => items.iter().map(as_kubernetes_reads).collect(),
        Value::Object(members) => {
            let there = members
                .iter()
                .filter(|(name, value)| !is_nothing(name, value));
            there
                .map(|(name, value)| (name.clone(), as_kubernetes_reads(value)))
                .collect()
        }
        other => other.clone(),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
