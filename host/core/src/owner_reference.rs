//! Which MCPServer an object belongs to.
//!
//! In the namespace of the MCPServer the owner reference says so. Owner references cannot name an object in another namespace:
//! there labels and an annotation name the MCPServer.
//!
//! Backup tools, deletions that orphan and people leave objects of ours without an owner, or with one that is gone. These are
//! abandoned, not somebody else's: they carry all our marks, which nobody writes by accident.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use mcp_operator_api::names::{GROUP, SERVER_KIND, annotations, labels};
use mcp_operator_api::v1alpha1::McpServer;

use crate::build::own_labels;

/// The MCPServer that an object names as its owner. It need not exist any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub namespace: String,
    pub name: String,
    /// Tells the MCPServer from another one that has, or had, the same name.
    pub uid: String,
}

impl Owner {
    /// The MCPServer that an object names.
    pub fn of(object: &impl ResourceExt) -> Option<Self> {
        let namespace = object.namespace()?;
        if let Some(owner) = controller(object) {
            return is_server(owner).then(|| Self {
                namespace,
                name: owner.name.clone(),
                uid: owner.uid.clone(),
            });
        }
        let owner = Self {
            namespace: object.labels().get(labels::SERVER_NAMESPACE)?.clone(),
            name: object.labels().get(labels::SERVER)?.clone(),
            uid: object.annotations().get(annotations::SERVER_UID)?.clone(),
        };
        (owner.namespace != namespace).then_some(owner)
    }
}

/// Whether an object belongs to this MCPServer. Only the uid decides, because the next apply restores labels that somebody
/// has removed.
pub fn belongs_to(object: &impl ResourceExt, server: &McpServer) -> bool {
    let uid = match controller(object) {
        Some(owner) => Some(&owner.uid),
        // In the same namespace an object without an owner reference would not be garbage-collected.
        None if object.namespace() == server.namespace() => None,
        None => object.annotations().get(annotations::SERVER_UID),
    };
    uid.is_some() && uid == server.metadata.uid.as_ref()
}

/// Whether an object of this MCPServer's namespace is one of its own that has lost its owner: it has all our marks, and no
/// controller, or an MCPServer of the same name that had another uid. Of two MCPServers with one name one is gone, and only
/// the API server knows which: it has to be asked before such an object is taken back.
///
/// One that is being deleted is not: its successor can be made when it is gone.
pub fn is_abandoned(object: &impl ResourceExt, server: &McpServer) -> bool {
    let name = server.metadata.name.as_deref().unwrap_or_default();
    let has_no_owner = match controller(object) {
        Some(owner) => {
            is_server(owner)
                && owner.name == name
                && Some(&owner.uid) != server.metadata.uid.as_ref()
        }
        None => true,
    };
    let has_our_marks = || {
        let marks = own_labels(name);
        marks.iter().all(|mark| {
            let (label, value) = mark;
            object.labels().get(label) == Some(value)
        })
    };
    has_no_owner
        && object.namespace() == server.namespace()
        && object.meta().deletion_timestamp.is_none()
        && has_our_marks()
}

/// The MCPServer of its own namespace that an object without a controller names by its label. Anybody can write that.
pub fn named_by_label(object: &impl ResourceExt) -> Option<&str> {
    let labels = object.labels();
    let is_elsewhere = labels.contains_key(labels::SERVER_NAMESPACE);
    let name = labels.get(labels::SERVER)?;
    (controller(object).is_none() && !is_elsewhere).then_some(name)
}

/// The owner references of an abandoned object when it is taken back: those that it has of others stay.
pub fn taken_back(object: &impl ResourceExt, owner: OwnerReference) -> Vec<OwnerReference> {
    let others = object.owner_references().iter();
    others
        .filter(|other| !is_server(other))
        .cloned()
        .chain([owner])
        .collect()
}

/// Other projects have a kind of this name too.
fn is_server(owner: &OwnerReference) -> bool {
    let (group, _) = owner.api_version.split_once('/').unwrap_or_default();
    owner.kind == SERVER_KIND && group == GROUP
}

fn controller(object: &impl ResourceExt) -> Option<&OwnerReference> {
    let mut owners = object.owner_references().iter();
    owners.find(|owner| owner.controller == Some(true))
}

#[cfg(test)]
mod tests {
    use kube::core::DynamicObject;
    use serde_json::{Value, json};

    use super::*;

    fn server() -> McpServer {
        serde_json::from_value(json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": "github", "namespace": "tools", "uid": "8f2b" },
            "spec": { "image": { "repository": "acme/mcp" } },
        }))
        .unwrap()
    }

    fn object(namespace: &str, more: &Value) -> DynamicObject {
        let mut metadata = more.clone();
        metadata["name"] = "a".into();
        metadata["namespace"] = namespace.into();
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    fn owned(kind: &str) -> Value {
        json!([{ "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": kind, "name": "github", "uid": "8f2b", "controller": true }])
    }

    fn named() -> Value {
        json!({
            "labels": { labels::SERVER: "github", labels::SERVER_NAMESPACE: "tools" },
            "annotations": { annotations::SERVER_UID: "8f2b" },
        })
    }

    fn github() -> Owner {
        Owner {
            namespace: "tools".into(),
            name: "github".into(),
            uid: "8f2b".into(),
        }
    }

    #[test]
    fn an_owner_reference_comes_before_labels() {
        let mut metadata = named();
        metadata["ownerReferences"] = owned(SERVER_KIND);
        let owned_object = object("tools", &metadata);
        assert_eq!(Owner::of(&owned_object), Some(github()));
        assert!(belongs_to(&owned_object, &server()));
        // ToolHive's, say.
        metadata["ownerReferences"][0]["apiVersion"] = "toolhive.stacklok.dev/v1".into();
        assert_eq!(Owner::of(&object("tools", &metadata)), None);
        metadata["ownerReferences"][0]["kind"] = "Another".into();
        metadata["ownerReferences"][0]["uid"] = "77aa".into();
        let copied = object("monitoring", &metadata);
        assert_eq!(Owner::of(&copied), None);
        assert!(!belongs_to(&copied, &server()));
    }

    #[test]
    fn an_object_elsewhere_names_its_server_by_labels_and_the_uid() {
        let owned_object = object("monitoring", &named());
        assert_eq!(Owner::of(&owned_object), Some(github()));
        assert!(belongs_to(&owned_object, &server()));
        let mut without_labels = named();
        without_labels["labels"] = json!({});
        let owned_object = object("monitoring", &without_labels);
        assert_eq!(Owner::of(&owned_object), None);
        assert!(
            belongs_to(&owned_object, &server()),
            "the next apply restores its labels"
        );
        let mut of_namesake = named();
        of_namesake["annotations"][annotations::SERVER_UID] = "77aa".into();
        assert!(!belongs_to(&object("monitoring", &of_namesake), &server()));
    }

    /// The garbage collector would not delete such an object, so the operator does not take it for its own.
    #[test]
    fn labels_do_not_count_in_the_namespace_of_the_server() {
        let copied = object("tools", &named());
        assert_eq!(Owner::of(&copied), None);
        assert_eq!(named_by_label(&copied), None, "it names another namespace");
        assert!(!belongs_to(&copied, &server()));
        assert_eq!(Owner::of(&object("monitoring", &json!({}))), None);
        assert!(!belongs_to(&object("monitoring", &json!({})), &server()));
    }

    #[test]
    fn abandoned_is_what_has_all_marks_and_no_owner_that_may_live() {
        let marked = json!({ "labels": own_labels("github") });
        let abandoned = |metadata: &Value| is_abandoned(&object("tools", metadata), &server());
        assert!(abandoned(&marked));
        for label in own_labels("github").keys() {
            let mut less = marked.clone();
            less["labels"].as_object_mut().unwrap().remove(label);
            assert!(!abandoned(&less), "{label}");
        }
        assert!(!is_abandoned(&object("other", &marked), &server()));
        let mut owned_object = marked.clone();
        owned_object["ownerReferences"] = owned(SERVER_KIND);
        assert!(!abandoned(&owned_object), "it is its own");
        owned_object["ownerReferences"][0]["uid"] = "77aa".into();
        assert!(abandoned(&owned_object));
        for (member, value) in [
            ("name", "other"),
            ("kind", "Another"),
            ("apiVersion", "toolhive.stacklok.dev/v1"),
        ] {
            let mut theirs = owned_object.clone();
            theirs["ownerReferences"][0][member] = value.into();
            assert!(!abandoned(&theirs), "{value}");
        }
        owned_object["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        assert!(!abandoned(&owned_object));
    }

    #[test]
    fn owners_of_others_stay_when_an_object_is_taken_back() {
        let mut owners = owned(SERVER_KIND);
        owners[0]["uid"] = "77aa".into();
        let mut other =
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "parent", "uid": "1" });
        owners.as_array_mut().unwrap().push(other.take());
        let found = object("tools", &json!({ "ownerReferences": owners }));
        let owner: OwnerReference = serde_json::from_value(owned(SERVER_KIND)[0].clone()).unwrap();
        let uids: Vec<_> = taken_back(&found, owner)
            .into_iter()
            .map(|owner| owner.uid)
            .collect();
        assert_eq!(uids, ["1", "8f2b"]);
    }

    #[test]
    fn a_server_without_a_uid_owns_nothing() {
        let mut server = server();
        server.metadata.uid = None;
        assert!(!belongs_to(&object("monitoring", &json!({})), &server));
    }
}
