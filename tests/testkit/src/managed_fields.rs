//! Who has written which field: server-side apply, and what other writes do to it.

use jiff::{Timestamp, Unit};
use serde_json::{Map, Value, json};

use crate::conflicts::refuse_conflicts;
use crate::fields::{FieldSet, is_key};
use crate::merge::{Comparison, fields_of, merge, remove};
use crate::resources::ResourceType;
use crate::status::Failure;

/// Who writes through what.
pub(crate) struct Writer<'a> {
    pub(crate) manager: &'a str,
    /// Empty, or `status`.
    pub(crate) subresource: &'a str,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    manager: String,
    operation: &'static str,
    subresource: String,
    api_version: String,
    time: String,
    pub(crate) fields: FieldSet,
}

impl Entry {
    pub(crate) fn is(&self, writer: &Writer<'_>, operation: &str) -> bool {
        self.manager == writer.manager
            && self.operation == operation
            && self.subresource == writer.subresource
    }

    fn read(entry: &Value) -> Self {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        Self {
            manager: text("manager"),
            operation: if entry["operation"] == "Apply" {
                "Apply"
            } else {
                "Update"
            },
            subresource: text("subresource"),
            api_version: text("apiVersion"),
            time: text("time"),
            fields: FieldSet::from_fields_v1(&entry["fieldsV1"]),
        }
    }

    fn write(&self) -> Value {
        let mut entry = json!({
            "manager": self.manager, "operation": self.operation, "apiVersion": self.api_version,
            "time": self.time, "fieldsType": "FieldsV1", "fieldsV1": self.fields.to_fields_v1(),
        });
        if !self.subresource.is_empty() {
            entry["subresource"] = self.subresource.as_str().into();
        }
        entry
    }

    /// As messages about conflicts name it.
    pub(crate) fn name(&self) -> String {
        let mut name = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            name = format!("{name} with subresource {:?}", self.subresource);
        }
        if self.operation == "Update" {
            name = format!("{name} using {} at {}", self.api_version, self.time);
        }
        name
    }
}

/// The entries of an object.
pub(crate) struct Managers(pub(crate) Vec<Entry>);

impl Managers {
    fn of(object: &Value) -> Self {
        let entries = object["metadata"]["managedFields"].as_array();
        let entries = entries.into_iter().flatten().map(Entry::read);
        // `[{}]` says that nobody holds anything.
        Self(entries.filter(|entry| !entry.manager.is_empty()).collect())
    }

    fn fields(&self, writer: &Writer<'_>, operation: &str) -> FieldSet {
        let found = self.0.iter().find(|entry| entry.is(writer, operation));
        found.map(|entry| entry.fields.clone()).unwrap_or_default()
    }

    fn set(
        &mut self,
        writer: &Writer<'_>,
        operation: &'static str,
        object: &Value,
        fields: FieldSet,
    ) {
        self.0.retain(|entry| !entry.is(writer, operation));
        self.0.push(Entry {
            manager: writer.manager.to_owned(),
            operation,
            subresource: writer.subresource.to_owned(),
            api_version: text(&object["apiVersion"]),
            time: now(),
            fields,
        });
    }

    /// What somebody else has changed or taken away is nobody else's any more.
    fn lose(&mut self, writer: &Writer<'_>, operation: &str, comparison: &Comparison) {
        for entry in self
            .0
            .iter_mut()
            .filter(|entry| !entry.is(writer, operation))
        {
            for fields in [&comparison.modified, &comparison.added, &comparison.removed] {
                entry.fields.subtract(fields);
            }
        }
    }

    fn write(mut self, object: &mut Value) {
        self.0.retain(|entry| !entry.fields.is_empty());
        let entries: Vec<Value> = self.0.iter().map(Entry::write).collect();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
            if !entries.is_empty() {
                metadata.insert("managedFields".into(), entries.into());
            }
        }
    }
}

/// The object after an apply of `config`; `live` is `None` where there is no object.
pub(crate) fn apply(
    resource: &ResourceType,
    live: Option<&Value>,
    config: &Value,
    writer: &Writer<'_>,
    force: bool,
) -> Result<Value, Failure> {
    let mut managers = live.map_or(Managers(Vec::new()), Managers::of);
    let last = managers.fields(writer, "Apply");
    let live = live.cloned().unwrap_or_else(|| skeleton(config));
    let mut merged = merge(resource, &mut Vec::new(), &live, config);
    managers.set(writer, "Apply", config, fields_of(resource, &owned(config)));
    let mut kept = FieldSet::default();
    for entry in &managers.0 {
        kept.union(&entry.fields);
    }
    // An item goes as a whole; of one that stays because of others, what tells it apart stays too.
    for path in last
        .0
        .iter()
        .filter(|path| !kept.reaches(path) && !is_key(path))
    {
        remove(resource, &mut merged, path, &kept);
    }
    let comparison = Comparison::of(resource, &owned(&live), &owned(&merged));
    if !force {
        refuse_conflicts(&managers, writer, &comparison)?;
    }
    managers.lose(writer, "Apply", &comparison);
    managers.write(&mut merged);
    Ok(merged)
}

/// The object after a write that is no apply, with what that says about its managers.
pub(crate) fn update(
    resource: &ResourceType,
    live: Option<&Value>,
    mut new: Value,
    writer: &Writer<'_>,
) -> Value {
    // Who writes may say who holds what: mostly as it was.
    let mut managers = live.map_or(Managers(Vec::new()), |_| Managers::of(&new));
    let old = live.cloned().unwrap_or_else(|| skeleton(&new));
    let comparison = Comparison::of(resource, &owned(&old), &owned(&new));
    managers.lose(writer, "Update", &comparison);
    if !comparison.is_same() {
        let mut fields = managers.fields(writer, "Update");
        fields.subtract(&comparison.removed);
        fields.union(&comparison.modified);
        fields.union(&comparison.added);
        managers.set(writer, "Update", &new, fields);
    }
    managers.write(&mut new);
    new
}

/// Whether two versions of an object say the same, but for the times in their managed fields and the version.
pub(crate) fn says_the_same(old: &Value, new: &Value) -> bool {
    let untimed = |object: &Value| {
        let mut object = object.clone();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
            let entries = metadata
                .get_mut("managedFields")
                .and_then(Value::as_array_mut);
            let entries = entries.map(std::mem::take).unwrap_or_default();
            let mut entries: Vec<Value> = entries
                .into_iter()
                .map(|mut entry| {
                    entry["time"] = Value::Null;
                    entry
                })
                .collect();
            entries.sort_by_key(Value::to_string);
            metadata.insert("managedFields".into(), entries.into());
        }
        object
    };
    untimed(old) == untimed(new)
}

/// Without what nobody owns: what names the object, and what only the server writes.
fn owned(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(members) = object.as_object_mut() {
        members.remove("apiVersion");
        members.remove("kind");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for name in SYSTEM_METADATA {
            metadata.remove(name);
        }
        metadata.remove("name");
        metadata.remove("namespace");
    }
    if object["metadata"] == json!({})
        && let Some(members) = object.as_object_mut()
    {
        members.remove("metadata");
    }
    object
}

/// Metadata that only the server writes.
pub(crate) const SYSTEM_METADATA: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

fn skeleton(object: &Value) -> Value {
    let mut metadata = Map::new();
    for name in ["name", "namespace"] {
        if let Some(value) = object["metadata"].get(name) {
            metadata.insert(name.into(), value.clone());
        }
    }
    json!({ "apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": metadata })
}

/// Now, as the API server writes it.
pub(crate) fn now() -> String {
    let now = Timestamp::now();
    now.round(Unit::Second).unwrap_or(now).to_string()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
