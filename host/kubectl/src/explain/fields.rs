//! Fields of objects, and their paths.

use serde_json::Value;

/// A field that is set: the names on the way to it, and its value. Lists are one field.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    pub(super) names: Vec<&'a str>,
    pub(super) value: &'a Value,
}

impl Field<'_> {
    /// As fields are written: `spec.resources.limits.cpu`, `metadata.labels[team]`.
    pub(super) fn path(&self) -> String {
        path(&self.names)
    }
}

fn path(names: &[&str]) -> String {
    let mut path = String::new();
    for (depth, name) in names.iter().enumerate() {
        let is_key = depth == 2 && names[0] == "metadata";
        let is_plain = name.starts_with(|it: char| it.is_ascii_alphabetic())
            && name.chars().all(|it| it.is_ascii_alphanumeric());
        path = match path.as_str() {
            _ if is_key || !is_plain => format!("{path}[{name}]"),
            "" => (*name).to_owned(),
            _ => format!("{path}.{name}"),
        };
    }
    path
}

/// The specification, labels and annotations, without what the operator and kubectl note for themselves.
pub(super) fn set_fields(server: &Value) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    for part in ["labels", "annotations"] {
        let before = fields.len();
        collect(
            &server["metadata"][part],
            &mut vec!["metadata", part],
            &mut fields,
        );
        let own = |field: &Field<'_>| {
            let name = field.names.last().copied().unwrap_or_default();
            name.starts_with("mcp.litellm.ai/") || name.starts_with("kubectl.kubernetes.io/")
        };
        let kept: Vec<Field<'_>> = fields
            .split_off(before)
            .into_iter()
            .filter(|it| !own(it))
            .collect();
        fields.extend(kept);
    }
    collect(&server["spec"], &mut vec!["spec"], &mut fields);
    fields
}

fn collect<'a>(value: &'a Value, names: &mut Vec<&'a str>, fields: &mut Vec<Field<'a>>) {
    match value {
        Value::Null => {}
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                names.push(name);
                collect(member, names, fields);
                names.pop();
            }
        }
        value => fields.push(Field {
            names: names.clone(),
            value,
        }),
    }
}

/// Whether the second field is the first, or in it.
pub(super) fn holds(outer: &str, inner: &str) -> bool {
    let rest = inner.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The fields of an entry of `managedFields`, as paths.
pub(super) fn owned(fields: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(fields, "", &mut found);
    found
}

fn walk(fields: &Value, path: &str, found: &mut Vec<String>) {
    let members = fields.as_object().into_iter().flatten();
    let mut inner = members.filter(|(name, _)| *name != ".").peekable();
    if inner.peek().is_none() && !path.is_empty() {
        found.push(path.to_owned());
    }
    for (name, member) in inner {
        let path = match name.split_at_checked(2) {
            Some(("f:", name)) if name.contains(['.', '/', '-']) => format!("{path}[{name}]"),
            Some(("f:", name)) if path.is_empty() => name.to_owned(),
            Some(("f:", name)) => format!("{path}.{name}"),
            Some((_, key)) => format!("{path}[{}]", index(key)),
            None => continue,
        };
        walk(member, &path, found);
    }
}

/// `{"name":"server"}` as `name=server`.
fn index(key: &str) -> String {
    let Ok(Value::Object(members)) = serde_json::from_str(key) else {
        return key.to_owned();
    };
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{name}={}", text(value)))
        .collect();
    members.join(",")
}
