//! What does not fit a schema.

use std::collections::BTreeSet;

use mcp_operator_core::field::{ErrorType, FieldError};
use regex::Regex;
use serde_json::{Map, Value};

use super::{child, member, types};

/// Everything that does not fit the schema, in the API server's words, by place.
pub(crate) fn violations(schema: &Value, object: &Value) -> Vec<FieldError> {
    let mut found = Vec::new();
    visit(schema, object, "", &mut found);
    found.sort_by(|a, b| place(a).cmp(&place(b)));
    found
}

fn place(error: &FieldError) -> (&str, ErrorType, &str) {
    (&error.field, error.error_type, &error.message)
}

fn visit(schema: &Value, value: &Value, path: &str, found: &mut Vec<FieldError>) {
    if let Some((wanted, is)) = types::mismatch(schema, value) {
        let message = format!("{path} in body must be of type {wanted}: {is:?}");
        let shown = Some(Value::from(is));
        found.push(error(path, ErrorType::TypeInvalid, shown, message));
    }
    found.extend(not_supported(schema, value, path));
    match value {
        Value::Number(_) => numbers(schema, value, path, found),
        Value::String(text) => texts(schema, text, path, found),
        Value::Object(members) => objects(schema, members, path, found),
        Value::Array(items) => lists(schema, items, path, found),
        Value::Null | Value::Bool(_) => {}
    }
}

fn not_supported(schema: &Value, value: &Value, path: &str) -> Option<FieldError> {
    let supported = schema["enum"].as_array()?;
    if value.is_null() || supported.contains(value) {
        return None;
    }
    let quoted = supported.iter().map(|value| match value {
        Value::String(text) => format!("{text:?}"),
        other => format!("{:?}", other.to_string()),
    });
    let message = format!(
        "supported values: {}",
        quoted.collect::<Vec<_>>().join(", ")
    );
    let shown = Some(value.clone());
    Some(error(path, ErrorType::NotSupported, shown, message))
}

fn numbers(schema: &Value, value: &Value, path: &str, found: &mut Vec<FieldError>) {
    let Some(number) = value.as_f64() else { return };
    if !types::fits_format(schema, value) {
        let (wanted, format) = (types::allowed(schema).join(","), &schema["format"]);
        let format = format.as_str().unwrap_or_default();
        let message =
            format!("Checked value must be of type {wanted} with format {format} in {path}");
        let shown = Some(Value::from(""));
        found.push(error("<nil>", ErrorType::Invalid, shown, message));
    }
    let mut bound = |keyword: &str, breaks: fn(f64, f64) -> bool, words: &str| {
        if let Some(bound) = schema[keyword].as_f64()
            && breaks(number, bound)
        {
            found.push(invalid(path, value, &format!("{words} {bound}")));
        }
    };
    let greater = "should be greater than or equal to";
    bound("minimum", |number, bound| number < bound, greater);
    let less = "should be less than or equal to";
    bound("maximum", |number, bound| number > bound, less);
}

/// The API server tells the first of these alone.
fn texts(schema: &Value, text: &str, path: &str, found: &mut Vec<FieldError>) {
    let characters = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    let value = Value::from(text);
    if let Some(longest) = schema["maxLength"].as_u64()
        && characters > longest
    {
        let bytes = if longest == 1 { "byte" } else { "bytes" };
        let message = format!("may not be more than {longest} {bytes}");
        found.push(error(path, ErrorType::TooLong, None, message));
    } else if let Some(shortest) = schema["minLength"].as_u64()
        && characters < shortest
    {
        let words = format!("should be at least {shortest} chars long");
        found.push(invalid(path, &value, &words));
    } else if let Some(pattern) = schema["pattern"].as_str()
        && Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text))
    {
        found.push(invalid(path, &value, &format!("should match '{pattern}'")));
    }
}

fn objects(schema: &Value, members: &Map<String, Value>, path: &str, found: &mut Vec<FieldError>) {
    let required = schema["required"].as_array().into_iter().flatten();
    let missing = required
        .filter_map(Value::as_str)
        .filter(|name| !members.contains_key(*name));
    found.extend(
        missing.map(|name| error(&child(path, name), ErrorType::Required, None, String::new())),
    );
    let count = members.len();
    if let Some(most) = schema["maxProperties"].as_u64()
        && u64::try_from(count).is_ok_and(|count| count > most)
    {
        found.push(too_many(path, count, most));
    }
    for (name, value) in members {
        if let Some(schema) = member(schema, name) {
            visit(schema, value, &child(path, name), found);
        }
    }
}

fn lists(schema: &Value, items: &[Value], path: &str, found: &mut Vec<FieldError>) {
    let count = items.len();
    if let Some(most) = schema["maxItems"].as_u64()
        && u64::try_from(count).is_ok_and(|count| count > most)
    {
        found.push(too_many(path, count, most));
    }
    if let Some(fewest) = schema["minItems"].as_u64()
        && u64::try_from(count).is_ok_and(|count| count < fewest)
    {
        let words = format!("should have at least {fewest} items");
        found.push(invalid(path, &Value::from(items.to_vec()), &words));
    }
    let keys =
        (schema["x-kubernetes-list-type"] == "map").then(|| &schema["x-kubernetes-list-map-keys"]);
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let path = format!("{path}[{index}]");
        visit(&schema["items"], item, &path, found);
        if let Some(keys) = keys {
            let key = key(keys, item);
            if !seen.insert(Value::from(key.clone()).to_string()) {
                let shown = Some(Value::from(key));
                found.push(error(&path, ErrorType::Duplicate, shown, String::new()));
            }
        }
    }
}

fn too_many(path: &str, count: usize, most: u64) -> FieldError {
    let items = if most == 1 { "item" } else { "items" };
    let message = format!("must have at most {most} {items}");
    error(path, ErrorType::TooMany, Some(Value::from(count)), message)
}

/// The members of an item that tell it from others.
fn key(keys: &Value, item: &Value) -> Map<String, Value> {
    let keys = keys.as_array().into_iter().flatten();
    keys.filter_map(Value::as_str)
        .filter_map(|key| Some((key.to_owned(), item.get(key)?.clone())))
        .collect()
}

fn invalid(path: &str, value: &Value, words: &str) -> FieldError {
    let message = format!("{path} in body {words}");
    error(path, ErrorType::Invalid, Some(value.clone()), message)
}

fn error(
    path: &str,
    error_type: ErrorType,
    bad_value: Option<Value>,
    message: String,
) -> FieldError {
    FieldError {
        field: path.to_owned(),
        error_type,
        bad_value,
        message,
        code: "schema".to_owned(),
    }
}
