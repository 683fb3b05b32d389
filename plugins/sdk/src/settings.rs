//! JSON that comes in: settings and objects.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Finding;

/// A plugin without settings: any that are given are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// Why a call cannot be answered.
pub(crate) enum Unusable {
    Settings(String),
    Input(String),
}

/// Reads settings; an error becomes a finding that names the place.
pub(crate) fn parse<T: DeserializeOwned>(settings: &str) -> Result<T, Box<Finding>> {
    let mut reader = serde_json::Deserializer::from_str(settings);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        // Line and column are of no use: nobody wrote this text.
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

/// Settings that were judged before.
pub(crate) fn usable<T: DeserializeOwned>(settings: &str) -> Result<T, Unusable> {
    parse(settings)
        .map_err(|finding| Unusable::Settings(format!("{}: {}", finding.field, finding.message)))
}

/// A document of the call itself.
pub(crate) fn input<T: DeserializeOwned>(what: &str, json: &str) -> Result<T, Unusable> {
    serde_json::from_str(json)
        .map_err(|error| Unusable::Input(format!("{what} cannot be read: {error}")))
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
    fn an_error_names_the_place() {
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
