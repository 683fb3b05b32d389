//! What the API server does with an object by the structural schema of its definition: it names fields that the schema
//! does not know, fills in defaults, and says what does not fit, in its own words.
//!
//! Rules in CEL (`x-kubernetes-validations`) are not here: they need an interpreter.

mod defaults;
mod paths;
mod types;
mod unknown_fields;
mod violations;

use serde_json::Value;

pub(crate) use defaults::fill_in;
pub(crate) use paths::has;
pub(crate) use unknown_fields::{remove_unknown, unknown};
pub(crate) use violations::violations;

/// The schema of a member: of its own, or that of all members.
fn member<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let own = schema["properties"].get(name);
    own.or_else(|| {
        Some(&schema["additionalProperties"]).filter(|additional| additional.is_object())
    })
}

/// Whether members that the schema does not name are kept as they are.
fn is_free_form(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true
        || schema["additionalProperties"] == true
        || schema["x-kubernetes-embedded-resource"] == true
}

/// Path of a member, as the API server writes it.
fn child(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests;
