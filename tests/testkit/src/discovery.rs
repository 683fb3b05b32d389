//! What a server says that it has.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::request::Request;
use crate::resources::ResourceType;
use crate::status::Refusal;

/// The resources of a version, or the groups, or the version of the server.
pub(crate) fn discover(
    path: &str,
    request: &Request,
    resources: &[ResourceType],
) -> Result<Value, Refusal> {
    let served = || resources.iter().filter(|resource| resource.served);
    match path.trim_end_matches('/') {
        "/version" => Ok(json!({ "major": "1", "minor": "33", "gitVersion": "v1.33.0" })),
        "/api" => Ok(json!({ "kind": "APIVersions", "versions": ["v1"] })),
        "/apis" => Ok(groups(served())),
        _ => {
            let of_version = |resource: &&ResourceType| {
                resource.api.group == request.group && resource.api.version == request.version
            };
            let found: Vec<Value> = served().filter(of_version).flat_map(entries).collect();
            if found.is_empty() {
                return Err(Refusal::NotServed);
            }
            let version = if request.group.is_empty() {
                request.version.clone()
            } else {
                format!("{}/{}", request.group, request.version)
            };
            Ok(json!({
                "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": found,
            }))
        }
    }
}

fn groups<'a>(resources: impl Iterator<Item = &'a ResourceType>) -> Value {
    let mut groups: BTreeMap<&str, &ResourceType> = BTreeMap::new();
    for resource in resources.filter(|resource| !resource.api.group.is_empty()) {
        groups.entry(&resource.api.group).or_insert(resource);
    }
    let group = |(name, resource): (&str, &ResourceType)| {
        let version = json!({
            "groupVersion": resource.api.api_version, "version": resource.api.version,
        });
        json!({ "name": name, "versions": [version], "preferredVersion": version })
    };
    let groups: Vec<Value> = groups.into_iter().map(group).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

fn entries(resource: &ResourceType) -> Vec<Value> {
    let entry = |name: String, verbs: &[&str]| {
        json!({
            "name": name, "singularName": resource.api.kind.to_lowercase(),
            "namespaced": resource.namespaced, "kind": resource.api.kind, "verbs": verbs,
        })
    };
    let verbs = [
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch",
    ];
    let mut entries = vec![entry(resource.api.plural.clone(), &verbs)];
    if resource.has_status {
        let name = format!("{}/status", resource.api.plural);
        entries.push(entry(name, &["get", "patch", "update"]));
    }
    entries
}
