//! Manifests of artifacts, and which of them hold a component.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// What is asked for: with all of them a registry says what there is, instead of that there is nothing.
pub(crate) const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// The configuration of the CNCF's layout for WebAssembly.
pub(crate) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// The component in that layout, and in the plain one.
pub(crate) const WASM: &str = "application/wasm";
/// The same as older programs write it.
const WASM_CONTENT: &str = "application/vnd.wasm.content.layer.v1+wasm";
/// A configuration that says nothing, and its content.
pub(crate) const EMPTY_CONFIG: &str = "application/vnd.oci.empty.v1+json";
pub(crate) const EMPTY: &[u8] = b"{}";

/// Something in a registry, by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Descriptor {
    pub(crate) fn of(media_type: &str, content: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(content).to_string(),
            size: content.len() as u64,
            artifact_type: None,
            annotations: BTreeMap::new(),
        }
    }
}

/// A manifest, or an index of several.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) manifests: Option<Vec<Descriptor>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// An artifact of these parts.
    pub(crate) fn artifact(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(OCI_MANIFEST.to_owned()),
            artifact_type: None,
            config: Some(config),
            layers,
            manifests: None,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// An index of these manifests.
    pub(crate) fn index(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(OCI_INDEX.to_owned()),
            artifact_type: None,
            config: None,
            layers: Vec::new(),
            manifests: Some(manifests),
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// The component in it, or why it has none, as the end of a sentence that begins with its name.
    pub(crate) fn component(&self, content_type: &str) -> Result<(Digest, u64), String> {
        let media_type = self.media_type.as_deref().unwrap_or(content_type);
        if self.manifests.is_some() || matches!(media_type, OCI_INDEX | DOCKER_INDEX) {
            let number = self.manifests.as_ref().map_or(0, Vec::len);
            return Err(format!(
                "is an index of {number} artifacts, as images for several platforms are: name one of them by its digest"
            ));
        }
        if media_type == DOCKER_MANIFEST || self.schema_version != 2 {
            return Err("is a container image in Docker's format and no component".to_owned());
        }
        let types: Vec<&str> = self
            .layers
            .iter()
            .map(|layer| layer.media_type.as_str())
            .collect();
        match self.layers.as_slice() {
            [layer] if matches!(layer.media_type.as_str(), WASM | WASM_CONTENT) => {
                let digest = layer.digest.parse();
                let digest = digest.map_err(|reason| {
                    format!("has a layer of which the digest cannot be read: {reason}")
                })?;
                Ok((digest, layer.size))
            }
            [] => Err(format!(
                "has no layer: a component is one layer of the type {WASM}"
            )),
            [_] => Err(format!(
                "has a layer of the type {}: a component is one layer of the type {WASM}, as `mcp-operator plugin push` and `oras push ... rule.wasm:{WASM}` make it",
                types.join("")
            )),
            _ => Err(format!(
                "has {} layers ({}): a component is one layer of the type {WASM}",
                types.len(),
                types.join(", ")
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn layer(media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": Digest::of(b"wasm").to_string(), "size": 4 })
    }

    fn read(manifest: Value) -> Result<(Digest, u64), String> {
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        manifest.component(OCI_MANIFEST)
    }

    #[test]
    fn both_layouts_are_components() {
        for (config, component) in [
            (WASM_CONFIG, WASM),
            (EMPTY_CONFIG, WASM),
            ("application/vnd.wasm.config.v1+json", WASM_CONTENT),
        ] {
            let manifest = json!({ "schemaVersion": 2, "config": layer(config), "layers": [layer(component)] });
            assert_eq!(read(manifest).unwrap(), (Digest::of(b"wasm"), 4));
        }
    }

    #[test]
    fn what_is_no_component_says_what_it_is() {
        let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
        let mut broken = layer(WASM);
        broken["digest"] = json!("sha512:00");
        for (manifest, said) in [
            (json!({ "schemaVersion": 2, "layers": [] }), "has no layer"),
            (
                json!({ "schemaVersion": 2, "layers": [layer(tar)] }),
                "has a layer of the type application/vnd.oci.image.layer.v1.tar+gzip",
            ),
            (
                json!({ "schemaVersion": 2, "layers": [layer(WASM), layer(tar)] }),
                "has 2 layers (application/wasm, application/vnd.oci.image.layer.v1.tar+gzip)",
            ),
            (
                json!({ "schemaVersion": 2, "layers": [broken] }),
                "of which the digest cannot be read",
            ),
            (
                json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [layer(OCI_MANIFEST)] }),
                "is an index of 1 artifacts",
            ),
            (
                json!({ "schemaVersion": 2, "manifests": [] }),
                "is an index of 0 artifacts",
            ),
            (
                json!({ "schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "layers": [layer(WASM)] }),
                "in Docker's format",
            ),
            (json!({ "schemaVersion": 1 }), "in Docker's format"),
        ] {
            let error = read(manifest).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
