//! Sets of fields, as `metadata.managedFields` writes them (`fieldsV1`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PathElement {
    /// Member of a map.
    Field(String),
    /// Item of a list that is a map by keys: the keys as JSON, sorted by their names.
    Key(String),
    /// Item of a set: the item as JSON.
    Item(String),
}

impl PathElement {
    pub(crate) fn field(name: &str) -> Self {
        Self::Field(name.to_owned())
    }

    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_at_checked(2)?;
        match kind {
            "f:" => Some(Self::Field(rest.into())),
            "k:" => Some(Self::Key(rest.into())),
            "v:" => Some(Self::Item(rest.into())),
            _ => None,
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(keys) => format!("k:{keys}"),
            Self::Item(item) => format!("v:{item}"),
        }
    }
}

impl fmt::Display for PathElement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(formatter, ".{name}"),
            Self::Item(item) => write!(formatter, "[={item}]"),
            Self::Key(keys) => {
                let keys: BTreeMap<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let keys: Vec<_> = keys
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                write!(formatter, "[{}]", keys.join(","))
            }
        }
    }
}

/// Where a field is.
pub(crate) type Path = Vec<PathElement>;

/// A path as messages of the API server show it: `.spec.template.spec.containers[name="server"].image`.
pub(crate) fn display(path: &[PathElement]) -> String {
    path.iter().map(ToString::to_string).collect()
}

/// Whether a path is of a member that tells an item of a list apart.
pub(crate) fn is_key(path: &[PathElement]) -> bool {
    let [.., PathElement::Key(keys), PathElement::Field(name)] = path else {
        return false;
    };
    let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
    keys.contains_key(name)
}

/// A set of fields: those that have a value of their own, and items of lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet(pub(crate) BTreeSet<Path>);

impl FieldSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn union(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }

    pub(crate) fn subtract(&mut self, other: &Self) {
        self.0.retain(|path| !other.0.contains(path));
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// Whether the path itself or a field below it is in the set.
    pub(crate) fn reaches(&self, path: &[PathElement]) -> bool {
        let next = self.0.range(path.to_vec()..).next();
        next.is_some_and(|found| found.starts_with(path))
    }

    pub(crate) fn from_fields_v1(fields: &Value) -> Self {
        let mut set = Self::default();
        set.read(&mut Vec::new(), fields);
        set
    }

    fn read(&mut self, path: &mut Path, fields: &Value) {
        let Some(members) = fields.as_object() else {
            return;
        };
        if (members.is_empty() || members.contains_key(".")) && !path.is_empty() {
            self.0.insert(path.clone());
        }
        for (name, below) in members {
            if let Some(element) = PathElement::parse(name) {
                path.push(element);
                self.read(path, below);
                path.pop();
            }
        }
    }

    pub(crate) fn to_fields_v1(&self) -> Value {
        let mut root = Node::default();
        for path in &self.0 {
            let mut node = &mut root;
            for element in path {
                node = node.below.entry(element).or_default();
            }
            node.is_member = true;
        }
        root.write()
    }
}

#[derive(Default)]
struct Node<'a> {
    is_member: bool,
    below: BTreeMap<&'a PathElement, Node<'a>>,
}

impl Node<'_> {
    fn write(&self) -> Value {
        let mut members = Map::new();
        if self.is_member && !self.below.is_empty() {
            members.insert(".".into(), Value::Object(Map::new()));
        }
        for (element, node) in &self.below {
            members.insert(element.write(), node.write());
        }
        Value::Object(members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_read_and_written_as_the_api_server_does() {
        let fields = json!({
            "f:metadata": { "f:finalizers": { "v:\"keep\"": {} }, "f:labels": { ".": {}, "f:app": {} } },
            "f:spec": { "f:containers": { "k:{\"name\":\"server\"}": { ".": {}, "f:name": {} } } },
        });
        let set = FieldSet::from_fields_v1(&fields);
        assert_eq!(set.0.len(), 5);
        assert_eq!(set.to_fields_v1(), fields);
    }

    #[test]
    fn a_path_is_shown_as_in_messages() {
        let path = [
            PathElement::field("ports"),
            PathElement::Key(r#"{"containerPort":80,"protocol":"TCP"}"#.into()),
            PathElement::field("name"),
        ];
        assert_eq!(
            display(&path),
            r#".ports[containerPort=80,protocol="TCP"].name"#
        );
    }

    #[test]
    fn a_set_reaches_what_is_above_its_fields() {
        let set = FieldSet::from_fields_v1(&json!({ "f:spec": { "f:replicas": {} } }));
        assert!(set.reaches(&[PathElement::field("spec")]));
        assert!(!set.reaches(&[PathElement::field("spe")]));
        assert!(!set.reaches(&[PathElement::field("status")]));
    }
}
