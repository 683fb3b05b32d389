//! The keys that a component must be signed by: those of its MCPPlugin, and those of the operator's own option.

use std::path::Path;

use mcp_component_source::{ComponentError, PublicKeys, SignatureError};
use mcp_operator_api::v1alpha1::{McpPluginSpec, PublicKeySource};

use crate::loader::PluginLoader;
use crate::provenance::Provenance;
use crate::source::SourceError;

const FIELD: &str = "spec.source.verify.publicKeys";
const INVALID: &str = "InvalidSignatureKey";

impl PluginLoader {
    /// Sets of keys; one of each must have signed. They are read each time: keys are replaced while the operator runs.
    pub(crate) async fn required_keys(
        &self,
        spec: &McpPluginSpec,
    ) -> Result<Vec<PublicKeys>, SourceError> {
        // What is in the image was signed with it.
        if spec.source.builtin.is_some() {
            return Ok(Vec::new());
        }
        let mut required = Vec::new();
        if let Some(path) = &self.signature_keys {
            required.push(of_option(path).await?);
        }
        if let Some(verify) = &spec.source.verify {
            let mut keys = PublicKeys::new(FIELD);
            for (index, source) in verify.public_keys.iter().enumerate() {
                let field = format!("{FIELD}[{index}]");
                let pem = self.public_key(&field, source).await?;
                keys.add_pem(&pem)
                    .map_err(|reason| SourceError::Reference {
                        reason: format!("it {reason}"),
                        field,
                        category: INVALID,
                    })?;
            }
            required.push(keys);
        }
        Ok(required)
    }

    async fn public_key(
        &self,
        field: &str,
        source: &PublicKeySource,
    ) -> Result<Vec<u8>, SourceError> {
        match source {
            PublicKeySource { pem: Some(pem), .. } => Ok(pem.clone().into_bytes()),
            PublicKeySource {
                secret_key_ref: Some(key),
                ..
            } => {
                let field = format!("{field}.secretKeyRef");
                self.secret_key(&field, &key.name, &key.key, INVALID).await
            }
            PublicKeySource {
                config_map_key_ref: Some(key),
                ..
            } => {
                let field = format!("{field}.configMapKeyRef");
                self.config_map_key(&field, key, INVALID).await
            }
            _ => Err(SourceError::Reference {
                field: field.to_owned(),
                reason: "it names no key: give pem, secretKeyRef or configMapKeyRef".to_owned(),
                category: INVALID,
            }),
        }
    }
}

/// Whether a component that was kept is signed by each set, as far as was found out when it was fetched.
pub(crate) fn kept_is_signed(
    provenance: &Provenance,
    required: &[PublicKeys],
) -> Result<(), SourceError> {
    let is_signed = |keys: &PublicKeys| {
        let mut ids = keys.ids().map(|id| id.to_string());
        ids.any(|id| provenance.signed_by.contains(&id))
    };
    if required.iter().all(is_signed) {
        return Ok(());
    }
    let missing = SignatureError::Missing {
        place: "the copy of it".to_owned(),
        remedy: "none of the keys that it must be signed by now had signed it when it was fetched"
            .to_owned(),
    };
    Err(SourceError::component(
        "spec.source",
        ComponentError::from(missing),
    ))
}

/// The keys of the option: a file, or all files of a folder, as a ConfigMap is mounted.
async fn of_option(path: &Path) -> Result<PublicKeys, SourceError> {
    let failed = |reason: String| SourceError::RequiredKeys {
        path: path.display().to_string(),
        reason,
    };
    let mut keys = PublicKeys::new("the operator's option --signature-keys");
    for file in files(path)
        .await
        .map_err(|error| failed(error.to_string()))?
    {
        let pem = tokio::fs::read(&file).await;
        let pem = pem.map_err(|error| failed(format!("{}: {error}", file.display())))?;
        keys.add_pem(&pem)
            .map_err(|reason| failed(format!("{} {reason}", file.display())))?;
    }
    if keys.ids().next().is_none() {
        return Err(failed("there is no key in it".to_owned()));
    }
    Ok(keys)
}

async fn files(path: &Path) -> std::io::Result<Vec<std::path::PathBuf>> {
    if !tokio::fs::metadata(path).await?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let mut entries = tokio::fs::read_dir(path).await?;
    while let Some(entry) = entries.next_entry().await? {
        // The kubelet keeps what it mounts in folders whose names begin with dots.
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !is_hidden && tokio::fs::metadata(entry.path()).await?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
#[path = "required_keys_tests.rs"]
mod tests;
