//! The fields of something that is imported: whoever understands one takes it, and what is left is named.

use serde_json::{Map, Value};

/// Fields that nobody has taken yet, and what has to be said.
pub(super) struct Fields {
    path: String,
    left: Map<String, Value>,
    notes: Vec<String>,
}

impl Fields {
    pub(super) fn of(value: &Value, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            left: value.as_object().cloned().unwrap_or_default(),
            notes: Vec::new(),
        }
    }

    /// A field; nothing if it is not there, or says nothing.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let value = self.left.remove(name)?;
        (!says_nothing(&value)).then_some(value)
    }

    /// A field that is a text.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let value = self.take(name)?;
        match value {
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }

    /// A field that is true or false; nothing if nobody says which.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        self.left.remove(name)?.as_bool()
    }

    /// A field with fields of its own: what nobody takes of those is named, too.
    pub(super) fn inside<T>(&mut self, name: &str, read: impl FnOnce(&mut Fields) -> T) -> T {
        let value = self.left.remove(name).unwrap_or_default();
        let mut inner = Self::of(&value, &self.path_of(name));
        let answer = read(&mut inner);
        self.notes.extend(inner.into_notes());
        answer
    }

    /// Leaves a field out, and says why.
    pub(super) fn leave(&mut self, name: &str, why: &str) {
        if self.take(name).is_some() {
            let path = self.path_of(name);
            self.notes.push(format!("{path}: {why}"));
        }
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Says why nothing is made of it: then nothing else matters.
    pub(super) fn refuse(&mut self, why: &str) {
        self.left.clear();
        self.notes = vec![why.to_owned()];
    }

    /// What has to be said, and the fields that nobody has taken.
    pub(super) fn into_notes(self) -> Vec<String> {
        let prefix = &self.path;
        let left = self.left.iter().filter(|(_, value)| !says_nothing(value));
        let left = left.map(|(name, _)| {
            let dot = if prefix.is_empty() { "" } else { "." };
            format!("{prefix}{dot}{name}: an MCPServer has no such field, and it is left out")
        });
        self.notes.iter().cloned().chain(left).collect()
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}
