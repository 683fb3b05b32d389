//! The bytes of a component.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::v1alpha1::{ConfigMapSource, PluginSource};
use thiserror::Error;

/// Why there are no bytes.
#[derive(Debug, Error)]
pub(super) enum SourceError {
    /// The source says something that this version cannot do.
    #[error("spec.source.{0} is not supported by this version: use builtin, file or configMap")]
    NotSupported(&'static str),
    /// There is no such plugin in the operator's image.
    #[error("there is no builtin plugin {name}; there are{known}")]
    NoSuchBuiltin { name: String, known: String },
    /// A file cannot be read.
    #[error("spec.source.file {path}: {reason}")]
    File { path: String, reason: String },
    /// A ConfigMap has not what it should have.
    #[error("ConfigMap {name}: {reason}")]
    ConfigMap { name: String, reason: String },
    /// A ConfigMap cannot be read.
    #[error("cannot read ConfigMap {name}: {reason}")]
    Unreadable { name: String, reason: String },
}

impl SourceError {
    /// Word for conditions and metrics.
    pub(super) fn category(&self) -> &'static str {
        match self {
            Self::NotSupported(_) => "SourceNotSupported",
            Self::NoSuchBuiltin { .. } | Self::File { .. } | Self::ConfigMap { .. } => {
                "SourceNotFound"
            }
            Self::Unreadable { .. } => "SourceUnavailable",
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
        _ => "component".to_owned(),
    }
}

/// Where ConfigMaps are.
#[derive(Clone)]
pub(super) enum ConfigMaps {
    /// In a cluster.
    Cluster(Client),
    /// Here, and nowhere else.
    Given(Vec<ConfigMap>),
}

impl ConfigMaps {
    async fn find(&self, namespace: &str, name: &str) -> Result<Option<ConfigMap>, kube::Error> {
        match self {
            Self::Cluster(client) => {
                Api::namespaced(client.clone(), namespace)
                    .get_opt(name)
                    .await
            }
            Self::Given(maps) => Ok(maps
                .iter()
                .find(|map| map.name_any() == name && map.namespace().as_deref() == Some(namespace))
                .cloned()),
        }
    }

    fn how_to_make(&self, source: &ConfigMapSource) -> String {
        match self {
            Self::Cluster(_) => format!(
                "does not exist: create it with `kubectl create configmap {} --namespace {} --from-file=plugin.wasm`",
                source.name, source.namespace
            ),
            Self::Given(_) => "is not among the manifests of the plugins".into(),
        }
    }
}

/// Reads the component that a source names.
pub(super) async fn read(
    maps: &ConfigMaps,
    builtin: &Path,
    source: &PluginSource,
) -> Result<Vec<u8>, SourceError> {
    match source {
        PluginSource {
            builtin: Some(name),
            ..
        } => read_builtin(builtin, name).await,
        PluginSource {
            file: Some(path), ..
        } => read_file(path).await,
        PluginSource {
            config_map: Some(named),
            ..
        } => read_config_map(maps, named).await,
        PluginSource { url: Some(_), .. } => Err(SourceError::NotSupported("url")),
        _ => Err(SourceError::NotSupported("oci")),
    }
}

async fn read_builtin(folder: &Path, name: &str) -> Result<Vec<u8>, SourceError> {
    // Cargo writes `_` where the package has `-`.
    for file in [
        format!("{name}.wasm"),
        format!("{}.wasm", name.replace('-', "_")),
    ] {
        if let Ok(bytes) = tokio::fs::read(folder.join(file)).await {
            return Ok(bytes);
        }
    }
    Err(SourceError::NoSuchBuiltin {
        name: name.into(),
        known: match builtins(folder) {
            none if none.is_empty() => format!(" none in {}", folder.display()),
            known => format!(": {}", known.join(", ")),
        },
    })
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

async fn read_file(path: &str) -> Result<Vec<u8>, SourceError> {
    let error = |reason: std::io::Error| SourceError::File {
        path: path.into(),
        reason: reason.to_string(),
    };
    tokio::fs::read(path).await.map_err(error)
}

async fn read_config_map(
    maps: &ConfigMaps,
    source: &ConfigMapSource,
) -> Result<Vec<u8>, SourceError> {
    let name = format!("{}/{}", source.namespace, source.name);
    match maps.find(&source.namespace, &source.name).await {
        Ok(Some(map)) => component(map, source.key.as_deref())
            .map_err(|reason| SourceError::ConfigMap { name, reason }),
        Ok(None) => {
            let reason = maps.how_to_make(source);
            Err(SourceError::ConfigMap { name, reason })
        }
        Err(error) => Err(SourceError::Unreadable {
            name,
            reason: error.to_string(),
        }),
    }
}

/// The key that is named, or the only one there is.
fn component(map: ConfigMap, key: Option<&str>) -> Result<Vec<u8>, String> {
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
    let mut contents: Vec<(String, Vec<u8>)> = text.chain(binary).collect();
    let keys = contents
        .iter()
        .map(|(key, _)| key.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    match key {
        Some(key) => {
            let found = contents.into_iter().find(|(name, _)| name == key);
            found
                .map(|(_, bytes)| bytes)
                .ok_or_else(|| format!("has no key {key}; it has: {keys}"))
        }
        None if contents.len() == 1 => Ok(contents.remove(0).1),
        None if contents.is_empty() => Err("is empty".into()),
        None => Err(format!(
            "has several keys, name one in spec.source.configMap.key: {keys}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::ByteString;

    use super::*;

    fn map(keys: &[&str]) -> ConfigMap {
        let binary = keys
            .iter()
            .map(|key| ((*key).to_owned(), ByteString(key.as_bytes().to_vec())));
        ConfigMap {
            binary_data: Some(binary.collect::<BTreeMap<_, _>>()),
            ..ConfigMap::default()
        }
    }

    #[test]
    fn the_only_key_need_not_be_named() {
        assert_eq!(component(map(&["a.wasm"]), None).unwrap(), b"a.wasm");
        assert_eq!(
            component(map(&["a.wasm", "b.wasm"]), Some("b.wasm")).unwrap(),
            b"b.wasm"
        );
        assert!(
            component(map(&["a.wasm", "b.wasm"]), None)
                .unwrap_err()
                .ends_with("a.wasm, b.wasm")
        );
        assert!(
            component(map(&["a.wasm"]), Some("c"))
                .unwrap_err()
                .contains("has no key c; it has: a.wasm")
        );
        assert_eq!(component(map(&[]), None).unwrap_err(), "is empty");
    }

    #[tokio::test]
    async fn a_builtin_that_is_not_there_names_those_that_are() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("litellm_configmap.wasm"), "x").unwrap();
        assert_eq!(
            read_builtin(folder.path(), "litellm-configmap")
                .await
                .unwrap(),
            b"x"
        );
        let error = read_builtin(folder.path(), "validations")
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no builtin plugin validations; there are: litellm-configmap"
        );
        assert_eq!(error.category(), "SourceNotFound");
    }
}
