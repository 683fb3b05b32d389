//! ConfigMap: `spec.config`, as a file and as environment variables.
//!
//! Each content has a ConfigMap of its own, which never changes: pods of an older template may have to restart while a rollout
//! goes on, or is stuck, and find what they were made with. [`crate::older_templates`] says when it goes.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value};

use super::metadata::{child_name, object_meta};
use crate::content_digest::digest;
use crate::field::{ErrorType, FieldError};
use crate::validated_server::ValidatedServer;
use crate::yaml;

/// Variables that decide how a program is started: `config.path` is about the MCP server, but as `PATH` it would keep the
/// program from being found.
const RESERVED_ENV_NAMES: [&str; 11] = [
    "", "HOME", "HOSTNAME", "IFS", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "TMPDIR", "USER",
];
/// Prefix of the variables that the dynamic linker reads.
const RESERVED_ENV_PREFIX: &str = "LD_";

/// Digits of the content's digest in a ConfigMap's name: as many as the longest name of a server leaves of 63 characters.
const DIGITS_IN_NAME: usize = 8;

/// Key of the whole configuration, and name of the file in the container.
pub(super) const FILE: &str = "config.yaml";

/// Length of the longest key that a ConfigMap may have.
const MAX_KEY_LENGTH: usize = 253;
/// How many bytes all values of the ConfigMap may have together: a quarter of what a ConfigMap holds. The MCPServer and the
/// operator's copies of both have them too.
const MAX_BYTES: usize = 256 << 10;

/// How long a variable may be: Linux takes 128 KiB for one with its name (`MAX_ARG_STRLEN`).
const MAX_VARIABLE_BYTES: usize = 96 << 10;

/// Without configuration there is no ConfigMap.
///
/// The file holds everything, nested values included. Each top-level scalar also has a key of its own, named as an
/// environment variable is: `githubOrg` becomes `GITHUB_ORG`. Scalars whose variable would be a reserved one are only in
/// the file.
pub(super) fn build(server: &ValidatedServer) -> Option<ConfigMap> {
    let file = server.config_file.as_ref()?;
    Some(ConfigMap {
        metadata: ObjectMeta {
            name: name(server),
            ..object_meta(server)
        },
        data: Some(data(&server.spec.config, file)),
        immutable: Some(true),
        ..ConfigMap::default()
    })
}

/// Name of the ConfigMap with the present configuration, if there is any: `mcp-<server>-<hash>`. A template that names it
/// replaces the pods whenever the configuration changes.
pub(super) fn name(server: &ValidatedServer) -> Option<String> {
    let file = server.config_file.as_ref()?;
    let data: Value = data(&server.spec.config, file)
        .into_iter()
        .map(|(key, value)| (key, Value::from(value)))
        .collect();
    let digest = digest(&data);
    let server = child_name(&server.key.name);
    Some(format!("{server}-{}", &digest[..DIGITS_IN_NAME]))
}

/// The configuration file, if there is any configuration.
///
/// # Errors
/// What is wrong with `spec.config`. Without this check the API server would refuse the ConfigMap, which is the last place
/// where a user looks for the mistake.
pub(crate) fn file(config: &Map<String, Value>) -> Result<Option<String>, Vec<FieldError>> {
    if config.is_empty() {
        return Ok(None);
    }
    let file = yaml::to_string(config).map_err(|error| {
        let message = format!("it cannot be written as YAML: {error}");
        vec![config_error(ErrorType::Invalid, message, "config-yaml")]
    })?;
    let errors = errors(config, &file);
    if errors.is_empty() {
        Ok(Some(file))
    } else {
        Err(errors)
    }
}

fn data(config: &Map<String, Value>, file: &str) -> BTreeMap<String, String> {
    let mut data: BTreeMap<String, String> = scalars(config).collect();
    data.insert(FILE.into(), file.to_owned());
    data
}

/// What the API server would refuse in a ConfigMap of this configuration.
fn errors(config: &Map<String, Value>, file: &str) -> Vec<FieldError> {
    let names = config.iter().filter_map(|(name, value)| {
        let message = if name.is_empty() {
            "a name must not be empty: environment variables are named after it".to_owned()
        } else {
            let (variable, _) = scalar(name, value)?;
            let length = variable.len();
            if length <= MAX_KEY_LENGTH {
                return None;
            }
            format!(
                "the environment variable of {name} would be named with {length} characters, of which a key of a ConfigMap has at most {MAX_KEY_LENGTH}: give it a shorter name"
            )
        };
        Some(config_error(ErrorType::Invalid, message, "config-name"))
    });
    let long = config.iter().filter_map(|(name, value)| {
        let (variable, text) = scalar(name, value)?;
        let bytes = text.len();
        (bytes > MAX_VARIABLE_BYTES).then(|| {
            let message = format!(
                "{name} has {bytes} bytes, and as the environment variable {variable} at most {MAX_VARIABLE_BYTES}, or no program could be started: put it one level deeper, where it is in the file alone"
            );
            config_error(ErrorType::TooLong, message, "config-variable-size")
        })
    });
    let bytes: usize = data(config, file).values().map(String::len).sum();
    let size = (bytes > MAX_BYTES).then(|| {
        let message = format!(
            "its ConfigMap would hold {bytes} bytes, and may hold {MAX_BYTES}: put what is large into the image"
        );
        config_error(ErrorType::TooLong, message, "config-size")
    });
    names.chain(long).chain(size).collect()
}

fn config_error(error_type: ErrorType, message: String, code: &str) -> FieldError {
    FieldError {
        field: "spec.config".into(),
        error_type,
        // It may be a secret that belongs into `spec.secrets`.
        bad_value: None,
        message,
        code: code.into(),
    }
}

/// Top-level scalars by the name of their environment variable. Of two that get the same name, the
/// later in alphabetical order of the configuration's own names wins.
pub(super) fn scalars(config: &Map<String, Value>) -> impl Iterator<Item = (String, String)> {
    config
        .iter()
        .filter_map(|(name, value)| scalar(name, value))
}

fn scalar(name: &str, value: &Value) -> Option<(String, String)> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let variable = variable_name(name);
    (!is_reserved(&variable)).then_some((variable, text))
}

fn is_reserved(variable: &str) -> bool {
    RESERVED_ENV_NAMES.contains(&variable) || variable.starts_with(RESERVED_ENV_PREFIX)
}

/// Upper snake case: `githubOrg`, `github-org` and `github.org` become `GITHUB_ORG`.
pub fn variable_name(name: &str) -> String {
    let mut variable = String::with_capacity(name.len() + 4);
    let mut after_lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && after_lower {
            variable.push('_');
        }
        after_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        variable.push(if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        });
    }
    if variable.starts_with(|c: char| c.is_ascii_digit()) {
        variable.insert(0, '_');
    }
    variable
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::{file, scalars, variable_name};

    /// To the last digit, also where there are more of them than a quick way of reading gets right.
    #[test]
    fn a_number_is_the_one_that_was_written() {
        for text in [
            "0.1",
            "8.88e39",
            "5e-324",
            "1.7976931348623157e308",
            "9007199254740993.5",
        ] {
            let read: Value = serde_json::from_str(text).unwrap();
            let config = Map::from_iter([("ratio".to_owned(), read)]);
            let wanted: f64 = text.parse().unwrap();
            let (_, variable) = scalars(&config).next().unwrap();
            assert_eq!(variable.parse(), Ok(wanted), "{text}");
            let file = file(&config).unwrap().unwrap();
            let written = file.trim().trim_start_matches("ratio: ");
            assert_eq!(written.parse(), Ok(wanted), "{file}");
        }
    }

    #[test]
    fn names_become_those_of_environment_variables() {
        for (name, variable) in [
            ("githubOrg", "GITHUB_ORG"),
            ("github-token", "GITHUB_TOKEN"),
            ("maxSearchResults", "MAX_SEARCH_RESULTS"),
            ("s3Bucket", "S3_BUCKET"),
            ("log.level", "LOG_LEVEL"),
            ("LOG_LEVEL", "LOG_LEVEL"),
            ("2fa", "_2FA"),
        ] {
            assert_eq!(variable_name(name), variable);
        }
    }
}
