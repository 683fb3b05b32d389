//! `MCPPlugin.spec.settings`: what a ValidatingAdmissionPolicy holds, with a name, a field and a severity for each validation.

use mcp_plugin_sdk::Severity;
use serde::Deserialize;
use serde_json::Value;

/// JSON Schema of the settings, for tools.
pub(crate) const SCHEMA: &str = include_str!("settings.schema.json");

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Settings {
    /// What expressions call `params`.
    #[serde(default)]
    pub(crate) params: Value,
    /// Servers that are not judged: those for which one of these is false.
    #[serde(default)]
    pub(crate) match_conditions: Vec<MatchCondition>,
    /// What expressions call `variables.<name>`.
    #[serde(default)]
    pub(crate) variables: Vec<Variable>,
    /// What must be true.
    #[serde(default)]
    pub(crate) validations: Vec<Validation>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MatchCondition {
    pub(crate) name: String,
    pub(crate) expression: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) expression: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Validation {
    /// Code of its findings. By default, its position: `validation-0`.
    #[serde(default)]
    pub(crate) name: Option<String>,
    pub(crate) expression: String,
    #[serde(default)]
    pub(crate) message: Option<String>,
    /// Makes the message. What fails, or is not one line of text, leaves `message`.
    #[serde(default)]
    pub(crate) message_expression: Option<String>,
    #[serde(default)]
    pub(crate) reason: Reason,
    /// Where users see the error.
    #[serde(default)]
    pub(crate) field_path: Option<String>,
    #[serde(default)]
    pub(crate) severity: SeverityName,
    /// As those of all validations, for this one.
    #[serde(default)]
    pub(crate) match_conditions: Vec<MatchCondition>,
}

impl Validation {
    /// The code of its findings.
    pub(crate) fn code(&self, index: usize) -> String {
        self.name
            .clone()
            .unwrap_or_else(|| format!("validation-{index}"))
    }
}

/// Kubernetes has two sets of words for it: those of policies and those of rules in definitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum Reason {
    #[default]
    #[serde(alias = "FieldValueInvalid")]
    Invalid,
    #[serde(alias = "FieldValueForbidden", alias = "Unauthorized")]
    Forbidden,
    #[serde(alias = "FieldValueRequired")]
    Required,
    #[serde(alias = "FieldValueDuplicate")]
    Duplicate,
    #[serde(alias = "RequestEntityTooLarge")]
    TooLong,
}

impl Reason {
    /// The type of a field error.
    pub(crate) fn error_type(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::Forbidden => "Forbidden",
            Self::Required => "Required",
            Self::Duplicate => "Duplicate",
            Self::TooLong => "TooLong",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SeverityName {
    #[default]
    Error,
    Warning,
}

impl From<SeverityName> for Severity {
    fn from(name: SeverityName) -> Self {
        match name {
            SeverityName::Error => Self::Error,
            SeverityName::Warning => Self::Warning,
        }
    }
}
