//! What fuzz targets reach of this crate: what registries answer with.

use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use crate::challenge;
use crate::digest::Digest;
use crate::manifest::{Manifest, OCI_MANIFEST};
use crate::signature::{self, PublicKeys};

/// A manifest as it is written again, and the digest of the component in it, or why it has none. Nothing where it cannot be
/// read.
pub fn manifest(answer: &[u8]) -> Option<(String, Result<Digest, String>)> {
    let manifest: Manifest = serde_json::from_slice(answer).ok()?;
    let written = serde_json::to_string(&manifest).ok()?;
    let component = manifest.component(OCI_MANIFEST);
    Some((written, component.map(|(digest, _)| digest)))
}

/// Where a token is to be had, by the header of a refusal.
pub fn token_realm(header: &[u8]) -> Option<String> {
    let mut headers = HeaderMap::new();
    headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(header).ok()?);
    match challenge::challenge(&headers)? {
        challenge::Challenge::Basic => None,
        challenge::Challenge::Bearer { realm, .. } => Some(realm),
    }
}

/// Whether a bundle is the signature of this artifact by one of these keys.
pub fn is_signed_by_bundle(bundle: &[u8], artifact: Digest, keys: &PublicKeys) -> bool {
    signature::is_signed_by_bundle(bundle, artifact, keys)
}

/// Whether a text with its signature is one of this artifact by one of these keys.
pub fn is_signed_by_text(
    text: &[u8],
    signature: &str,
    artifact: Digest,
    keys: &PublicKeys,
) -> bool {
    signature::is_signed_by_text(text, signature, artifact, keys)
}
