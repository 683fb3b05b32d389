//! Keys that sign, and keys that are trusted.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, UnparsedPublicKey, VerificationAlgorithm,
};
use rustls::pki_types::pem::{PemObject, SectionKind};

use crate::digest::Digest;

/// How DER begins before the point of a public key: there is one encoding of each kind of key.
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const P256_POINT: usize = 65;
const ED25519_PREFIX: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
const ED25519_POINT: usize = 32;

/// Letters of a line of PEM.
const PEM_LINE: usize = 64;
/// Digits of a fingerprint that people are shown.
const SHORT: usize = 12;

/// What a key is called: the SHA-256 of its DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(Digest);

impl KeyId {
    fn short(self) -> String {
        self.0.hex().chars().take(SHORT).collect()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    EcdsaP256,
    Ed25519,
}

/// A public key: ECDSA on P-256, or Ed25519.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    id: KeyId,
    algorithm: Algorithm,
    point: Vec<u8>,
}

impl PublicKey {
    fn from_der(der: &[u8]) -> Option<Self> {
        let point = |prefix: &[u8], length: usize| {
            let point = der.strip_prefix(prefix)?;
            (point.len() == length).then(|| point.to_vec())
        };
        let p256 = point(P256, P256_POINT).map(|point| (Algorithm::EcdsaP256, point));
        let known = p256.or_else(|| {
            point(ED25519_PREFIX, ED25519_POINT).map(|point| (Algorithm::Ed25519, point))
        });
        known.map(|(algorithm, point)| Self {
            id: KeyId(Digest::of(der)),
            algorithm,
            point,
        })
    }

    /// Its name.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// As others are given it.
    pub fn to_pem(&self) -> String {
        let prefix = match self.algorithm {
            Algorithm::EcdsaP256 => P256,
            Algorithm::Ed25519 => ED25519_PREFIX,
        };
        let encoded = STANDARD.encode([prefix, &self.point].concat());
        let mut lines = Vec::new();
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(PEM_LINE));
            lines.push(line);
            rest = after;
        }
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        )
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &dyn VerificationAlgorithm = match self.algorithm {
            Algorithm::EcdsaP256 => &ECDSA_P256_SHA256_ASN1,
            Algorithm::Ed25519 => &ED25519,
        };
        let key = UnparsedPublicKey::new(algorithm, &self.point);
        key.verify(message, signature).is_ok()
    }
}

/// Keys of which one must have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeys {
    /// Where they stand, as people know it: `spec.source.verify.publicKeys`.
    origin: String,
    keys: Vec<PublicKey>,
}

impl PublicKeys {
    /// No keys yet: nothing satisfies them.
    pub fn new(origin: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            keys: Vec::new(),
        }
    }

    /// Takes in all keys of a text in PEM.
    ///
    /// # Errors
    /// When it holds none, or something else too; as the end of a sentence.
    pub fn add_pem(&mut self, pem: &[u8]) -> Result<(), String> {
        let mut found = 0;
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
            let (kind, der) = section.map_err(|_| "cannot be read as PEM".to_owned())?;
            match kind {
                SectionKind::PublicKey => {}
                SectionKind::Certificate => {
                    return Err("holds a certificate: give the public key of it, by `openssl x509 -noout -pubkey`".to_owned());
                }
                SectionKind::PrivateKey
                | SectionKind::EcPrivateKey
                | SectionKind::RsaPrivateKey => {
                    return Err("holds a private key, which should not leave whoever signs: give the public key, by `openssl pkey -pubout`".to_owned());
                }
                _ => return Err("holds something that is no public key".to_owned()),
            }
            let key = PublicKey::from_der(&der)
                .ok_or("holds a public key that is neither ECDSA on P-256 nor Ed25519")?;
            if !self.keys.contains(&key) {
                self.keys.push(key);
            }
            found += 1;
        }
        if found == 0 {
            return Err("holds no public key in PEM (-----BEGIN PUBLIC KEY-----)".to_owned());
        }
        Ok(())
    }

    /// The names of the keys.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(PublicKey::id)
    }

    /// Which of them has signed this message, if one has.
    pub(crate) fn signer(&self, message: &[u8], signature: &[u8]) -> Option<KeyId> {
        let mut keys = self.keys.iter();
        let signer = keys.find(|key| key.verifies(message, signature));
        signer.map(PublicKey::id)
    }

    /// For errors: `the key of spec.source.verify.publicKeys (3f2a...)`.
    pub(crate) fn describe(&self) -> String {
        let ids: Vec<String> = self.ids().map(KeyId::short).collect();
        let noun = if ids.len() == 1 {
            "the key"
        } else {
            "one of the keys"
        };
        format!("{noun} of {} ({})", self.origin, ids.join(", "))
    }
}

/// A private key, which signs. It has no `Debug` and no `Display`: nothing can show it.
pub struct PrivateKey {
    key: Pair,
    public: PublicKey,
}

enum Pair {
    EcdsaP256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl PrivateKey {
    /// Reads PKCS#8 in PEM, as `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` and `-algorithm ED25519` make it.
    ///
    /// # Errors
    /// When it holds no such key, as the end of a sentence.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(pem);
        if text.contains("ENCRYPTED") {
            return Err("is encrypted, as cosign's keys are: sign with cosign (`cosign sign --key`), or give a key in PKCS#8 that is not encrypted".to_owned());
        }
        let mut sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem);
        let der = sections.find_map(|section| match section {
            Ok((SectionKind::PrivateKey, der)) => Some(der),
            _ => None,
        });
        let der = der.ok_or(
            "holds no private key in PKCS#8 (-----BEGIN PRIVATE KEY-----): `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` makes one, and `openssl pkcs8 -topk8 -nocrypt` converts one",
        )?;
        let rng = SystemRandom::new();
        let p256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der, &rng);
        let (key, prefix) = if let Ok(pair) = p256 {
            (Pair::EcdsaP256(pair), P256)
        } else if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
            (Pair::Ed25519(pair), ED25519_PREFIX)
        } else {
            return Err("holds a key that is neither ECDSA on P-256 nor Ed25519".to_owned());
        };
        let point = match &key {
            Pair::EcdsaP256(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
        };
        let public = PublicKey::from_der(&[prefix, point].concat())
            .ok_or("holds a key whose public half cannot be read")?;
        Ok(Self { key, public })
    }

    /// The key that others verify with.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        match &self.key {
            Pair::EcdsaP256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message);
                let signature = signature.map_err(|_| {
                    "it cannot be signed: the machine gives no random numbers".to_owned()
                })?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}
