//! The fields that expressions can name: a misspelt one would be found by the first server, or never, inside of `has(..)`.

use serde_json::{Map, Value, json};

use crate::ast::{EACH, ITEM};

/// Made from the definition of MCPServers by the build script, which says what it looks like.
const SERVER: &str = include_str!(concat!(env!("OUT_DIR"), "/fields.json"));

pub(crate) struct Fields {
    roots: Value,
}

impl Fields {
    pub(crate) fn new() -> Self {
        let server: Value = serde_json::from_str(SERVER).unwrap_or_else(|_| json!(1));
        let map = json!({ "*": 0 });
        let roots = json!({
            "object": server,
            "oldObject": server,
            "namespaceObject": {
                "apiVersion": 0, "kind": 0, "metadata": { "name": 0, "labels": map, "annotations": map },
            },
            "request": {
                "operation": 0, "name": 0, "namespace": 0, "dryRun": 0,
                "kind": { "group": 0, "version": 0, "kind": 0 },
                "userInfo": { "username": 0, "uid": 0, "groups": [0], "extra": { "*": [0] } },
            },
            "rendered": [1],
            "params": 1,
        });
        Self { roots }
    }

    /// What is wrong with a path that begins with a name, in a sentence.
    pub(crate) fn complaint(&self, path: &[String]) -> Option<String> {
        let (root, rest) = path.split_first()?;
        let mut node = self.roots.get(root)?;
        let mut so_far = root.clone();
        for part in rest {
            node = match (node, part.as_str()) {
                (Value::Array(items), ITEM | EACH) => items.first()?,
                (Value::Object(fields), ITEM) => fields.get("*")?,
                // A loop over a map is one over its keys.
                (Value::Object(_), EACH) => &Value::Null,
                (Value::Object(fields), name) => {
                    let Some(field) = fields.get("*").or_else(|| fields.get(name)) else {
                        return Some(format!(
                            "{so_far} has no field {name}; it has {}",
                            nearest(fields, name)
                        ));
                    };
                    field
                }
                (Value::Number(number), _) if number.as_u64() == Some(1) => return None,
                (_, ITEM | EACH) => return Some(format!("{so_far} is neither a list nor a map")),
                (Value::Array(_), name) => {
                    return Some(format!("{so_far} is a list, and has no field {name}"));
                }
                (_, name) => return Some(format!("{so_far} has no field {name}, nor any other")),
            };
            if matches!(part.as_str(), ITEM | EACH) {
                so_far.push_str("[]");
            } else {
                so_far = format!("{so_far}.{part}");
            }
        }
        None
    }
}

/// Those that begin as a name that is not among them; all of them where none does.
fn nearest(fields: &Map<String, Value>, name: &str) -> String {
    let begins_alike = |field: &&str| {
        let alike = field.chars().zip(name.chars());
        alike.take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count() >= 3
    };
    let names = fields.keys().map(String::as_str);
    let mut near: Vec<&str> = names.clone().filter(begins_alike).collect();
    if near.is_empty() {
        near.extend(names);
    }
    near.join(", ")
}
