use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use serde_json::json;

use super::*;
use crate::manifest::{Manifest, OCI_INDEX, OCI_MANIFEST};
use crate::test_server::TestServer;
use crate::{Credentials, Transport, sign};
use mcp_operator_core::retry::Classify;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
/// Made by `cosign generate-key-pair`, of which only the public half is known.
const OF_COSIGN: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhyQCx0E9wQWSFI9ULGwy3BuRklnt
IqozONbbdbqz11hlRJy9c7SG+hdcFl9jE9uE/dwtuwU2MqU9T/cN0YkWww==
-----END PUBLIC KEY-----
";

fn pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}

/// A new key: ECDSA, as cosign makes it, or Ed25519.
fn key(is_ecdsa: bool) -> PrivateKey {
    let rng = SystemRandom::new();
    let der = if is_ecdsa {
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &rng)
    } else {
        Ed25519KeyPair::generate_pkcs8(&rng)
    };
    PrivateKey::from_pem(pem("PRIVATE KEY", der.unwrap().as_ref()).as_bytes()).unwrap()
}

fn trusted(keys: &[&PrivateKey]) -> PublicKeys {
    let mut trusted = PublicKeys::new("spec.source.verify.publicKeys");
    for key in keys {
        trusted.add_pem(key.public().to_pem().as_bytes()).unwrap();
    }
    trusted
}

struct World {
    server: TestServer,
    registry: Registry,
    artifact: Artifact,
}

impl World {
    async fn new() -> Self {
        let server = TestServer::start().await;
        server.component("1", COMPONENT);
        let reference = format!("{}/rule:1", server.address).parse().unwrap();
        let transport = Transport {
            authorities: None,
            plain_http: true,
        };
        let registry = Registry::open(&reference, Credentials::Anonymous, transport).unwrap();
        let artifact = registry.resolve().await.unwrap();
        Self {
            server,
            registry,
            artifact,
        }
    }

    async fn verify(&self, required: &[PublicKeys]) -> Result<Vec<KeyId>, ComponentError> {
        verify(&self.registry, &self.artifact, required).await
    }

    /// The category of the error, and the error.
    async fn refused(&self, keys: &PublicKeys) -> (&'static str, String) {
        let error = self.verify(std::slice::from_ref(keys)).await.unwrap_err();
        (error.category(), error.to_string())
    }

    /// As cosign did it before: a text beside the artifact that says it is `signed`, with the signature in an annotation.
    fn sign_simply(&self, signed: Digest, key: &PrivateKey, kind: &str) {
        let payload = json!({
            "critical": {
                "identity": { "docker-reference": "registry.test/rule" },
                "image": { "docker-manifest-digest": signed.to_string() },
                "type": kind,
            },
            "optional": null,
        });
        let payload = payload.to_string().into_bytes();
        let mut layer = Descriptor::of(SIMPLE_SIGNING, &payload);
        let signature = STANDARD.encode(key.sign(&payload).unwrap());
        layer
            .annotations
            .insert(SIGNATURE_ANNOTATION.into(), signature);
        self.server
            .store(&format!("/v2/rule/blobs/{}", layer.digest), "", &payload);
        let config = Descriptor::of("application/vnd.oci.image.config.v1+json", b"{}");
        let manifest = serde_json::to_vec(&Manifest::artifact(config, vec![layer])).unwrap();
        let tag = format!("{}.sig", referrers_tag(self.artifact.digest));
        self.server.manifest(&tag, OCI_MANIFEST, &manifest);
    }

    /// Puts a bundle beside the artifact.
    fn attach(&self, bundle: &[u8]) {
        self.attach_as(bundle, Some(BUNDLE));
    }

    /// Several, each with what the list says of it.
    fn attach_all(&self, bundles: &[(Vec<u8>, &str)]) {
        let referrers = bundles.iter().map(|(bundle, predicate)| {
            let mut referrer = self.store(bundle);
            referrer.artifact_type = Some(BUNDLE.to_owned());
            let annotation = (PREDICATE_ANNOTATION.to_owned(), (*predicate).to_owned());
            referrer.annotations.extend([annotation]);
            referrer
        });
        self.list(referrers.collect());
    }

    fn attach_as(&self, bundle: &[u8], artifact_type: Option<&str>) {
        let mut referrer = self.store(bundle);
        referrer.artifact_type = artifact_type.map(str::to_owned);
        self.list(vec![referrer]);
    }

    /// Stores a bundle as an artifact, which no list has yet.
    fn store(&self, bundle: &[u8]) -> Descriptor {
        let layer = Descriptor::of(BUNDLE, bundle);
        self.server
            .store(&format!("/v2/rule/blobs/{}", layer.digest), "", bundle);
        let config = Descriptor::of("application/vnd.oci.empty.v1+json", b"{}");
        let manifest = serde_json::to_vec(&Manifest::artifact(config, vec![layer])).unwrap();
        let digest = self.server.manifest("unused", OCI_MANIFEST, &manifest);
        let referrer = Descriptor::of(OCI_MANIFEST, &manifest);
        assert_eq!(referrer.digest, digest.to_string());
        referrer
    }

    /// Makes the list of what is attached.
    fn list(&self, referrers: Vec<Descriptor>) {
        let index = serde_json::to_vec(&Manifest::index(referrers)).unwrap();
        self.server
            .manifest(&referrers_tag(self.artifact.digest), OCI_INDEX, &index);
    }
}

const IMAGE: &str = "cosign container image signature";

#[tokio::test]
async fn who_has_signed_is_found_in_each_form_and_with_each_kind_of_key() {
    for is_ecdsa in [true, false] {
        let key = key(is_ecdsa);
        for keeps_referrers in [true, false] {
            let world = World::new().await;
            if keeps_referrers {
                world.server.keep_referrers();
            }
            let keys = trusted(&[&key]);
            assert_eq!(world.refused(&keys).await.0, "SignatureMissing");
            sign(&world.registry, &world.artifact, &key).await.unwrap();
            assert_eq!(world.verify(&[keys]).await.unwrap(), [key.public().id()]);
        }
        let world = World::new().await;
        world.sign_simply(world.artifact.digest, &key, IMAGE);
        assert_eq!(
            world.verify(&[trusted(&[&key])]).await.unwrap(),
            [key.public().id()]
        );
    }
}

/// The list of referrers under a tag is what whoever pushes writes there, and not all write the same.
#[tokio::test]
async fn a_bundle_is_known_by_itself_whatever_the_list_says_it_is() {
    let key = key(true);
    for (artifact_type, is_found) in [
        (Some(BUNDLE), true),
        (
            Some("application/vnd.dev.sigstore.bundle+json;version=0.2"),
            true,
        ),
        (Some("application/vnd.oci.empty.v1+json"), true),
        (None, true),
        (Some("application/spdx+json"), false),
    ] {
        let world = World::new().await;
        let bundle = sign_artifact(world.artifact.digest, &key).unwrap();
        world.attach_as(&bundle, artifact_type);
        let verified = world.verify(&[trusted(&[&key])]).await;
        assert_eq!(verified.is_ok(), is_found, "{artifact_type:?}");
    }
}

/// While one key takes the place of another, both are trusted, or both have signed.
#[tokio::test]
async fn an_old_and_a_new_key_stand_side_by_side() {
    let (old, new, other) = (key(true), key(true), key(true));
    let world = World::new().await;
    sign(&world.registry, &world.artifact, &old).await.unwrap();
    for keys in [trusted(&[&old, &new]), trusted(&[&new, &old])] {
        assert_eq!(world.verify(&[keys]).await.unwrap(), [old.public().id()]);
    }
    sign(&world.registry, &world.artifact, &new).await.unwrap();
    for key in [&old, &new] {
        assert_eq!(
            world.verify(&[trusted(&[key])]).await.unwrap(),
            [key.public().id()]
        );
    }
    // Each set that is required needs a signature of its own.
    let both = [trusted(&[&old]), trusted(&[&new])];
    assert_eq!(
        world.verify(&both).await.unwrap(),
        [old.public().id(), new.public().id()]
    );
    let one_is_missing = [trusted(&[&old]), trusted(&[&other])];
    assert_eq!(
        world.verify(&one_is_missing).await.unwrap_err().category(),
        "SignatureUntrusted"
    );
    assert!(world.verify(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_a_signature_is_named() {
    let (ours, theirs) = (key(true), key(true));
    let (keys, elsewhere) = (trusted(&[&ours]), Digest::of(b"something else"));

    let world = World::new().await;
    let (category, said) = world.refused(&keys).await;
    assert_eq!(category, "SignatureMissing");
    let place = world.artifact.pinned.clone();
    assert!(
        said.starts_with(&format!(
            "{place} has no signature: sign it with `cosign sign --key KEY {place}`"
        )),
        "{said}"
    );

    sign(&world.registry, &world.artifact, &theirs)
        .await
        .unwrap();
    let (category, said) = world.refused(&keys).await;
    assert_eq!(category, "SignatureUntrusted");
    assert!(
        said.contains("has a signature, but none by the key of spec.source.verify.publicKeys ("),
        "{said}"
    );
    world.sign_simply(world.artifact.digest, &theirs, IMAGE);
    assert!(
        world
            .refused(&keys)
            .await
            .1
            .contains("has 2 signatures, but none by")
    );

    // Our signature of something else is more suspicious than somebody's of this.
    world.sign_simply(elsewhere, &ours, IMAGE);
    let (category, said) = world.refused(&keys).await;
    assert_eq!(category, "SignatureMismatch");
    assert!(
        said.contains(&format!("is for {elsewhere}, and not for it")),
        "{said}"
    );
    let world = World::new().await;
    world.attach(&sign_artifact(elsewhere, &ours).unwrap());
    assert_eq!(world.refused(&keys).await.0, "SignatureMismatch");
}

/// `cosign attest`: a bill of materials is large, and a scan comes each night.
#[tokio::test]
async fn attestations_beside_a_signature_do_not_hide_it() {
    let key = key(true);
    let keys = trusted(&[&key]);
    let world = World::new().await;
    let signature = || {
        let signed = sign_artifact(world.artifact.digest, &key).unwrap();
        (signed, SIGN_PREDICATE)
    };
    let mut bundles: Vec<(Vec<u8>, &str)> = (0..=MOST_SIGNATURES)
        .map(|night| {
            (
                format!("{{\"scan\":{night}}}").into_bytes(),
                "https://cosign.sigstore.dev/attestation/vuln/v1",
            )
        })
        .collect();
    bundles.push(signature());
    let large = vec![b' '; SIGNATURE_LIMIT + 1];
    for bundles in [bundles, vec![(large, SIGN_PREDICATE), signature()]] {
        world.attach_all(&bundles);
        let signed_by = world.verify(std::slice::from_ref(&keys)).await;
        assert_eq!(signed_by.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_is_signed_but_is_no_signature_of_an_artifact_counts_for_nothing() {
    let key = key(true);
    let keys = trusted(&[&key]);
    let world = World::new().await;
    world.sign_simply(world.artifact.digest, &key, "something else");
    assert_eq!(world.refused(&keys).await.0, "SignatureInvalid");

    // An attestation of the same key: perhaps that it is full of holes.
    let world = World::new().await;
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "rule", "digest": { "sha256": world.artifact.digest.hex() } }],
        "predicateType": "https://cosign.sigstore.dev/attestation/vuln/v1", "predicate": {},
    });
    let statement = statement.to_string();
    let envelope = |kind: &str, statement: &str| {
        let message = [
            format!("DSSEv1 {} {kind} {} ", kind.len(), statement.len()).as_bytes(),
            statement.as_bytes(),
        ]
        .concat();
        let signature = STANDARD.encode(key.sign(&message).unwrap());
        let envelope = json!({ "payload": STANDARD.encode(statement), "payloadType": kind, "signatures": [{ "sig": signature }] });
        json!({ "mediaType": BUNDLE, "dsseEnvelope": envelope }).to_string()
    };
    world.attach(envelope("application/vnd.in-toto+json", &statement).as_bytes());
    let (category, said) = world.refused(&keys).await;
    assert_eq!(category, "SignatureInvalid");
    assert!(
        said.contains("an attestation of the type https://cosign.sigstore.dev/attestation/vuln/v1"),
        "{said}"
    );

    let sign = statement.replace(
        "https://cosign.sigstore.dev/attestation/vuln/v1",
        SIGN_PREDICATE,
    );
    for (bundle, category) in [
        (envelope("text/plain", &sign), "SignatureInvalid"),
        ("{}".to_owned(), "SignatureInvalid"),
        ("garbage".to_owned(), "SignatureInvalid"),
        // The text was changed after it was signed.
        (
            envelope("application/vnd.in-toto+json", &sign).replace(
                &STANDARD.encode(&sign)[..20],
                &STANDARD.encode(b"{\"_type\":\"other\"")[..20],
            ),
            "SignatureUntrusted",
        ),
    ] {
        let world = World::new().await;
        world.attach(bundle.as_bytes());
        let (found, said) = world.refused(&keys).await;
        assert_eq!(found, category, "{said}");
    }
    let world = World::new().await;
    world.attach(envelope("application/vnd.in-toto+json", &sign).as_bytes());
    // It names the artifact of another registry, which has other bytes nowhere: the digest is the same.
    assert!(world.verify(std::slice::from_ref(&keys)).await.is_ok());
}

/// Otherwise who can keep the registry from answering could make what is signed seem unsigned, or the other way round.
#[tokio::test]
async fn a_registry_that_cannot_say_who_has_signed_is_not_taken_for_one_without_signatures() {
    let key = key(true);
    let keys = trusted(&[&key]);
    for path in [
        "referrers/DIGEST",
        "manifests/sha256-HEX",
        "manifests/sha256-HEX.sig",
    ] {
        let world = World::new().await;
        let digest = world.artifact.digest;
        let path = path
            .replace("DIGEST", &digest.to_string())
            .replace("HEX", &digest.hex());
        world.server.status(&format!("/v2/rule/{path}"), 503);
        let (category, said) = world.refused(&keys).await;
        assert_eq!(category, "SourceUnavailable", "{path}: {said}");
    }
    // One that does not know the question has no such list.
    let world = World::new().await;
    sign(&world.registry, &world.artifact, &key).await.unwrap();
    world.server.status(
        &format!("/v2/rule/referrers/{}", world.artifact.digest),
        400,
    );
    assert!(world.verify(&[keys]).await.is_ok());
}

#[test]
fn a_signature_beside_a_file_is_base64_or_a_bundle() {
    let (key, other) = (key(true), key(false));
    let keys = [trusted(&[&key])];
    let signature = STANDARD.encode(key.sign(COMPONENT).unwrap());
    let bundle =
        json!({ "messageSignature": { "messageDigest": {}, "signature": signature } }).to_string();
    for signed in [signature.clone(), format!("{signature}\n"), bundle] {
        let verified = verify_detached("file a.wasm", COMPONENT, Some(signed.as_bytes()), &keys);
        assert_eq!(verified.unwrap(), [key.public().id()]);
    }
    let others = STANDARD.encode(other.sign(COMPONENT).unwrap());
    for (signature, category) in [
        (None, "SignatureMissing"),
        (Some(others.as_str()), "SignatureUntrusted"),
        (Some("?"), "SignatureInvalid"),
        (Some("{}"), "SignatureInvalid"),
    ] {
        let refused = verify_detached(
            "file a.wasm",
            COMPONENT,
            signature.map(str::as_bytes),
            &keys,
        );
        assert_eq!(refused.unwrap_err().category(), category);
    }
    let changed = verify_detached("file a.wasm", b"another", Some(signature.as_bytes()), &keys);
    assert_eq!(changed.unwrap_err().category(), "SignatureUntrusted");
    assert!(
        verify_detached("file a.wasm", COMPONENT, None, &[])
            .unwrap()
            .is_empty()
    );
}

#[test]
fn what_is_no_public_key_says_what_it_is() {
    let mut keys = PublicKeys::new("here");
    keys.add_pem(OF_COSIGN.as_bytes()).unwrap();
    keys.add_pem(OF_COSIGN.as_bytes()).unwrap();
    assert_eq!(keys.ids().count(), 1, "the same one is one");
    let two = format!("{OF_COSIGN}{}", key(false).public().to_pem());
    keys.add_pem(two.as_bytes()).unwrap();
    assert_eq!(keys.ids().count(), 2);
    for (text, said) in [
        (pem("CERTIFICATE", b"a"), "holds a certificate"),
        (pem("PRIVATE KEY", b"a"), "holds a private key"),
        (pem("EC PRIVATE KEY", b"a"), "holds a private key"),
        (
            pem("PUBLIC KEY", b"a"),
            "neither ECDSA on P-256 nor Ed25519",
        ),
        ("ssh-ed25519 AAAA".to_owned(), "holds no public key in PEM"),
        (String::new(), "holds no public key in PEM"),
    ] {
        let error = keys.add_pem(text.as_bytes()).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
    for (text, said) in [
        (
            pem("ENCRYPTED SIGSTORE PRIVATE KEY", b"a"),
            "is encrypted, as cosign's keys are",
        ),
        (OF_COSIGN.to_owned(), "holds no private key in PKCS#8"),
        (
            pem("PRIVATE KEY", b"a"),
            "neither ECDSA on P-256 nor Ed25519",
        ),
    ] {
        let error = PrivateKey::from_pem(text.as_bytes()).err().unwrap();
        assert!(error.contains(said), "{error}");
    }
}
