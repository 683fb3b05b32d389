//! Components that are at hand: of the operator's image, of its files, of ConfigMaps. Each with the signature that lies beside
//! it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::ConfigMap;
use mcp_component_source::{ComponentError, FetchError, without_credentials};
use mcp_operator_api::v1alpha1::{ConfigMapSource, PluginSource};
use mcp_operator_core::retry::{Classify, ErrorClass};
use thiserror::Error;
use tokio::io::AsyncReadExt;

use crate::lookup::ConfigMapLookup;

/// What follows the name of a component in the name of its signature.
const SIGNATURE_SUFFIX: &str = ".sig";
/// Most bytes of a signature.
const SIGNATURE_LIMIT: usize = 256 << 10;

/// Why a component cannot be read.
#[derive(Debug, Error)]
pub(super) enum SourceError {
    /// None of the fields is given. The schema of the CRD demands one.
    #[error("spec.source names no component: give builtin, file, configMap, oci or url")]
    Nothing,
    /// There is no such plugin in the operator's image.
    #[error("there is no builtin plugin {name}; there are{known}")]
    NoSuchBuiltin { name: String, known: String },
    /// A file cannot be read.
    #[error("spec.source.file {path}: {reason}")]
    File { path: String, reason: String },
    /// A plugin of the operator's image is there, and cannot be read.
    #[error("builtin plugin {name} cannot be read: {reason}")]
    Builtin { name: String, reason: String },
    /// A file is larger than any component may be.
    #[error(
        "{path} has more than the {} MiB that a component may have: make it smaller, or start the operator with a larger --plugin-size-limit-mib", .limit >> 20
    )]
    TooLarge { path: String, limit: usize },
    /// A ConfigMap has not what it should have.
    #[error("ConfigMap {name}: {reason}")]
    ConfigMap { name: String, reason: String },
    /// A ConfigMap cannot be read.
    #[error("cannot read ConfigMap {name}: {reason}")]
    Unreadable { name: String, reason: String },
    /// Something that a source needs besides the component cannot be had: a Secret, a key, a certificate authority.
    #[error("{field}: {reason}")]
    Reference {
        field: String,
        reason: String,
        category: &'static str,
    },
    /// The keys of the operator's own option cannot be read.
    #[error(
        "--signature-keys {path}: {reason}; nothing from outside of the operator's image is loaded until that is put right"
    )]
    RequiredKeys { path: String, reason: String },
    /// A component cannot be fetched, or is not trusted.
    #[error("{field}: {error}{remedy}")]
    Component {
        field: &'static str,
        error: ComponentError,
        /// What helps, as the end of the sentence.
        remedy: String,
    },
}

impl SourceError {
    /// About a component that was fetched, or looked at.
    pub(super) fn component(field: &'static str, error: impl Into<ComponentError>) -> Self {
        Self::Component {
            field,
            error: error.into(),
            remedy: String::new(),
        }
    }

    /// The server wants other credentials.
    pub(super) fn is_access_denied(error: &ComponentError) -> bool {
        matches!(
            error,
            ComponentError::Fetch(FetchError::AccessDenied { .. })
        )
    }
}

impl Classify for SourceError {
    /// Nothing but another source, or another moment, helps.
    fn class(&self) -> ErrorClass {
        match self {
            Self::Builtin { .. } | Self::Unreadable { .. } => ErrorClass::Transient,
            Self::Component { error, .. } => error.class(),
            _ => ErrorClass::External,
        }
    }

    fn category(&self) -> &'static str {
        match self {
            Self::Nothing
            | Self::NoSuchBuiltin { .. }
            | Self::File { .. }
            | Self::ConfigMap { .. } => "SourceNotFound",
            Self::TooLarge { .. } => "TooLarge",
            Self::Builtin { .. } | Self::Unreadable { .. } => "SourceUnavailable",
            Self::Reference { category, .. } => category,
            Self::RequiredKeys { .. } => "InvalidSignatureKey",
            Self::Component { error, .. } => error.category(),
        }
    }
}

/// Where a component comes from, for errors about what is in it.
pub(super) fn describe(source: &PluginSource) -> String {
    match source {
        PluginSource {
            builtin: Some(name),
            ..
        } => format!("builtin {name}"),
        PluginSource {
            file: Some(path), ..
        } => format!("file {path}"),
        PluginSource {
            config_map: Some(map),
            ..
        } => format!("ConfigMap {}/{}", map.namespace, map.name),
        PluginSource { oci: Some(oci), .. } => oci.reference.clone(),
        PluginSource { url: Some(url), .. } => without_credentials(url),
        _ => "component".to_owned(),
    }
}

/// A component, and the signature that lies beside it.
#[derive(Debug, Default)]
pub(super) struct Local {
    pub(super) component: Vec<u8>,
    pub(super) signature: Option<Vec<u8>>,
}

pub(super) async fn read_builtin(
    folder: &Path,
    name: &str,
    limit: usize,
) -> Result<Vec<u8>, SourceError> {
    // Cargo writes `_` where the package has `-`.
    for file in [
        format!("{name}.wasm"),
        format!("{}.wasm", name.replace('-', "_")),
    ] {
        let path = folder.join(file);
        match bounded(&path, limit).await {
            Ok(Some(bytes)) => return Ok(bytes),
            Ok(None) => return Err(too_large(&path, limit)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(SourceError::Builtin {
                    name: name.into(),
                    reason: error.to_string(),
                });
            }
        }
    }
    Err(SourceError::NoSuchBuiltin {
        name: name.into(),
        known: match builtins(folder) {
            none if none.is_empty() => format!(
                " none in {} (--builtin-plugins names the folder)",
                folder.display()
            ),
            known => format!(": {}", known.join(", ")),
        },
    })
}

/// A file, unless it is larger: it may be anything, also one without an end.
async fn bounded(path: &Path, limit: usize) -> std::io::Result<Option<Vec<u8>>> {
    let file = tokio::fs::File::open(path).await?;
    let mut bytes = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(one_more).read_to_end(&mut bytes).await?;
    Ok((bytes.len() <= limit).then_some(bytes))
}

fn too_large(path: &Path, limit: usize) -> SourceError {
    SourceError::TooLarge {
        path: path.display().to_string(),
        limit,
    }
}

fn builtins(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let name = |path: PathBuf| {
        let is_component = path
            .extension()
            .is_some_and(|extension| extension == "wasm");
        is_component
            .then(|| {
                path.file_stem()?
                    .to_str()
                    .map(|name| name.replace('_', "-"))
            })
            .flatten()
    };
    let mut names: Vec<String> = files.filter_map(name).collect();
    names.sort();
    names
}

/// A component of at most so many bytes, and what the file with `.sig` after its name holds.
pub(super) async fn read_file(path: &str, limit: usize) -> Result<Local, SourceError> {
    let read = |error: std::io::Error| SourceError::File {
        path: path.into(),
        reason: error.to_string(),
    };
    let component = bounded(Path::new(path), limit).await.map_err(read)?;
    let beside = format!("{path}{SIGNATURE_SUFFIX}");
    let signature = match bounded(Path::new(&beside), SIGNATURE_LIMIT).await {
        Ok(signature) => signature,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(read(error)),
    };
    Ok(Local {
        component: component.ok_or_else(|| too_large(Path::new(path), limit))?,
        signature,
    })
}

pub(super) async fn read_config_map(
    maps: &dyn ConfigMapLookup,
    source: &ConfigMapSource,
) -> Result<Local, SourceError> {
    let name = format!("{}/{}", source.namespace, source.name);
    match maps.config_map(&source.namespace, &source.name).await {
        Ok(Some(map)) => component(map, source.key.as_deref())
            .map_err(|reason| SourceError::ConfigMap { name, reason }),
        Ok(None) => {
            let reason = maps.remedy(&source.namespace, &source.name);
            Err(SourceError::ConfigMap { name, reason })
        }
        Err(reason) => Err(SourceError::Unreadable { name, reason }),
    }
}

/// The key that is named, or the only one there is besides signatures.
fn component(map: ConfigMap, key: Option<&str>) -> Result<Local, String> {
    let text = map
        .data
        .unwrap_or_default()
        .into_iter()
        .map(|(key, text)| (key, text.into_bytes()));
    let binary = map
        .binary_data
        .unwrap_or_default()
        .into_iter()
        .map(|(key, bytes)| (key, bytes.0));
    let mut contents: BTreeMap<String, Vec<u8>> = text.chain(binary).collect();
    let keys: Vec<&str> = contents.keys().map(String::as_str).collect();
    let listed = keys.join(", ");
    let is_signature = |name: &&str| {
        name.strip_suffix(SIGNATURE_SUFFIX)
            .is_some_and(|signed| contents.contains_key(signed))
    };
    let components: Vec<&str> = keys
        .iter()
        .copied()
        .filter(|name| !is_signature(name))
        .collect();
    let key = match (key, components.as_slice()) {
        (Some(key), _) | (None, &[key]) => key.to_owned(),
        (None, []) => return Err("is empty".into()),
        (None, _) => {
            return Err(format!(
                "has several keys, name one in spec.source.configMap.key: {listed}"
            ));
        }
    };
    let component = contents.remove(&key);
    Ok(Local {
        component: component.ok_or_else(|| format!("has no key {key}; it has: {listed}"))?,
        signature: contents.remove(&format!("{key}{SIGNATURE_SUFFIX}")),
    })
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
