//! One thing that is wrong at one place.

use serde::Serialize;
use serde_json::Value;

/// One thing that a rule says about a server, or about settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Stable identifier of the rule, kebab-case.
    pub code: String,
    /// Where: see [`Path`](crate::Path).
    pub field: String,
    /// One of Kubernetes' field error types.
    pub error_type: &'static str,
    /// What was found there, if it helps to see it.
    pub bad_value: Option<Value>,
    /// What is wrong and how to mend it.
    pub message: String,
    /// Whether it can refuse the object.
    pub severity: Severity,
}

/// Whether a finding can refuse an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It refuses where the plugin's mode is `enforce`.
    Error,
    /// It is only shown.
    Warning,
}

impl Finding {
    /// The value is not acceptable.
    pub fn invalid(
        code: &str,
        field: impl ToString,
        value: impl Serialize,
        message: impl Into<String>,
    ) -> Self {
        Self {
            bad_value: serde_json::to_value(value).ok(),
            ..Self::new(code, field, "Invalid", message)
        }
    }

    /// A value is missing.
    pub fn required(code: &str, field: impl ToString, message: impl Into<String>) -> Self {
        Self::new(code, field, "Required", message)
    }

    /// The value is acceptable in itself, but not here.
    pub fn forbidden(code: &str, field: impl ToString, message: impl Into<String>) -> Self {
        Self::new(code, field, "Forbidden", message)
    }

    /// The value is none of those that are supported.
    pub fn not_supported(
        code: &str,
        field: impl ToString,
        value: impl Serialize,
        supported: &[&str],
    ) -> Self {
        let supported: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
        let message = format!("supported values: {}", supported.join(", "));
        Self {
            bad_value: serde_json::to_value(value).ok(),
            ..Self::new(code, field, "NotSupported", message)
        }
    }

    /// Only shown, never a reason to refuse.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    fn new(
        code: &str,
        field: impl ToString,
        error_type: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            field: field.to_string(),
            error_type,
            bad_value: None,
            message: message.into(),
            severity: Severity::Error,
        }
    }
}
