//! Which lists are maps and which values are owned as a whole: the markers of Kubernetes' types and of definitions.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fields::PathElement;
use crate::resources::ResourceType;

/// A member by which items of a list are told apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListKey {
    name: &'static str,
    /// What it is where an item does not say it.
    default: Option<&'static str>,
}

const fn key(name: &'static str) -> ListKey {
    ListKey {
        name,
        default: None,
    }
}

const PROTOCOL: ListKey = ListKey {
    name: "protocol",
    default: Some("TCP"),
};

/// How a list is merged.
pub(crate) enum ListType {
    /// As a whole.
    Atomic,
    /// Items are values.
    Set,
    /// Items are told apart by these members.
    Map(Vec<ListKey>),
}

impl ListType {
    /// The path element of an item. None: the list is atomic.
    pub(crate) fn element(&self, item: &Value) -> Option<PathElement> {
        match self {
            Self::Atomic => None,
            Self::Set => Some(PathElement::Item(item.to_string())),
            Self::Map(keys) => {
                let value = |key: &ListKey| match &item[key.name] {
                    Value::Null => key.default.map_or(Value::Null, Value::from),
                    value => value.clone(),
                };
                let keys: BTreeMap<&str, Value> =
                    keys.iter().map(|key| (key.name, value(key))).collect();
                Some(PathElement::Key(
                    serde_json::to_string(&keys).unwrap_or_default(),
                ))
            }
        }
    }
}

impl ResourceType {
    /// How the list at a path is merged.
    pub(crate) fn list_type(&self, path: &[PathElement]) -> ListType {
        let names = names(path);
        match names.as_slice() {
            ["metadata", "finalizers"] => return ListType::Set,
            ["metadata", "ownerReferences"] => return ListType::Map(vec![key("uid")]),
            _ => {}
        }
        let keys = if self.is_custom {
            let found = self.list_maps.iter().find(|(at, _)| *at == names.join("."));
            found.map(|(_, keys)| keys.iter().copied().map(key).collect())
        } else {
            built_in_list(&self.api.kind, &names)
        };
        keys.map_or(ListType::Atomic, ListType::Map)
    }

    /// Whether the map at a path is owned as a whole.
    pub(crate) fn is_atomic(&self, path: &[PathElement]) -> bool {
        let names = names(path);
        if let ["metadata", rest @ ..] = names.as_slice() {
            // Owner references are written as a whole.
            return rest == ["ownerReferences"] && matches!(path.last(), Some(PathElement::Key(_)));
        }
        !self.is_custom && is_atomic_map(&names, path)
    }
}

fn names(path: &[PathElement]) -> Vec<&str> {
    path.iter()
        .filter_map(|element| match element {
            PathElement::Field(name) => Some(name.as_str()),
            PathElement::Key(_) | PathElement::Item(_) => None,
        })
        .collect()
}

fn built_in_list(kind: &str, names: &[&str]) -> Option<Vec<ListKey>> {
    let (name, before) = names.split_last()?;
    let parent = before.last().copied().unwrap_or_default();
    let is_container = matches!(
        parent,
        "containers" | "initContainers" | "ephemeralContainers"
    );
    let keys = match *name {
        "containers" | "initContainers" | "ephemeralContainers" | "volumes" => vec![key("name")],
        "env" if is_container => vec![key("name")],
        "imagePullSecrets" if parent == "spec" => vec![key("name")],
        "secrets" if kind == "ServiceAccount" => vec![key("name")],
        "volumeMounts" => vec![key("mountPath")],
        "volumeDevices" => vec![key("devicePath")],
        "ports" if is_container => vec![key("containerPort"), PROTOCOL],
        "ports" if kind == "Service" && parent == "spec" => vec![key("port"), PROTOCOL],
        "topologySpreadConstraints" => vec![key("topologyKey"), key("whenUnsatisfiable")],
        "hostAliases" => vec![key("ip")],
        "conditions" if parent == "status" => vec![key("type")],
        _ => return None,
    };
    Some(keys)
}

fn is_atomic_map(names: &[&str], path: &[PathElement]) -> bool {
    let is_item = matches!(path.last(), Some(PathElement::Key(_)));
    let Some((name, before)) = names.split_last() else {
        return false;
    };
    match *name {
        "selector" | "labelSelector" | "podSelector" | "namespaceSelector" | "nodeSelector"
        | "secretKeyRef" | "configMapKeyRef" | "fieldRef" | "resourceFieldRef" => true,
        "requiredDuringSchedulingIgnoredDuringExecution" => before.last() == Some(&"nodeAffinity"),
        "imagePullSecrets" => is_item,
        _ => false,
    }
}
