//! Whether a component was signed by a key that is trusted. Nobody is asked but the registry: keys decide, offline.

mod bundle;
mod keys;
mod simple_signing;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub use keys::{KeyId, PrivateKey, PublicKey, PublicKeys};

use bundle::BUNDLE_PREFIX;
pub(crate) use bundle::{BUNDLE, sign_artifact};
use simple_signing::{SIGNATURE_ANNOTATION, SIMPLE_SIGNING};

use crate::ComponentError;
use crate::digest::Digest;
use crate::error::{FetchError, SignatureError};
use crate::manifest::{Descriptor, EMPTY_CONFIG};
use crate::registry::{Artifact, Registry};

/// What the predicate of a statement is called that says nothing but that something is signed.
pub(crate) const SIGN_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";
/// Where lists of referrers say what a bundle is about.
pub(crate) const PREDICATE_ANNOTATION: &str = "dev.sigstore.bundle.predicateType";
/// Most signatures of an artifact that are looked at, and most bytes of one.
const MOST_SIGNATURES: usize = 32;
const SIGNATURE_LIMIT: usize = 256 << 10;

/// What one signature is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Signed(KeyId),
    OtherDigest(String),
    OtherKey,
    Malformed(String),
}

impl Verdict {
    fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed(reason.into())
    }
}

/// One signature of an artifact, not judged yet.
enum Candidate {
    Bundle(Vec<u8>),
    Simple { payload: Vec<u8>, signature: String },
}

/// The keys that have signed an artifact, one of each set that is required.
///
/// # Errors
/// When the registry cannot say what is signed, or a set has signed nothing, or something else.
pub async fn verify(
    registry: &Registry,
    artifact: &Artifact,
    required: &[PublicKeys],
) -> Result<Vec<KeyId>, ComponentError> {
    if required.is_empty() {
        return Ok(Vec::new());
    }
    let candidates = candidates(registry, artifact.digest).await?;
    let place = artifact.pinned.as_str();
    let remedy = || {
        format!(
            "sign it with `cosign sign --key KEY {place}` or `mcp-operator plugin push --sign KEY`"
        )
    };
    let each = required.iter().map(|keys| {
        let verdicts = candidates.iter().map(|candidate| match candidate {
            Candidate::Bundle(bundle) => bundle::judge_artifact(bundle, artifact.digest, keys),
            Candidate::Simple { payload, signature } => {
                simple_signing::judge(payload, signature, artifact.digest, keys)
            }
        });
        conclude(place, verdicts.collect(), keys, remedy).map_err(ComponentError::from)
    });
    each.collect()
}

/// The keys that have signed a component beside which its signature lies as a file: in base64, or as a bundle.
///
/// # Errors
/// As [`verify`].
pub fn verify_detached(
    place: &str,
    component: &[u8],
    signature: Option<&[u8]>,
    required: &[PublicKeys],
) -> Result<Vec<KeyId>, SignatureError> {
    let each = required.iter().map(|keys| {
        let verdicts = signature.map(|signature| judge_file(component, signature, keys));
        let remedy = || "put one beside it, with .sig after its name: `cosign sign-blob --key KEY --bundle rule.wasm.sig rule.wasm`, or `openssl dgst -sha256 -sign KEY rule.wasm | base64 -w0`".to_owned();
        conclude(place, verdicts.into_iter().collect(), keys, remedy)
    });
    each.collect()
}

fn judge_file(component: &[u8], signature: &[u8], keys: &PublicKeys) -> Verdict {
    let Ok(text) = std::str::from_utf8(signature) else {
        return Verdict::malformed("neither base64 nor a bundle");
    };
    let text = text.trim();
    let encoded = if text.starts_with('{') {
        bundle::file_signature(text.as_bytes())
    } else {
        Ok(text.to_owned())
    };
    let encoded = match encoded {
        Ok(encoded) => encoded,
        Err(reason) => return Verdict::malformed(reason),
    };
    let Ok(signature) = STANDARD.decode(encoded) else {
        return Verdict::malformed("neither base64 nor a bundle");
    };
    keys.signer(component, &signature)
        .map_or(Verdict::OtherKey, Verdict::Signed)
}

/// The best of several verdicts, or the worst reason why there is none.
fn conclude(
    place: &str,
    verdicts: Vec<Verdict>,
    keys: &PublicKeys,
    remedy: impl Fn() -> String,
) -> Result<KeyId, SignatureError> {
    let place = place.to_owned();
    let signed = verdicts.iter().find_map(|verdict| match verdict {
        Verdict::Signed(key) => Some(*key),
        _ => None,
    });
    if let Some(key) = signed {
        return Ok(key);
    }
    let for_other = verdicts.iter().find_map(|verdict| match verdict {
        Verdict::OtherDigest(signed) => Some(signed.clone()),
        _ => None,
    });
    if let Some(signed) = for_other {
        return Err(SignatureError::OtherDigest { place, signed });
    }
    if verdicts.contains(&Verdict::OtherKey) {
        let count = match verdicts.len() {
            1 => "a signature".to_owned(),
            count => format!("{count} signatures"),
        };
        let keys = keys.describe();
        return Err(SignatureError::OtherKey { place, count, keys });
    }
    let malformed = verdicts.into_iter().find_map(|verdict| match verdict {
        Verdict::Malformed(reason) => Some(reason),
        _ => None,
    });
    Err(match malformed {
        Some(reason) => SignatureError::Malformed { place, reason },
        None => SignatureError::Missing {
            place,
            remedy: remedy(),
        },
    })
}

#[cfg(feature = "fuzzing")]
pub(crate) fn is_signed_by_bundle(bundle: &[u8], artifact: Digest, keys: &PublicKeys) -> bool {
    let verdict = bundle::judge_artifact(bundle, artifact, keys);
    matches!(verdict, Verdict::Signed(_))
}

#[cfg(feature = "fuzzing")]
pub(crate) fn is_signed_by_text(
    text: &[u8],
    signature: &str,
    artifact: Digest,
    keys: &PublicKeys,
) -> bool {
    let verdict = simple_signing::judge(text, signature, artifact, keys);
    matches!(verdict, Verdict::Signed(_))
}

/// All signatures of an artifact: bundles that refer to it, and those of before under a tag of its own.
async fn candidates(registry: &Registry, digest: Digest) -> Result<Vec<Candidate>, FetchError> {
    let mut found = bundles(registry, digest).await?;
    found.extend(simple_signatures(registry, digest).await?);
    Ok(found)
}

/// The tag under which registries that know of no referrers keep the list of them.
pub(crate) fn referrers_tag(digest: Digest) -> String {
    format!("sha256-{}", digest.hex())
}

async fn bundles(registry: &Registry, digest: Digest) -> Result<Vec<Candidate>, FetchError> {
    let listed = registry.referrers(digest).await?.unwrap_or_default();
    let mut referrers: Vec<Descriptor> = listed.into_iter().filter(is_bundle).collect();
    if referrers.is_empty() {
        let index = registry.manifest(&referrers_tag(digest)).await?;
        let listed = index.and_then(|index| index.manifest.manifests);
        referrers = listed
            .unwrap_or_default()
            .into_iter()
            .filter(is_bundle)
            .collect();
    }
    let mut found = Vec::new();
    let referrers = referrers.iter().filter_map(by_digest);
    for referrer in referrers.take(MOST_SIGNATURES) {
        let Some(stored) = registry.manifest(&referrer.to_string()).await? else {
            continue;
        };
        let layers = stored.manifest.layers.iter();
        let layer = layers
            .filter(|layer| layer.media_type.starts_with(BUNDLE_PREFIX))
            .find_map(by_digest);
        if let Some(layer) = layer {
            let bundle = registry.blob(layer, SIGNATURE_LIMIT, "a signature").await;
            found.push(Candidate::Bundle(match bundle {
                // No signature is so large: what somebody attests beside it may be.
                Err(FetchError::TooLarge { .. }) => Vec::new(),
                bundle => bundle?,
            }));
        }
    }
    Ok(found)
}

/// By what the list says of it: older programs write the type of the configuration there, and some nothing. Its layer decides.
fn is_bundle(referrer: &Descriptor) -> bool {
    let artifact_type = referrer.artifact_type.as_deref().unwrap_or_default();
    // Attestations are bundles too, and there can be one more of them each night.
    let predicate = referrer.annotations.get(PREDICATE_ANNOTATION);
    predicate.is_none_or(|predicate| predicate == SIGN_PREDICATE)
        && (matches!(artifact_type, "" | EMPTY_CONFIG) || artifact_type.starts_with(BUNDLE_PREFIX))
}

fn by_digest(descriptor: &Descriptor) -> Option<Digest> {
    descriptor.digest.parse().ok()
}

async fn simple_signatures(
    registry: &Registry,
    digest: Digest,
) -> Result<Vec<Candidate>, FetchError> {
    let tag = format!("{}.sig", referrers_tag(digest));
    let Some(stored) = registry.manifest(&tag).await? else {
        return Ok(Vec::new());
    };
    let layers = stored.manifest.layers.iter();
    let layers = layers.filter(|layer| layer.media_type == SIMPLE_SIGNING);
    let mut found = Vec::new();
    for layer in layers.take(MOST_SIGNATURES) {
        let signature = layer.annotations.get(SIGNATURE_ANNOTATION).cloned();
        if let (Some(signature), Some(layer)) = (signature, by_digest(layer)) {
            let payload = registry.blob(layer, SIGNATURE_LIMIT, "a signature").await?;
            found.push(Candidate::Simple { payload, signature });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
