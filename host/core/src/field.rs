//! Field errors: what is wrong with one field of an object, worded as the API server words its own (apimachinery's
//! `field.Error`).

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

/// Kind of a field error. The wording and the reasons are those of apimachinery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorType {
    /// The value is not acceptable.
    Invalid,
    /// The value is of another type than the schema says.
    TypeInvalid,
    /// A value is missing.
    Required,
    /// The value is not one of a fixed set.
    NotSupported,
    /// The value is acceptable in itself, but not here or not now.
    Forbidden,
    /// The value occurs twice.
    Duplicate,
    /// The value is too long.
    TooLong,
    /// The list is too long.
    TooMany,
    /// The value names something that does not exist.
    NotFound,
}

impl ErrorType {
    /// Reads the word that the plugin contract uses. Unknown words mean `Invalid`.
    pub fn from_word(word: &str) -> Self {
        match word {
            "Required" => Self::Required,
            "NotSupported" => Self::NotSupported,
            "Forbidden" => Self::Forbidden,
            "Duplicate" => Self::Duplicate,
            "TooLong" => Self::TooLong,
            "TooMany" => Self::TooMany,
            "NotFound" => Self::NotFound,
            _ => Self::Invalid,
        }
    }

    /// Value of `reason` in a `StatusCause`.
    pub fn cause_reason(self) -> &'static str {
        match self {
            Self::Invalid => "FieldValueInvalid",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::Required => "FieldValueRequired",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::Duplicate => "FieldValueDuplicate",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::NotFound => "FieldValueNotFound",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::Required => "Required value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::Duplicate => "Duplicate value",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::NotFound => "Not found",
        }
    }

    fn shows_value(self) -> bool {
        !matches!(self, Self::Required | Self::Forbidden | Self::TooLong)
    }
}

/// What is wrong with one field of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Path in apimachinery's notation, `spec.secrets[0].awsSecretKey`. Empty: the whole object.
    pub field: String,
    /// Kind of error.
    pub error_type: ErrorType,
    /// The value that was found, if showing it helps.
    pub bad_value: Option<Value>,
    /// What is wrong and how to correct it.
    pub message: String,
    /// Stable identifier of the rule.
    pub code: String,
}

impl FieldError {
    /// The error without its path: `Invalid value: "latest": image tag must be ...`.
    pub fn body(&self) -> String {
        let mut body = self.error_type.label().to_owned();
        if let Some(value) = &self.bad_value
            && self.error_type.shows_value()
        {
            body = format!("{body}: {value}");
        }
        if self.message.is_empty() {
            body
        } else {
            format!("{body}: {}", self.message)
        }
    }

    fn sort_key(&self) -> (&str, &str, ErrorType, &str) {
        (&self.field, &self.code, self.error_type, &self.message)
    }

    /// Errors are shown in the order of fields, then of rules. Those that are equal stand beside each other.
    pub(crate) fn cmp_shown(&self, other: &Self) -> Ordering {
        let value = |error: &Self| error.bad_value.as_ref().map(Value::to_string);
        let keys = self.sort_key().cmp(&other.sort_key());
        keys.then_with(|| value(self).cmp(&value(other)))
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.body())
        } else {
            write!(f, "{}: {}", self.field, self.body())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn errors_read_as_those_of_the_api_server() {
        let tag = FieldError {
            field: "spec.image.tag".into(),
            error_type: ErrorType::Invalid,
            bad_value: Some(json!("latest")),
            message: "image tag must be specified and cannot be 'latest'".into(),
            code: "image-tag".into(),
        };
        assert_eq!(
            tag.to_string(),
            r#"spec.image.tag: Invalid value: "latest": image tag must be specified and cannot be 'latest'"#
        );
        let limits = FieldError {
            field: "spec.resources.limits".into(),
            error_type: ErrorType::Required,
            bad_value: Some(json!({})),
            message: "CPU and memory limits must be defined (OPA requirement)".into(),
            code: "resource-limits".into(),
        };
        assert_eq!(
            limits.to_string(),
            "spec.resources.limits: Required value: CPU and memory limits must be defined (OPA requirement)"
        );
    }

    #[test]
    fn an_unknown_word_is_an_invalid_value() {
        assert_eq!(ErrorType::from_word("Surprising"), ErrorType::Invalid);
        assert_eq!(ErrorType::from_word("Required"), ErrorType::Required);
    }
}
