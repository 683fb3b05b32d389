//! Between the contract's types and the core's. What plugins say is data here, and judged elsewhere.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation};
use mcp_operator_core::admission::Finding;
use mcp_operator_core::field::{ErrorType, FieldError};
use mcp_operator_core::patch::ObjectPatch;
use mcp_plugin_host::contract::{self, Severity};
use serde_json::Value;

/// Longest text of a plugin that goes into an error, in bytes: an answer to a user is no place for novels.
const LONGEST_TEXT: usize = 4096;

/// A finding.
pub(super) fn finding(said: contract::Finding) -> Finding {
    let error = FieldError {
        field: cut(said.field),
        error_type: ErrorType::from_word(&said.error_type),
        bad_value: said.bad_value.map(|value| {
            // What is no JSON is shown as the text that it is.
            serde_json::from_str(&value).unwrap_or(Value::String(cut(value)))
        }),
        message: cut(said.message),
        code: cut(said.code),
    };
    Finding {
        error,
        warning: said.severity == Severity::Warning,
    }
}

/// The same error, seen from further above.
pub(super) fn below(parent: &str, mut error: FieldError) -> FieldError {
    let dot = if error.field.is_empty() || error.field.starts_with('[') {
        ""
    } else {
        "."
    };
    error.field = format!("{parent}{dot}{}", error.field);
    error
}

/// A patch; the text says which operation cannot be read.
pub(super) fn patch(said: contract::Patch) -> Result<ObjectPatch, String> {
    let operations = said
        .operations
        .into_iter()
        .map(operation)
        .collect::<Result<_, _>>();
    let code = cut(said.code);
    let object = usize::try_from(said.object).unwrap_or(usize::MAX);
    operations
        .map(|operations| ObjectPatch {
            object,
            operations,
            code: code.clone(),
        })
        .map_err(|why| format!("rule {code}: {why}"))
}

fn operation(said: contract::PatchOperation) -> Result<PatchOperation, String> {
    Ok(match said {
        contract::PatchOperation::Add(change) => PatchOperation::Add(AddOperation {
            path: pointer(&change.path)?,
            value: value(&change)?,
        }),
        contract::PatchOperation::Replace(change) => PatchOperation::Replace(ReplaceOperation {
            path: pointer(&change.path)?,
            value: value(&change)?,
        }),
        contract::PatchOperation::Remove(path) => PatchOperation::Remove(RemoveOperation {
            path: pointer(&path)?,
        }),
    })
}

fn pointer(path: &str) -> Result<PointerBuf, String> {
    PointerBuf::parse(path).map_err(|error| format!("{path:?} is no JSON Pointer: {error}"))
}

fn value(change: &contract::PathValue) -> Result<Value, String> {
    serde_json::from_str(&change.value)
        .map_err(|error| format!("the value for {} is no JSON: {error}", change.path))
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LONGEST_TEXT));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(field: &str) -> contract::Finding {
        contract::Finding {
            code: "c".into(),
            field: field.into(),
            error_type: "Required".into(),
            bad_value: Some("not json".into()),
            message: "m".repeat(10_000),
            severity: Severity::Warning,
        }
    }

    #[test]
    fn texts_are_bounded() {
        let finding = finding(said("a"));
        assert!(finding.warning);
        assert_eq!(finding.error.message.len(), LONGEST_TEXT);
        assert_eq!(
            finding.error.bad_value,
            Some(Value::String("not json".into()))
        );
    }

    #[test]
    fn settings_are_seen_from_the_resource() {
        for (field, seen) in [
            ("a.b", "spec.settings.a.b"),
            ("[0]", "spec.settings[0]"),
            ("", "spec.settings"),
        ] {
            assert_eq!(
                below("spec.settings", finding(said(field)).error).field,
                seen
            );
        }
    }

    #[test]
    fn an_operation_that_cannot_be_read_is_named() {
        let change = |path: &str, value: &str| contract::PathValue {
            path: path.into(),
            value: value.into(),
        };
        let patch = |operation| {
            super::patch(contract::Patch {
                object: 0,
                code: "c".into(),
                operations: vec![operation],
            })
        };
        assert!(
            patch(contract::PatchOperation::Add(change("/a", "{")))
                .unwrap_err()
                .contains("the value for /a is no JSON")
        );
        assert!(
            patch(contract::PatchOperation::Remove("a".into()))
                .unwrap_err()
                .contains("is no JSON Pointer")
        );
        assert!(patch(contract::PatchOperation::Replace(change("/a", "1"))).is_ok());
    }
}
