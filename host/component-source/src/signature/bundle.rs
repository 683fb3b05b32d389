//! Bundles of Sigstore, as cosign writes them today: a signed statement about an artifact, or a signature of a file.
//!
//! What is in a bundle besides (certificates, entries of a public log) is neither needed nor believed: keys decide.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::keys::{PrivateKey, PublicKeys};
use super::{SIGN_PREDICATE, Verdict};
use crate::digest::Digest;

/// How the media type of every version begins.
pub(crate) const BUNDLE_PREFIX: &str = "application/vnd.dev.sigstore.bundle";
/// The version that is written here.
pub(crate) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const STATEMENT: &str = "application/vnd.in-toto+json";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    dsse_envelope: Option<Envelope>,
    message_signature: Option<MessageSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    #[serde(default)]
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

#[derive(Deserialize)]
struct MessageSignature {
    signature: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type", default)]
    kind: String,
    #[serde(default)]
    subject: Vec<Subject>,
    predicate_type: String,
    #[serde(default)]
    predicate: serde_json::Value,
}

#[derive(Serialize, Deserialize)]
struct Subject {
    #[serde(default)]
    digest: BTreeMap<String, String>,
}

/// Whether a bundle says that the artifact with this manifest is signed by one of these keys.
pub(super) fn judge_artifact(bundle: &[u8], wanted: Digest, keys: &PublicKeys) -> Verdict {
    let envelope = match serde_json::from_slice::<Bundle>(bundle) {
        Ok(Bundle {
            dsse_envelope: Some(envelope),
            ..
        }) => envelope,
        Ok(_) => return Verdict::malformed("a bundle without a signed statement"),
        Err(error) => return Verdict::malformed(format!("no bundle: {error}")),
    };
    let Ok(payload) = STANDARD.decode(&envelope.payload) else {
        return Verdict::malformed("a statement that is no base64");
    };
    let message = pre_authentication_encoding(&envelope.payload_type, &payload);
    let signatures = envelope.signatures.iter();
    let mut signatures = signatures.filter_map(|signature| STANDARD.decode(&signature.sig).ok());
    let signer = signatures.find_map(|signature| keys.signer(&message, &signature));
    let Some(signer) = signer else {
        return Verdict::OtherKey;
    };
    let statement = match serde_json::from_slice::<Statement>(&payload) {
        Ok(statement) if envelope.payload_type == STATEMENT => statement,
        _ => return Verdict::malformed("signed, but no statement of in-toto"),
    };
    // The same key may also say that something was scanned, or found to be bad.
    if statement.predicate_type != SIGN_PREDICATE {
        return Verdict::malformed(format!(
            "an attestation of the type {}, and no signature",
            statement.predicate_type
        ));
    }
    let signed = statement
        .subject
        .iter()
        .filter_map(|subject| subject.digest.get("sha256"));
    let signed: Vec<&str> = signed.map(String::as_str).collect();
    if signed.contains(&wanted.hex().as_str()) {
        Verdict::Signed(signer)
    } else {
        Verdict::OtherDigest(format!("sha256:{}", signed.join(", sha256:")))
    }
}

/// The signature of a file in a bundle.
pub(super) fn file_signature(bundle: &[u8]) -> Result<String, String> {
    match serde_json::from_slice::<Bundle>(bundle) {
        Ok(Bundle {
            message_signature: Some(found),
            ..
        }) => Ok(found.signature),
        Ok(_) => Err("a bundle without the signature of a file".to_owned()),
        Err(error) => Err(format!("no bundle: {error}")),
    }
}

/// A bundle that says so.
pub(crate) fn sign_artifact(manifest: Digest, key: &PrivateKey) -> Result<Vec<u8>, String> {
    let statement = Statement {
        kind: STATEMENT_TYPE.to_owned(),
        subject: vec![Subject {
            digest: BTreeMap::from([("sha256".to_owned(), manifest.hex())]),
        }],
        predicate_type: SIGN_PREDICATE.to_owned(),
        predicate: json!({}),
    };
    let payload = serde_json::to_vec(&statement).map_err(|error| error.to_string())?;
    let signature = key.sign(&pre_authentication_encoding(STATEMENT, &payload))?;
    let bundle = json!({
        "mediaType": BUNDLE,
        "verificationMaterial": { "publicKey": { "hint": key.public().id().to_string() } },
        "dsseEnvelope": {
            "payload": STANDARD.encode(&payload),
            "payloadType": STATEMENT,
            "signatures": [{ "sig": STANDARD.encode(signature) }],
        },
    });
    serde_json::to_vec(&bundle).map_err(|error| error.to_string())
}

/// What is signed of an envelope.
fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let header = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    [header.as_bytes(), payload].concat()
}
