//! Functions beside those of the libraries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube_cel::cel::extractors::This;
use kube_cel::cel::{Context, ExecutionError, Value};
use regex::Regex;

/// Equality of numbers of different kinds.
pub(crate) const SAME: &str = "@same";

/// Adds them.
pub(crate) fn register(context: &mut Context<'_>) {
    context.add_function(SAME, |left: Value, right: Value| -> bool { left == right });
    context.add_function("dyn", |value: Value| -> Result<Value, ExecutionError> {
        Ok(value)
    });
    // Of a text, the library's own counts bytes.
    context.add_function("size", |This(value): This<Value>| size(&value));
    // The library's own compiles its pattern each time, which takes longer than everything else: in a loop, once an item.
    let patterns = Patterns::default();
    context.add_function(
        "matches",
        move |This(text): This<Arc<String>>, pattern: Arc<String>| {
            patterns.is_match(&pattern, &text)
        },
    );
}

/// Items of a list or a map, characters of a text, bytes.
fn size(value: &Value) -> Result<i64, ExecutionError> {
    let size = match value {
        Value::String(text) => text.chars().count(),
        Value::List(items) => items.len(),
        Value::Map(members) => members.map.len(),
        Value::Bytes(bytes) => bytes.len(),
        other => {
            let reason = format!("{} has no size", other.type_of());
            return Err(ExecutionError::function_error("size", reason));
        }
    };
    Ok(i64::try_from(size).unwrap_or(i64::MAX))
}

#[derive(Default)]
struct Patterns(Mutex<HashMap<Arc<String>, Regex>>);

impl Patterns {
    fn is_match(&self, pattern: &Arc<String>, text: &str) -> Result<bool, ExecutionError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(pattern) {
            return Ok(found.is_match(text));
        }
        let compiled =
            compile(pattern).map_err(|reason| ExecutionError::function_error("matches", reason))?;
        let is_match = compiled.is_match(text);
        known.insert(Arc::clone(pattern), compiled);
        Ok(is_match)
    }
}

/// A pattern, or why it is none.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default();
        format!(
            "{pattern:?} is no regular expression: {}",
            reason.trim_start_matches("error: ")
        )
    })
}
