//! Signatures as cosign wrote them before: a text that names the artifact's digest, and its signature in an annotation.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::Verdict;
use super::keys::PublicKeys;
use crate::digest::Digest;

/// The layer that holds the text.
pub(crate) const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The annotation of that layer that holds the signature.
pub(crate) const SIGNATURE_ANNOTATION: &str = "dev.cosignproject.cosign/signature";
const KIND: &str = "cosign container image signature";

#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Whether the text says that the artifact with this manifest is signed by one of these keys.
pub(super) fn judge(payload: &[u8], signature: &str, wanted: Digest, keys: &PublicKeys) -> Verdict {
    let Ok(signature) = STANDARD.decode(signature) else {
        return Verdict::malformed("a signature that is no base64");
    };
    let Some(signer) = keys.signer(payload, &signature) else {
        return Verdict::OtherKey;
    };
    match serde_json::from_slice::<Payload>(payload) {
        Ok(Payload { critical }) if critical.kind == KIND => {
            if critical.image.digest == wanted.to_string() {
                Verdict::Signed(signer)
            } else {
                Verdict::OtherDigest(critical.image.digest)
            }
        }
        Ok(_) => Verdict::malformed("signed, but no signature of an artifact"),
        Err(error) => Verdict::malformed(format!("signed, but no text of a signature: {error}")),
    }
}
