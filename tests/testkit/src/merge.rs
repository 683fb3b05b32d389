//! Typed merge, comparison and removal of values, as server-side apply does them.

use serde_json::{Map, Value};

use crate::fields::{FieldSet, Path, PathElement};
use crate::resources::ResourceType;
use crate::schema::ListType;

/// The fields of a configuration that somebody applies.
pub(crate) fn fields_of(resource: &ResourceType, object: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    collect(
        resource,
        &mut Vec::new(),
        object,
        Parents::Omitted,
        &mut set,
    );
    set
}

/// Whether maps on the way to a field are in a set as well: an apply does not own them, an update that brings them does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parents {
    Included,
    Omitted,
}

fn collect(
    resource: &ResourceType,
    path: &mut Path,
    value: &Value,
    parents: Parents,
    set: &mut FieldSet,
) {
    match value {
        Value::Object(members) if !members.is_empty() && !resource.is_atomic(path) => {
            if parents == Parents::Included && is_owned_parent(path) {
                set.0.insert(path.clone());
            }
            for (name, member) in members {
                path.push(PathElement::field(name));
                collect(resource, path, member, parents, set);
                path.pop();
            }
        }
        Value::Array(items) => {
            let list = resource.list_type(path);
            if matches!(list, ListType::Atomic) || parents == Parents::Included {
                set.0.insert(path.clone());
            }
            for item in items {
                let Some(element) = list.element(item) else {
                    continue;
                };
                path.push(element);
                set.0.insert(path.clone());
                collect(resource, path, item, parents, set);
                path.pop();
            }
        }
        _ if path.is_empty() => {}
        _ => {
            set.0.insert(path.clone());
        }
    }
}

/// The parts that every object has are no fields of anybody.
fn is_owned_parent(path: &[PathElement]) -> bool {
    match path {
        [] => false,
        [PathElement::Field(name)] => !["metadata", "spec", "status"].contains(&name.as_str()),
        _ => true,
    }
}

/// What becomes of a value when a configuration is applied to it.
pub(crate) fn merge(
    resource: &ResourceType,
    path: &mut Path,
    live: &Value,
    config: &Value,
) -> Value {
    match (live, config) {
        (Value::Object(live), Value::Object(config)) if !resource.is_atomic(path) => {
            let mut merged = live.clone();
            for (name, value) in config {
                path.push(PathElement::field(name));
                let value = merge(
                    resource,
                    path,
                    &live.get(name).cloned().unwrap_or_default(),
                    value,
                );
                path.pop();
                merged.insert(name.clone(), value);
            }
            Value::Object(merged)
        }
        (Value::Array(live), Value::Array(config)) => match resource.list_type(path) {
            ListType::Atomic => Value::Array(config.clone()),
            list => Value::Array(merge_items(resource, path, &list, live, config)),
        },
        _ => config.clone(),
    }
}

/// The order is that of the configuration; what only others have stays before what it was before.
fn merge_items(
    resource: &ResourceType,
    path: &mut Path,
    list: &ListType,
    live: &[Value],
    config: &[Value],
) -> Vec<Value> {
    let wanted: Vec<_> = config.iter().map(|item| list.element(item)).collect();
    let mut left = live
        .iter()
        .map(|item| (list.element(item), item))
        .peekable();
    let there: Vec<_> = left.clone().collect();
    let mut merged = Vec::new();
    for (element, item) in wanted.iter().zip(config) {
        let found = there.iter().find(|(other, _)| other == element);
        while let Some((_, other)) = left.next_if(|(other, _)| !wanted.contains(other)) {
            merged.push(other.clone());
        }
        if found.is_some() {
            left.next_if(|(other, _)| wanted.contains(other));
        }
        let mut value = item.clone();
        if let (Some((_, live)), Some(element)) = (found, element) {
            path.push(element.clone());
            value = merge(resource, path, live, item);
            path.pop();
        }
        merged.push(value);
    }
    merged.extend(
        left.filter(|(other, _)| !wanted.contains(other))
            .map(|(_, item)| item.clone()),
    );
    merged
}

/// What is different between two versions of an object.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) added: FieldSet,
    pub(crate) modified: FieldSet,
    pub(crate) removed: FieldSet,
}

impl Comparison {
    pub(crate) fn of(resource: &ResourceType, old: &Value, new: &Value) -> Self {
        let mut comparison = Self::default();
        comparison.compare(resource, &mut Vec::new(), old, new);
        comparison
    }

    pub(crate) fn is_same(&self) -> bool {
        [&self.added, &self.modified, &self.removed]
            .iter()
            .all(|set| set.is_empty())
    }

    fn compare(&mut self, resource: &ResourceType, path: &mut Path, old: &Value, new: &Value) {
        match (old, new) {
            _ if old == new => {}
            (Value::Null, new) => collect(resource, path, new, Parents::Included, &mut self.added),
            (old, Value::Null) => {
                collect(resource, path, old, Parents::Included, &mut self.removed);
            }
            (Value::Object(old), Value::Object(new)) if !resource.is_atomic(path) => {
                self.members(resource, path, old, new);
            }
            (Value::Array(old), Value::Array(new)) => match resource.list_type(path) {
                ListType::Atomic => drop(self.modified.0.insert(path.clone())),
                list => self.items(resource, path, &list, old, new),
            },
            _ => drop(self.modified.0.insert(path.clone())),
        }
    }

    fn members(
        &mut self,
        resource: &ResourceType,
        path: &mut Path,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
    ) {
        let gone = old.keys().filter(|name| !new.contains_key(*name));
        for name in new.keys().chain(gone) {
            let of = |members: &Map<String, Value>| members.get(name).cloned().unwrap_or_default();
            path.push(PathElement::field(name));
            self.compare(resource, path, &of(old), &of(new));
            path.pop();
        }
    }

    fn items(
        &mut self,
        resource: &ResourceType,
        path: &mut Path,
        list: &ListType,
        old: &[Value],
        new: &[Value],
    ) {
        let of = |items: &[Value], element: &PathElement| {
            let found = items
                .iter()
                .find(|item| list.element(item).as_ref() == Some(element));
            found.cloned().unwrap_or_default()
        };
        for element in old.iter().chain(new).filter_map(|item| list.element(item)) {
            let (old, new) = (of(old, &element), of(new, &element));
            path.push(element);
            if old.is_null() {
                self.added.0.insert(path.clone());
            } else if new.is_null() {
                self.removed.0.insert(path.clone());
            }
            self.compare(resource, path, &old, &new);
            path.pop();
        }
    }
}

/// Takes away the value at a path, and the maps and lists that are empty without it.
pub(crate) fn remove(
    resource: &ResourceType,
    object: &mut Value,
    path: &[PathElement],
    owned: &FieldSet,
) {
    remove_below(resource, object, path, 0, owned);
}

fn remove_below(
    resource: &ResourceType,
    value: &mut Value,
    path: &[PathElement],
    depth: usize,
    owned: &FieldSet,
) {
    let Some(element) = path.get(depth) else {
        return;
    };
    let is_last = depth + 1 == path.len();
    let keeps = |below: &Value| depth == 0 || !is_empty(below) || owned.0.contains(&path[..=depth]);
    match (value, element) {
        (Value::Object(members), PathElement::Field(name)) => {
            let Some(below) = members.get_mut(name) else {
                return;
            };
            remove_below(resource, below, path, depth + 1, owned);
            if is_last || !keeps(below) {
                members.remove(name);
            }
        }
        (Value::Array(items), element) => {
            let list = resource.list_type(&path[..depth]);
            let found = items
                .iter()
                .position(|item| list.element(item).as_ref() == Some(element));
            let Some(index) = found else {
                return;
            };
            remove_below(resource, &mut items[index], path, depth + 1, owned);
            if is_last {
                items.remove(index);
            }
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}
