//! ConfigMap: `spec.config`, as a file and as environment variables.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use mcp_operator_api::v1alpha1::McpServer;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::metadata::object_meta;
use crate::manifest::{ManagedKind, Manifest};
use crate::yaml;

/// Key of the whole configuration, and name of the file in the container.
pub(super) const FILE: &str = "config.yaml";

/// Without configuration there is no ConfigMap.
///
/// The file holds everything, nested values included. Each top-level scalar is a key of its own
/// besides, named as an environment variable is: `githubOrg` becomes `GITHUB_ORG`.
pub(super) fn build(server: &McpServer) -> Option<Manifest> {
    let config = &server.spec.config;
    if config.is_empty() {
        return None;
    }
    let file = yaml::to_string(&Value::Object(config.clone()));
    let mut data: BTreeMap<String, String> = scalars(server).collect();
    data.insert(FILE.into(), file);
    let map = ConfigMap {
        metadata: object_meta(server),
        data: Some(data),
        ..ConfigMap::default()
    };
    Some(Manifest::new(ManagedKind::ConfigMap, map))
}

/// Top-level scalars by the name of their environment variable. Of two that get the same name, the
/// later in alphabetical order of the configuration's own names wins.
pub(super) fn scalars(server: &McpServer) -> impl Iterator<Item = (String, String)> {
    server.spec.config.iter().filter_map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Some((variable_name(name), text))
    })
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
