//! Parses the JSON documents of a call: settings and objects.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Finding;

/// The settings of a plugin that has none; any member is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// Why the input of a call cannot be parsed.
pub(crate) enum InputError {
    Settings(String),
    Document(String),
}

/// Parses settings; an error becomes a finding that names the field.
pub(crate) fn parse<T: DeserializeOwned>(settings: &str) -> Result<T, Box<Finding>> {
    // Settings are in order at nearly every call: where an error is, is looked for only where there is one.
    if let Ok(settings) = serde_json::from_str(settings) {
        return Ok(settings);
    }
    let mut reader = serde_json::Deserializer::from_str(settings);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        // The operator made this text, so line and column mean nothing to the user.
        let message = error.inner().to_string();
        let message = message
            .split(" at line ")
            .next()
            .unwrap_or_default()
            .to_owned();
        let field = if path == "." { String::new() } else { path };
        Box::new(Finding {
            bad_value: None,
            ..Finding::invalid("settings", field, (), message)
        })
    })
}

/// Parses settings that were accepted before.
pub(crate) fn parse_checked<T: DeserializeOwned>(settings: &str) -> Result<T, InputError> {
    parse(settings)
        .map_err(|finding| InputError::Settings(format!("{}: {}", finding.field, finding.message)))
}

/// Parses another document; `what` names it in the error.
pub(crate) fn parse_document<T: DeserializeOwned>(what: &str, json: &str) -> Result<T, InputError> {
    serde_json::from_str(json)
        .map_err(|error| InputError::Document(format!("{what} cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Settings {
        #[serde(default)]
        allowed_registries: Vec<String>,
    }

    #[test]
    fn an_error_names_the_field() {
        let finding = parse::<Settings>(r#"{"allowedRegistries": ["a", 1]}"#).unwrap_err();
        assert_eq!(finding.field, "allowedRegistries[1]");
        assert_eq!(
            finding.message,
            "invalid type: integer `1`, expected a string"
        );
        let finding = parse::<Settings>(r#"{"allowedRegistry": []}"#).unwrap_err();
        assert_eq!(finding.field, "allowedRegistry");
        assert!(finding.message.contains("expected `allowedRegistries`"));
        assert!(
            parse::<Settings>("{}")
                .unwrap()
                .allowed_registries
                .is_empty()
        );
    }
}
