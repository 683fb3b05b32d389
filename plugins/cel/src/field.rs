//! Where an error is shown, and the value that is there.

use serde_json::Value;

/// A field path in the notation of Kubernetes' errors, of the one that definitions have, too: `.metadata.labels['team']`.
pub(crate) fn normalized(path: &str) -> String {
    path.trim_start_matches('.')
        .replace("['", "[")
        .replace("']", "]")
        .replace("[\"", "[")
        .replace("\"]", "]")
}

/// The parts of a normalized path; `None` if it is none.
pub(crate) fn parts(path: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (key, after) = inside.split_once(']')?;
            parts.push(key.to_owned());
            rest = after;
        } else {
            // The first part has no dot before it, and every other one has.
            let name = match (rest.strip_prefix('.'), parts.is_empty()) {
                (Some(name), false) => name,
                (None, true) => rest,
                _ => return None,
            };
            let end = name.find(['.', '[']).unwrap_or(name.len());
            parts.push(name[..end].to_owned());
            rest = &name[end..];
        }
        if parts.last().is_none_or(String::is_empty) {
            return None;
        }
    }
    Some(parts)
}

/// The value there, if it is one that can be shown: a number, a truth value or a short text. What a server is given as
/// configuration or environment may be a credential.
pub(crate) fn shown(object: &Value, path: &str) -> Option<Value> {
    const MAX: usize = 128;
    let parts = parts(path)?;
    if matches!(
        parts.get(1).map(String::as_str),
        Some("config" | "env" | "args" | "command")
    ) {
        return None;
    }
    let value = parts.iter().try_fold(object, |value, part| match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        other => other.get(part.as_str()),
    })?;
    match value {
        Value::String(text) if text.len() > MAX => None,
        Value::Number(_) | Value::Bool(_) | Value::String(_) => Some(value.clone()),
        _ => None,
    }
}
