//! Between the contract's types and the core's. What plugins say is data here, and judged elsewhere.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation};
use mcp_operator_core::admission::Finding;
use mcp_operator_core::field::{ErrorType, FieldError};
use mcp_operator_core::patch::ObjectPatch;
use mcp_plugin_host::contract::{self, Severity};
use serde_json::Value;

use mcp_operator_core::text::one_line;

/// Longest text of a plugin that goes into an error, in bytes: an answer to a user is no place for novels.
const LONGEST_TEXT: usize = 1024;
/// The most findings of one answer that are shown one by one.
const MOST_FINDINGS: usize = 100;
/// Rule of the finding that stands for those that are not shown.
const MORE: &str = "more-findings";

/// The findings of one answer.
pub(super) fn findings(said: Vec<contract::Finding>) -> Vec<Finding> {
    bounded(said.into_iter().map(finding).collect())
}

/// No more findings than anybody reads, errors first: an object may have a fault in each of ten thousand items.
pub(super) fn bounded(findings: Vec<Finding>) -> Vec<Finding> {
    if findings.len() <= MOST_FINDINGS {
        return findings;
    }
    let (warnings, errors): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.warning);
    let errors_left_out = errors.len() > MOST_FINDINGS;
    let left_out = errors.len() + warnings.len() - MOST_FINDINGS;
    let shown = errors.into_iter().chain(warnings).take(MOST_FINDINGS);
    let more = Finding {
        error: FieldError {
            field: String::new(),
            error_type: ErrorType::TooMany,
            bad_value: None,
            message: format!("and {left_out} more findings"),
            code: MORE.into(),
        },
        warning: !errors_left_out,
        excepted: None,
    };
    shown.chain([more]).collect()
}

/// A finding.
fn finding(said: contract::Finding) -> Finding {
    let error = FieldError {
        field: short(&said.field),
        error_type: ErrorType::from_word(&said.error_type),
        bad_value: said.bad_value.as_deref().map(bad_value),
        message: short(&said.message),
        code: short(&said.code),
    };
    Finding {
        error,
        warning: said.severity == Severity::Warning,
        excepted: None,
    }
}

/// What is no JSON, or too long to be shown as such, is shown as the text that it is.
fn bad_value(said: &str) -> Value {
    let is_short = said.len() <= LONGEST_TEXT;
    let read = is_short.then(|| serde_json::from_str(said).ok()).flatten();
    read.unwrap_or_else(|| Value::String(short(said)))
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

/// The patches of one answer; the text says which operation cannot be read.
pub(super) fn patches(said: Vec<contract::Patch>) -> Result<Vec<ObjectPatch>, String> {
    said.into_iter().map(patch).collect()
}

fn patch(said: contract::Patch) -> Result<ObjectPatch, String> {
    let code = short(&said.code);
    let operations = said.operations.into_iter().map(operation);
    Ok(ObjectPatch {
        object: usize::try_from(said.object).unwrap_or(usize::MAX),
        operations: operations
            .collect::<Result<_, _>>()
            .map_err(|why| format!("rule {code}: {why}"))?,
        code,
    })
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
    PointerBuf::parse(path)
        .map_err(|error| format!("{:?} is no JSON Pointer: {error}", short(path)))
}

fn value(change: &contract::PathValue) -> Result<Value, String> {
    serde_json::from_str(&change.value)
        .map_err(|error| format!("the value for {} is no JSON: {error}", short(&change.path)))
}

/// One line, and not too long: API servers drop warnings with line breaks.
pub(super) fn short(text: &str) -> String {
    one_line(text, LONGEST_TEXT)
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
    fn texts_are_bounded_and_of_one_line() {
        let finding = finding(contract::Finding {
            message: format!("a\nb{}", "m".repeat(10_000)),
            ..said("a")
        });
        assert!(finding.warning);
        assert_eq!(finding.error.message.len(), LONGEST_TEXT);
        assert!(finding.error.message.starts_with("a bm"));
        assert_eq!(
            finding.error.bad_value,
            Some(Value::String("not json".into()))
        );
    }

    #[test]
    fn a_large_value_is_shown_as_the_beginning_of_its_text() {
        let large = format!("[{}]", "1,".repeat(10_000));
        assert_eq!(bad_value("[1]"), serde_json::json!([1]));
        let Value::String(shown) = bad_value(&large) else {
            panic!("it is shown as JSON")
        };
        assert_eq!(shown.len(), LONGEST_TEXT);
    }

    #[test]
    fn of_too_many_findings_errors_are_shown_first_and_the_rest_is_counted() {
        let mut many = vec![said("warned"); 1000];
        many.push(contract::Finding {
            severity: Severity::Error,
            ..said("refused")
        });
        let shown = findings(many);
        assert_eq!(shown.len(), MOST_FINDINGS + 1);
        assert_eq!(shown[0].error.field, "refused");
        let last = &shown[MOST_FINDINGS];
        assert_eq!(last.error.message, "and 901 more findings");
        assert!(last.warning, "no error is left out");
        assert_eq!(
            findings(vec![said("a"); MOST_FINDINGS]).len(),
            MOST_FINDINGS
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
