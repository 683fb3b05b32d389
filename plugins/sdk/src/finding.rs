//! Findings: what is wrong with an object, and where.

use serde::Serialize;
use serde_json::Value;

/// One violation of a rule by a server, or one mistake in settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule: a stable identifier in kebab-case, as in [`Description::rule`](crate::Description::rule).
    pub code: String,
    /// The field path, in the notation of [`Path`](crate::Path); empty for the whole object.
    pub field: String,
    /// One of Kubernetes' field error types: `Invalid`, `Required`, `Forbidden` or `NotSupported`.
    pub error_type: &'static str,
    /// The value of the field, if the message should show it.
    pub bad_value: Option<Value>,
    /// What is wrong and how to fix it.
    pub message: String,
    /// Whether it can deny the object.
    pub severity: Severity,
}

/// Whether a finding can deny a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It denies the request if the plugin's mode is `enforce`.
    Error,
    /// It is shown to the user and never denies.
    Warning,
}

impl Finding {
    /// The value of a field is not acceptable.
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

    /// A required field is missing.
    pub fn required(code: &str, field: impl ToString, message: impl Into<String>) -> Self {
        Self::new(code, field, "Required", message)
    }

    /// The value would be acceptable, but not in this context.
    pub fn forbidden(code: &str, field: impl ToString, message: impl Into<String>) -> Self {
        Self::new(code, field, "Forbidden", message)
    }

    /// The value is none of `supported`, which the message lists.
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

    /// Turns it into a [`Severity::Warning`].
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
