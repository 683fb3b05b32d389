//! Manifests as the API server would store them, for those who ask one plugin by itself.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use mcp_operator_api::names::{API_VERSION, PLUGIN_KIND, SERVER_KIND};
use mcp_operator_api::v1alpha1::{McpPlugin, McpServer};
use serde_json::Value;

use crate::definition::Definition;
use crate::documents::{self, Document};
use crate::inputs;

/// Decodes MCPServers and MCPPlugins as an API server does: fields that do not exist are errors, defaults of the schema are
/// filled in. Rules in CEL are not asked.
pub struct Decoder {
    servers: Definition,
    plugins: Definition,
}

impl Decoder {
    /// By the operator's own definitions.
    ///
    /// # Errors
    /// When these cannot be read.
    pub fn new() -> Result<Self> {
        Ok(Self {
            servers: Definition::of::<McpServer>()?,
            plugins: Definition::of::<McpPlugin>()?,
        })
    }

    /// One MCPServer. What it leaves out of `apiVersion`, `kind` and `metadata` is added: tests say what they are about.
    ///
    /// # Errors
    /// The fields that do not exist.
    pub fn server(&self, mut object: Value, namespace: &str) -> Result<Value> {
        let members = object.as_object_mut().context("an MCPServer has fields")?;
        members
            .entry("apiVersion")
            .or_insert_with(|| API_VERSION.into());
        members.entry("kind").or_insert_with(|| SERVER_KIND.into());
        let metadata = members
            .entry("metadata")
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
        let metadata = metadata
            .as_object_mut()
            .context("metadata of an MCPServer has fields")?;
        metadata.entry("name").or_insert_with(|| "test".into());
        metadata
            .entry("namespace")
            .or_insert_with(|| namespace.into());
        let kind = object["kind"].as_str().unwrap_or_default();
        ensure!(kind == SERVER_KIND, "{kind} is not an {SERVER_KIND}");
        self.servers.decode(&object).map_err(|error| anyhow!(error))
    }

    /// The MCPServers of files and folders, with where each is from.
    ///
    /// # Errors
    /// When a file cannot be read, or holds something else only.
    pub fn servers(&self, files: &[PathBuf], namespace: &str) -> Result<Vec<(String, Value)>> {
        let servers = inputs::servers(documents::read(files)?, namespace)?;
        let decoded = servers.into_iter().map(|Document { source, object }| {
            let object = self.server(object, namespace);
            Ok((source.clone(), object.with_context(|| source)?))
        });
        decoded.collect()
    }

    /// The only MCPPlugin of a file.
    ///
    /// # Errors
    /// When there is none, more than one, or the schema does not allow it.
    pub fn plugin(&self, file: &Path) -> Result<McpPlugin> {
        let documents = documents::read(&[file.to_owned()])?;
        let mut plugins = documents
            .iter()
            .filter(|document| document.is(API_VERSION, PLUGIN_KIND));
        match (plugins.next(), plugins.next()) {
            (Some(only), None) => inputs::plugin(&self.plugins, only),
            (None, _) => bail!("{}: there is no {PLUGIN_KIND} in it", file.display()),
            _ => bail!("{}: there are several {PLUGIN_KIND}s in it", file.display()),
        }
    }

    /// Whether an MCPServer can have a field at this path, which is written as Kubernetes writes those of its errors.
    pub fn has_field(&self, path: &str) -> bool {
        self.servers.has_field(path)
    }
}

/// The documents of a text, as manifests are read: YAML 1.2, and a key that occurs twice is an error.
///
/// # Errors
/// What is no YAML, and where.
pub fn yaml(source: &str, text: &str) -> Result<Vec<Value>> {
    documents::values(text).with_context(|| source.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_gets_the_defaults_of_the_schema_and_unknown_fields_are_refused() {
        let decoder = Decoder::new().unwrap();
        let spec = json!({ "spec": { "image": { "repository": "a/b" } } });
        let server = decoder.server(spec, "tools").unwrap();
        assert_eq!(server["spec"]["port"], 8080);
        assert_eq!(server["metadata"]["namespace"], "tools");
        let wrong = json!({ "spec": { "imag": {} } });
        let error = decoder.server(wrong, "tools").unwrap_err().to_string();
        assert!(error.contains("unknown field \"spec.imag\""), "{error}");
    }

    #[test]
    fn fields_are_known_by_the_notation_of_errors() {
        let decoder = Decoder::new().unwrap();
        for known in [
            "spec.image.tag",
            "spec.secrets[0].awsSecretKey",
            "metadata.labels[team]",
            "metadata.labels[app.kubernetes.io/name]",
            "metadata.name",
            "spec.config.anything",
            "spec.env[3].name",
        ] {
            assert!(decoder.has_field(known), "{known}");
        }
        for unknown in [
            "spec.imag.tag",
            "[99]",
            "$.spec.image",
            "spec.image.tag.more",
            "spec..image",
            "metadata.label[team]",
            "spec.secrets[a].awsSecretKey",
        ] {
            assert!(!decoder.has_field(unknown), "{unknown}");
        }
    }
}
