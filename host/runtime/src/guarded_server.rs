//! An MCPServer as the informer keeps it: whether or not it can be read, and no more of it than fits.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher};
use std::io;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use mcp_operator_api::v1alpha1::{LiteLlm, McpServer};
use mcp_operator_core::registry_room::MAX_ENTRY_BYTES;
use mcp_operator_core::text::one_line;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::watch::trim_metadata;

/// Bytes that the informer keeps of a server. The largest that etcd takes are a hundred times as large, and one team may
/// have hundreds of them.
const LARGEST_KEPT: usize = 16 << 10;
/// Bytes that a value of a configuration takes besides its text: three characters of a list of numbers are one.
const VALUE_BYTES: usize = size_of::<Value>();
/// Longest error about a server that cannot be read.
const LONGEST_ERROR: usize = 1024;

/// An MCPServer as it comes from the API server: one that cannot be read must not hide the others, and a large one must not
/// take the memory that the others need.
#[derive(Clone, Debug)]
pub struct GuardedServer {
    /// The server, or why it cannot be read.
    pub server: Result<McpServer, InvalidObject>,
    /// Something of it is not kept.
    pub cut: Option<Cut>,
}

/// What is known of what the informer does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Bytes that the whole server takes, about.
    pub bytes: usize,
    /// Another one where labels, annotations or other metadata are others.
    metadata_digest: u64,
}

impl GuardedServer {
    /// The server if it can be read. It may be [cut](Self::cut).
    pub fn readable(&self) -> Option<&McpServer> {
        self.server.as_ref().ok()
    }

    /// Keeps what fits. This is done to one server after the other as a list is read: a page of large ones as trees would
    /// already be too much.
    fn new(server: Result<McpServer, InvalidObject>) -> Self {
        let mut this = Self { server, cut: None };
        trim_metadata(this.meta_mut());
        let kept = identity(this.meta());
        let (mut metadata, mut specification) = (Measure::default(), Measure::default());
        metadata.write(&without(this.meta(), &kept));
        if let Ok(server) = &this.server {
            specification.write(&server.spec);
            specification.bytes +=
                VALUE_BYTES * server.spec.config.values().map(values).sum::<usize>();
        }
        let bytes = metadata.bytes + specification.bytes;
        if bytes > LARGEST_KEPT {
            *this.meta_mut() = kept;
            this.cut = Some(Cut {
                bytes,
                metadata_digest: metadata.hasher.finish(),
            });
            if let Ok(server) = &mut this.server {
                cut_specification(server);
            }
        }
        if let Err(invalid) = &mut this.server {
            invalid.error = one_line(&invalid.error, LONGEST_ERROR);
        }
        this
    }
}

/// What stays of the metadata of a server that is cut.
fn identity(metadata: &ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        name: metadata.name.clone(),
        namespace: metadata.namespace.clone(),
        uid: metadata.uid.clone(),
        resource_version: metadata.resource_version.clone(),
        generation: metadata.generation,
        creation_timestamp: metadata.creation_timestamp.clone(),
        deletion_timestamp: metadata.deletion_timestamp.clone(),
        ..ObjectMeta::default()
    }
}

/// The rest of it. Labels, annotations, finalizers and owners have no end of their own but that of the object.
fn without(metadata: &ObjectMeta, kept: &ObjectMeta) -> ObjectMeta {
    let mut rest = metadata.clone();
    for (member, is_kept) in [
        (&mut rest.name, kept.name.is_some()),
        (&mut rest.namespace, kept.namespace.is_some()),
        (&mut rest.uid, kept.uid.is_some()),
        (&mut rest.resource_version, kept.resource_version.is_some()),
    ] {
        if is_kept {
            *member = None;
        }
    }
    rest.generation = None;
    rest.creation_timestamp = None;
    rest.deletion_timestamp = None;
    rest
}

/// Leaves what the registration needs to know before the rules were asked.
fn cut_specification(server: &mut McpServer) {
    let spec = &mut server.spec;
    spec.command = Vec::new();
    spec.args = Vec::new();
    spec.env = Vec::new();
    spec.secrets = Vec::new();
    spec.image_pull_secrets = Vec::new();
    spec.network_policy = None;
    spec.empty_dirs = Vec::new();
    spec.tolerations = Vec::new();
    spec.config.clear();
    let mut litellm = Measure::default();
    litellm.write(&spec.litellm);
    if litellm.bytes > MAX_ENTRY_BYTES {
        // It could not be registered, and without its lists it would be open to all.
        spec.litellm = LiteLlm {
            auto_register: false,
            ..LiteLlm::default()
        };
    }
}

/// How many values a value consists of.
fn values(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(values).sum(),
        Value::Object(members) => members.values().map(values).sum(),
        _ => 0,
    }
}

/// Size and hash of a JSON text that nobody needs.
#[derive(Default)]
struct Measure {
    bytes: usize,
    hasher: DefaultHasher,
}

impl Measure {
    fn write(&mut self, value: &impl Serialize) {
        // What came as JSON can be written as JSON; where it cannot, what was written so far counts.
        let _ = serde_json::to_writer(self, value);
    }
}

impl io::Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len();
        self.hasher.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'de> Deserialize<'de> for GuardedServer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DeserializeGuard::deserialize(deserializer).map(|guard| Self::new(guard.0))
    }
}

impl Resource for GuardedServer {
    type DynamicType = <McpServer as Resource>::DynamicType;
    type Scope = <McpServer as Resource>::Scope;

    fn kind(kind: &Self::DynamicType) -> Cow<'_, str> {
        McpServer::kind(kind)
    }

    fn group(kind: &Self::DynamicType) -> Cow<'_, str> {
        McpServer::group(kind)
    }

    fn version(kind: &Self::DynamicType) -> Cow<'_, str> {
        McpServer::version(kind)
    }

    fn plural(kind: &Self::DynamicType) -> Cow<'_, str> {
        McpServer::plural(kind)
    }

    fn meta(&self) -> &ObjectMeta {
        match &self.server {
            Ok(server) => server.meta(),
            Err(invalid) => &invalid.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match &mut self.server {
            Ok(server) => server.meta_mut(),
            Err(invalid) => &mut invalid.metadata,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(change: impl FnOnce(&mut Value)) -> GuardedServer {
        let mut server = json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": "a", "namespace": "tools", "uid": "1", "generation": 1, "labels": { "team": "a" } },
            "spec": { "image": { "repository": "acme/mcp" }, "path": "/x", "litellm": { "allowedTools": ["read"] } },
        });
        change(&mut server);
        serde_json::from_value(server).unwrap()
    }

    fn bytes_kept(guarded: &GuardedServer) -> usize {
        let mut measure = Measure::default();
        measure.write(&guarded.meta());
        if let Some(server) = guarded.readable() {
            measure.write(&server.spec);
            measure.bytes += VALUE_BYTES * server.spec.config.values().map(values).sum::<usize>();
        }
        measure.bytes
    }

    const LARGE: usize = 1_400_000;

    #[test]
    fn what_is_large_in_any_way_is_cut_and_stays_itself() {
        let text = "x".repeat(LARGE);
        let many = |prefix: &str| -> Value {
            let names = (0..20_000).map(|number| (format!("{prefix}{number}"), json!("value")));
            Value::Object(names.collect())
        };
        let large: [(&str, Value); 8] = [
            ("/spec/config", json!({ "a": text })),
            ("/spec/config", json!({ "a": vec![0; 8 << 10] })),
            ("/spec/args", json!([text])),
            ("/spec/command", json!([text])),
            ("/spec/env", json!([{ "name": "A", "value": text }])),
            ("/metadata/annotations", json!({ "a": text })),
            ("/metadata/labels", many("example.com/")),
            ("/metadata/finalizers", json!([text])),
        ];
        for (place, value) in large {
            let (parent, member) = place.rsplit_once('/').unwrap();
            let guarded = read(|server| server.pointer_mut(parent).unwrap()[member] = value);
            let cut = guarded.cut.expect(place);
            assert!(
                cut.bytes > LARGEST_KEPT && bytes_kept(&guarded) < 1024,
                "{place}"
            );
            let server = guarded.readable().unwrap();
            assert_eq!(
                server.spec.litellm.allowed_tools,
                Some(vec!["read".to_owned()])
            );
            assert_eq!(server.spec.path.as_deref(), Some("/x"));
            assert_eq!(
                (server.metadata.uid.as_deref(), server.metadata.generation),
                (Some("1"), Some(1))
            );
        }
    }

    #[test]
    fn an_entry_that_nobody_could_register_is_not_kept_and_not_opened_to_all() {
        let tools: Vec<String> = (0..256).map(|number| format!("{number:0>400}")).collect();
        let guarded = read(|server| server["spec"]["litellm"]["allowedTools"] = json!(tools));
        assert!(bytes_kept(&guarded) < 1024);
        assert!(!guarded.readable().unwrap().spec.litellm.auto_register);
    }

    #[test]
    fn a_usual_server_is_kept_whole_but_for_what_nobody_reads() {
        let guarded = read(|server| {
            server["metadata"]["managedFields"] = json!([{ "manager": "kubectl", "fieldsV1": {} }]);
            server["metadata"]["annotations"] = json!({ "kubectl.kubernetes.io/last-applied-configuration": "x".repeat(LARGE), "a": "b" });
        });
        assert_eq!(guarded.cut, None);
        let metadata = guarded.meta();
        assert_eq!(metadata.managed_fields, None);
        assert_eq!(metadata.annotations.as_ref().unwrap().len(), 1);
        assert_eq!(metadata.labels.as_ref().unwrap()["team"], "a");
    }

    #[test]
    fn one_that_cannot_be_read_is_no_larger() {
        let guarded = read(|server| {
            server["spec"]["image"] = json!("x".repeat(LARGE));
            server["metadata"]["annotations"] = json!({ "a": "x".repeat(LARGE) });
        });
        let error = &guarded.server.as_ref().unwrap_err().error;
        assert!(error.len() <= LONGEST_ERROR && bytes_kept(&guarded) < 1024);
        assert_eq!(guarded.meta().name.as_deref(), Some("a"));
    }

    #[test]
    fn what_is_not_kept_is_still_compared() {
        let with = |text: &str, version: &str| {
            let guarded = read(|server| {
                server["metadata"]["annotations"] = json!({ "a": text.repeat(LARGE) });
                server["metadata"]["resourceVersion"] = json!(version);
            });
            guarded.cut
        };
        assert_eq!(with("x", "1"), with("x", "2"));
        assert_ne!(with("x", "1"), with("y", "1"));
    }
}
