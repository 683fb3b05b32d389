//! Paths of fields, as errors have them: `spec.secrets[0].awsSecretKey`, `metadata.labels[team]`.

use serde_json::Value;

use super::{is_free_form, member};

/// Whether the schema has a place of this path.
pub(crate) fn has(schema: &Value, path: &str) -> bool {
    let mut schema = schema;
    let mut rest = path;
    loop {
        let (name, after) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
        if name.is_empty() {
            return false;
        }
        if is_free_form(schema) {
            return true;
        }
        let Some(inner) = member(schema, name) else {
            return false;
        };
        schema = inner;
        rest = after;
        while let Some(bracket) = rest.strip_prefix('[') {
            let Some((inside, after)) = bracket.split_once(']') else {
                return false;
            };
            let Some(inner) = bracketed(schema, inside) else {
                return false;
            };
            schema = inner;
            rest = after;
        }
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None => return rest.is_empty(),
        }
    }
}

/// An item of a list, or an entry of a map.
fn bracketed<'a>(schema: &'a Value, inside: &str) -> Option<&'a Value> {
    if schema["items"].is_object() {
        return inside.parse::<usize>().ok().map(|_| &schema["items"]);
    }
    let is_map = schema["additionalProperties"].is_object() || is_free_form(schema);
    is_map.then_some(&schema["additionalProperties"])
}
