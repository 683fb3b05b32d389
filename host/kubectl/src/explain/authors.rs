//! Who set a field: what plugins have noted comes before what kubectl has, and that before field managers, since the API server
//! counts defaults as written by whoever sent the object.

use std::collections::BTreeMap;
use std::fmt;

use mcp_operator_core::field_authors::FieldAuthors;
use serde::Serialize;
use serde_json::Value;

use super::fields::{Field, holds};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Who set a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Author {
    /// The MCPPlugin of this name, as a default.
    Plugin(String),
    /// Whoever applies the manifest, as this field manager.
    Manifest(String),
    /// The schema of the definition, as a default.
    Schema,
    /// The schema, or this field manager in the same words.
    SchemaOr(String),
    /// This field manager, by an update: an edit, a scale, another controller.
    Manager(String),
    /// It was there before anybody noted it.
    Unknown,
}

impl fmt::Display for Author {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plugin(name) => write!(formatter, "plugin {name}"),
            Self::Manifest(manager) => write!(formatter, "manifest ({manager})"),
            Self::Schema => formatter.write_str("default of the schema"),
            Self::SchemaOr(manager) => write!(
                formatter,
                "default of the schema, or so in the manifest ({manager})"
            ),
            Self::Manager(manager) => formatter.write_str(manager),
            Self::Unknown => formatter.write_str("unknown"),
        }
    }
}

/// What is known about the fields of one MCPServer.
pub(super) struct Authors<'a> {
    server: &'a Value,
    schema: &'a Value,
    /// By field.
    plugins: BTreeMap<String, String>,
    /// The manifest that `kubectl apply` was given last.
    applied: Option<Value>,
}

impl<'a> Authors<'a> {
    pub(super) fn of(server: &'a Value, schema: &'a Value) -> Self {
        let noted = FieldAuthors::noted(server).into_status().into_iter();
        let mut plugins: BTreeMap<String, String> = noted.map(|it| (it.field, it.plugin)).collect();
        for set in server["status"]["defaults"]
            .as_array()
            .into_iter()
            .flatten()
        {
            if let (Some(field), Some(plugin)) = (set["field"].as_str(), set["plugin"].as_str()) {
                plugins.insert(field.to_owned(), plugin.to_owned());
            }
        }
        let applied = server["metadata"]["annotations"][LAST_APPLIED].as_str();
        Self {
            server,
            schema,
            plugins,
            applied: applied.and_then(|text| serde_json::from_str(text).ok()),
        }
    }

    /// All fields that plugins set, with the plugin.
    pub(super) fn plugins(&self) -> impl Iterator<Item = (&str, &str)> {
        self.plugins
            .iter()
            .map(|(field, plugin)| (field.as_str(), plugin.as_str()))
    }

    pub(super) fn author(&self, field: &Field<'_>) -> Author {
        let path = field.path();
        let mut plugins = self.plugins();
        if let Some((_, plugin)) = plugins.find(|(set, _)| holds(set, &path) || holds(&path, set)) {
            return Author::Plugin(plugin.to_owned());
        }
        let managers = self.managers(field);
        let named = |operation: &str| {
            let all: Vec<&str> = managers
                .iter()
                .filter(|(_, it)| it == &operation)
                .map(|(name, _)| *name)
                .collect();
            (!all.is_empty()).then(|| all.join(", "))
        };
        if let Some(applied) = &self.applied
            && lookup(applied, &field.names).is_some_and(|said| said == field.value)
        {
            let manager = named("Update").unwrap_or_else(|| "kubectl apply".into());
            return Author::Manifest(manager);
        }
        if let Some(manager) = named("Apply") {
            return Author::Manifest(manager);
        }
        // Whoever asks for a number of replicas by the subresource means it, whatever the schema says.
        if let Some(manager) = self.scaled_by(field) {
            return Author::Manager(manager.to_owned());
        }
        let default = self.default(field);
        let is_default = default.is_some_and(|default| is_same(default, field.value));
        match (is_default, named("Update")) {
            (true, None) => Author::Schema,
            (true, Some(_)) if self.applied.is_some() => Author::Schema,
            (true, Some(manager)) => Author::SchemaOr(manager),
            (false, Some(manager)) => Author::Manager(manager),
            (false, None) => Author::Unknown,
        }
    }

    /// The field managers that own it, with the operation.
    fn managers(&self, field: &Field<'_>) -> Vec<(&str, &str)> {
        let entries = self.server["metadata"]["managedFields"].as_array();
        let owns = |entry: &&Value| {
            entry["subresource"] != "status" && owns(&entry["fieldsV1"], &field.names)
        };
        let owners = entries.into_iter().flatten().filter(owns);
        owners
            .filter_map(|entry| Some((entry["manager"].as_str()?, entry["operation"].as_str()?)))
            .collect()
    }

    /// The field manager that owns it by the subresource `scale`.
    fn scaled_by(&self, field: &Field<'_>) -> Option<&str> {
        let entries = self.server["metadata"]["managedFields"].as_array()?;
        let scaled = entries.iter().find(|entry| {
            entry["subresource"] == "scale" && owns(&entry["fieldsV1"], &field.names)
        });
        scaled?["manager"].as_str()
    }

    /// What the schema says where nobody says anything.
    fn default(&self, field: &Field<'_>) -> Option<&Value> {
        let mut schema = self.schema;
        for (index, name) in field.names.iter().enumerate() {
            schema = schema["properties"].get(name)?;
            // A default of what holds the field may name it.
            let inner = lookup(&schema["default"], &field.names[index + 1..]);
            if let Some(inner) = inner.filter(|inner| !inner.is_null()) {
                return Some(inner);
            }
        }
        Some(&schema["default"])
    }
}

/// Numbers are the same in whatever way they are written: a default of 1.0 is stored as 1.
fn is_same(one: &Value, other: &Value) -> bool {
    let numbers = one.as_f64().zip(other.as_f64());
    one == other || numbers.is_some_and(|(one, other)| (one - other).abs() < f64::EPSILON)
}

fn lookup<'a>(value: &'a Value, names: &[&str]) -> Option<&'a Value> {
    names.iter().try_fold(value, |value, name| value.get(name))
}

/// Whether a tree of owned fields has this one: an empty node owns all that is below it.
fn owns(fields: &Value, names: &[&str]) -> bool {
    let mut fields = fields;
    for name in names {
        let Some(inner) = fields.get(format!("f:{name}")) else {
            return false;
        };
        fields = inner;
        if fields.as_object().is_some_and(serde_json::Map::is_empty) {
            return true;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::is_same;

    #[test]
    fn numbers_are_compared_as_numbers() {
        assert!(is_same(&json!(1.0), &json!(1)) && is_same(&json!("a"), &json!("a")));
        assert!(!is_same(&json!(1.5), &json!(1)) && !is_same(&json!("1"), &json!(1)));
    }
}
