//! Types of values, as kube-openapi names them.

use serde_json::Value;

/// The types that a schema allows. None: any.
pub(crate) fn allowed(schema: &Value) -> Vec<&str> {
    if schema["x-kubernetes-int-or-string"] == true {
        vec!["integer", "string"]
    } else {
        schema["type"].as_str().into_iter().collect()
    }
}

/// The type that is wanted and the one that is there, if they do not fit.
pub(crate) fn mismatch(schema: &Value, value: &Value) -> Option<(String, &'static str)> {
    let allowed = allowed(schema);
    let found = name(value);
    let is_nullable = value.is_null() && schema["nullable"] == true;
    let is_number = found == "integer" && allowed.contains(&"number");
    if allowed.is_empty() || is_nullable || is_number || allowed.contains(&found) {
        return None;
    }
    // Text and lists are compared by type; for everything else a format is named, if there is one.
    match schema["format"].as_str() {
        Some(wanted) if matches!(value, Value::Number(_) | Value::Bool(_) | Value::Object(_)) => {
            Some((wanted.to_owned(), format(value)))
        }
        _ => Some((allowed.join(","), found)),
    }
}

/// Whether a whole number has room in what a schema calls `int32` or `int64`. Everything else has.
pub(crate) fn fits_format(schema: &Value, value: &Value) -> bool {
    match schema["format"].as_str() {
        Some("int32") => whole(value).is_some_and(|number| i32::try_from(number).is_ok()),
        Some("int64") => whole(value).is_some(),
        _ => true,
    }
}

fn whole(value: &Value) -> Option<i64> {
    // `2.0` is read as 2, and more digits than a float has are no matter of a format.
    value
        .as_i64()
        .or_else(|| value.to_string().strip_suffix(".0")?.parse().ok())
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if is_whole(number) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn format(value: &Value) -> &'static str {
    match value {
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        _ => "",
    }
}

/// `2.0` is an integer, too.
fn is_whole(number: &serde_json::Number) -> bool {
    !number.is_f64() || number.as_f64().is_some_and(|number| number.fract() == 0.0)
}
