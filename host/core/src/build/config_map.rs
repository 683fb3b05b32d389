//! ConfigMap: `spec.config`, as a file and as environment variables.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use mcp_operator_api::v1alpha1::McpServer;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::metadata::object_meta;
use crate::field::{ErrorType, FieldError};
use crate::manifest::{ManagedKind, Manifest};
use crate::yaml;

/// Variables that the program's own start depends on: `config.path` says something about the server, and as `PATH` it
/// would keep it from being found.
const OF_THE_SYSTEM: [&str; 11] = [
    "", "HOME", "HOSTNAME", "IFS", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "TMPDIR", "USER",
];
/// What the dynamic linker reads.
const OF_THE_LINKER: &str = "LD_";

/// Key of the whole configuration, and name of the file in the container.
pub(super) const FILE: &str = "config.yaml";

/// Longest key that a ConfigMap may have.
const LONGEST_KEY: usize = 253;
/// Bytes that all values of a ConfigMap may have together.
const LARGEST: usize = 1 << 20;

/// Without configuration there is no ConfigMap.
///
/// The file holds everything, nested values included. Each top-level scalar is a key of its own
/// besides, named as an environment variable is: `githubOrg` becomes `GITHUB_ORG`. Variables of the system are none.
pub(super) fn build(server: &McpServer) -> Option<Manifest> {
    let config = &server.spec.config;
    if config.is_empty() {
        return None;
    }
    let map = ConfigMap {
        metadata: object_meta(server),
        data: Some(data(config)),
        ..ConfigMap::default()
    };
    Some(Manifest::new(ManagedKind::ConfigMap, map))
}

fn data(config: &Map<String, Value>) -> BTreeMap<String, String> {
    let file = yaml::to_string(&Value::Object(config.clone()));
    let mut data: BTreeMap<String, String> = scalars(config).collect();
    data.insert(FILE.into(), file);
    data
}

/// What is wrong with `spec.config`: the API server would refuse the ConfigMap, where its user would look for it last.
pub fn errors(config: &Map<String, Value>) -> Vec<FieldError> {
    let error = |error_type, bad_value, message, code: &str| FieldError {
        field: "spec.config".into(),
        error_type,
        bad_value,
        message,
        code: code.into(),
    };
    let names = config.iter().filter_map(|(name, value)| {
        let message = if name.is_empty() {
            "a name must not be empty: environment variables are named after it".to_owned()
        } else {
            let (variable, _) = scalar(name, value)?;
            let length = variable.len();
            if length <= LONGEST_KEY {
                return None;
            }
            format!(
                "its environment variable would be named with {length} characters, of which a key of a ConfigMap has at most {LONGEST_KEY}: give it a shorter name"
            )
        };
        let name = Some(json!(name));
        Some(error(ErrorType::Invalid, name, message, "config-name"))
    });
    let bytes: usize = data(config).values().map(String::len).sum();
    let size = (bytes > LARGEST).then(|| {
        let message = format!(
            "its ConfigMap would hold {bytes} bytes, and may hold {LARGEST}: put what is large into the image"
        );
        error(ErrorType::TooLong, None, message, "config-size")
    });
    names.chain(size).collect()
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
    (!is_of_the_system(&variable)).then_some((variable, text))
}

fn is_of_the_system(variable: &str) -> bool {
    OF_THE_SYSTEM.contains(&variable) || variable.starts_with(OF_THE_LINKER)
}

/// Upper snake case: `githubOrg`, `github-org` and `github.org` become `GITHUB_ORG`.
pub(super) fn variable_name(name: &str) -> String {
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

/// Hash of the data: a change of it replaces the pods.
pub(super) fn hash(map: &Manifest) -> String {
    hex::encode(&Sha256::digest(map.object["data"].to_string())[..8])
}

#[cfg(test)]
mod tests {
    use super::variable_name;

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
