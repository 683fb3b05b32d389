//! What an author does: a component into a registry, and a signature beside it.

use reqwest::header::LOCATION;

use crate::ComponentError;
use crate::digest::Digest;
use crate::error::FetchError;
use crate::manifest::{
    Descriptor, EMPTY, EMPTY_CONFIG, Manifest, OCI_INDEX, OCI_MANIFEST, WASM, WASM_CONFIG,
};
use crate::registry::{Artifact, Registry};
use crate::signature::{
    BUNDLE, PREDICATE_ANNOTATION, PrivateKey, SIGN_PREDICATE, referrers_tag, sign_artifact,
};

/// By this header a registry says that it keeps the list of referrers itself.
const KEEPS_REFERRERS: &str = "oci-subject";

/// What is pushed besides the component.
#[derive(Clone, Debug, Default)]
pub struct PushOptions {
    /// Annotations of the artifact, such as `org.opencontainers.image.source`.
    pub annotations: Vec<(String, String)>,
    /// Without the CNCF's configuration, for registries that refuse its type.
    pub plain: bool,
}

/// Pushes a component to the reference that the registry was opened with, and says what it became.
///
/// # Errors
/// When the registry refuses it.
pub async fn push(
    registry: &Registry,
    component: &[u8],
    options: &PushOptions,
) -> Result<Artifact, ComponentError> {
    let (config_type, config) = if options.plain {
        (EMPTY_CONFIG, EMPTY.to_vec())
    } else {
        (WASM_CONFIG, wasm_config(component))
    };
    let parts = [
        Descriptor::of(config_type, &config),
        Descriptor::of(WASM, component),
    ];
    upload(registry, &config).await?;
    upload(registry, component).await?;
    let [config, layer] = parts;
    let mut manifest = Manifest::artifact(config, vec![layer]);
    if options.plain {
        manifest.artifact_type = Some(WASM.to_owned());
    }
    manifest.annotations = options.annotations.iter().cloned().collect();
    let bytes = to_json(registry, &manifest)?;
    let digest = Digest::of(&bytes);
    let version = registry
        .reference()
        .tag()
        .map_or_else(|| digest.to_string(), str::to_owned);
    put_manifest(registry, &version, OCI_MANIFEST, &bytes).await?;
    Ok(Artifact {
        digest,
        component: Digest::of(component),
        pinned: registry.reference().pinned(digest),
        size: component.len() as u64,
        manifest_size: bytes.len() as u64,
        manifest_type: OCI_MANIFEST.to_owned(),
    })
}

/// Signs an artifact, and puts the signature beside it, as a bundle that refers to it.
///
/// # Errors
/// When it cannot be signed, or the registry refuses the signature.
pub async fn sign(
    registry: &Registry,
    artifact: &Artifact,
    key: &PrivateKey,
) -> Result<(), ComponentError> {
    let bundle = sign_artifact(artifact.digest, key).map_err(ComponentError::Signing)?;
    let parts = [
        Descriptor::of(EMPTY_CONFIG, EMPTY),
        Descriptor::of(BUNDLE, &bundle),
    ];
    upload(registry, EMPTY).await?;
    upload(registry, &bundle).await?;
    let [config, layer] = parts;
    let mut manifest = Manifest::artifact(config, vec![layer]);
    manifest.artifact_type = Some(BUNDLE.to_owned());
    manifest.subject = Some(Descriptor {
        media_type: artifact.manifest_type.clone(),
        digest: artifact.digest.to_string(),
        size: artifact.manifest_size,
        artifact_type: None,
        annotations: [].into(),
    });
    let annotation = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    manifest.annotations = [
        annotation("dev.sigstore.bundle.content", "dsse-envelope"),
        annotation(PREDICATE_ANNOTATION, SIGN_PREDICATE),
    ]
    .into();
    let bytes = to_json(registry, &manifest)?;
    let digest = Digest::of(&bytes).to_string();
    let keeps_referrers = put_manifest(registry, &digest, OCI_MANIFEST, &bytes).await?;
    if !keeps_referrers {
        list_as_referrer(registry, artifact.digest, &manifest, &bytes).await?;
    }
    Ok(())
}

/// A registry that knows of no referrers has a list of them under a tag.
async fn list_as_referrer(
    registry: &Registry,
    subject: Digest,
    manifest: &Manifest,
    bytes: &[u8],
) -> Result<(), ComponentError> {
    let tag = referrers_tag(subject);
    let listed = registry.manifest(&tag).await?;
    let mut listed = listed
        .and_then(|index| index.manifest.manifests)
        .unwrap_or_default();
    let mut referrer = Descriptor::of(OCI_MANIFEST, bytes);
    referrer.artifact_type = manifest.artifact_type.clone();
    referrer.annotations = manifest.annotations.clone();
    listed.retain(|other| other.digest != referrer.digest);
    listed.push(referrer);
    let index = to_json(registry, &Manifest::index(listed))?;
    put_manifest(registry, &tag, OCI_INDEX, &index).await?;
    Ok(())
}

/// The configuration of the CNCF's layout: what it is for, and which layers it has.
fn wasm_config(component: &[u8]) -> Vec<u8> {
    let config = serde_json::json!({
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [Digest::of(component).to_string()],
        "component": { "exports": [], "imports": [] },
    });
    config.to_string().into_bytes()
}

async fn upload(registry: &Registry, content: &[u8]) -> Result<(), FetchError> {
    let digest = Digest::of(content);
    let start = registry.url("blobs/uploads/")?;
    let begun = registry.post(start.clone()).await?;
    let location = begun
        .headers
        .get(LOCATION)
        .and_then(|location| location.to_str().ok());
    let location = location.and_then(|location| start.join(location).ok());
    let mut location =
        location.ok_or_else(|| registry.http().protocol(&start, "no place to upload to"))?;
    location
        .query_pairs_mut()
        .append_pair("digest", &digest.to_string());
    registry
        .put(location, "application/octet-stream", content)
        .await?;
    Ok(())
}

/// Whether the registry keeps referrers by itself.
async fn put_manifest(
    registry: &Registry,
    version: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<bool, FetchError> {
    let url = registry.url(&format!("manifests/{version}"))?;
    let answer = registry.put(url, media_type, bytes).await?;
    Ok(answer.headers.contains_key(KEEPS_REFERRERS))
}

fn to_json(registry: &Registry, manifest: &Manifest) -> Result<Vec<u8>, FetchError> {
    serde_json::to_vec(manifest).map_err(|error| registry.http().forbidden(error.to_string()))
}
