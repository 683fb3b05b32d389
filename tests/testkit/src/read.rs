//! Reading: one object, many, and only metadata.

use serde_json::{Value, json};

use crate::request::Request;
use crate::resources::ResourceType;
use crate::selector::Selector;
use crate::status::Failure;
use crate::store::{Key, Store};

pub(crate) fn get(
    request: &Request,
    resource: &ResourceType,
    store: &Store,
) -> Result<Value, Failure> {
    let key = Key::new(resource, &request.namespace, &request.name);
    let found = store.get(&key);
    let object = found.ok_or_else(|| Failure::not_found(resource, &request.name))?;
    Ok(shown(request, object))
}

/// An object as a client wants it.
pub(crate) fn shown(request: &Request, object: &Value) -> Value {
    if request.metadata_only {
        metadata_of(object)
    } else {
        object.clone()
    }
}

/// As `PartialObjectMetadata`.
pub(crate) fn metadata_of(object: &Value) -> Value {
    json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"],
    })
}

pub(crate) fn list(
    request: &Request,
    resource: &ResourceType,
    store: &Store,
) -> Result<Value, Failure> {
    let selector = Selector::of(request)?;
    let objects = store.of_kind(resource).map(|(_, object)| object);
    let items: Vec<Value> = objects
        .filter(|object| selector.matches(object))
        .map(|object| item(request, resource, object))
        .collect();
    let (version, kind) = if request.metadata_only {
        ("meta.k8s.io/v1", "PartialObjectMetadataList".to_owned())
    } else {
        (
            resource.api.api_version.as_str(),
            format!("{}List", resource.api.kind),
        )
    };
    let metadata = json!({ "resourceVersion": store.revision().to_string() });
    Ok(json!({ "apiVersion": version, "kind": kind, "metadata": metadata, "items": items }))
}

/// Items of Kubernetes' own lists do not say what they are.
fn item(request: &Request, resource: &ResourceType, object: &Value) -> Value {
    let mut item = shown(request, object);
    if !request.metadata_only
        && !resource.is_custom
        && let Some(members) = item.as_object_mut()
    {
        members.remove("apiVersion");
        members.remove("kind");
    }
    item
}
