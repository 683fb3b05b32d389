//! The key of the hashes of Secrets.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::rotation::Fingerprint;

/// Bytes of the key.
pub const KEY_BYTES: usize = 32;

/// The key of the hashes of Secrets that the operator writes where everybody who may read a Deployment can read them.
///
/// It must be random and secret: what is hashed may be a PIN or a short password, and whoever can compute the hash of a
/// guess needs nothing else to know whether the guess is right.
#[derive(Clone)]
pub struct HashKey {
    id: String,
    mac: Hmac<Sha256>,
}

/// Stands between the id of the key and the hash. Neither has one, and no hash of an earlier version has it.
const SEPARATOR: char = '.';

impl HashKey {
    /// `key` is random. None: it has not as many bytes as it should.
    pub fn new(key: &[u8]) -> Option<Self> {
        if key.len() != KEY_BYTES {
            return None;
        }
        let mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        // Nothing else that is hashed begins with a zero byte: a name comes first.
        let id = digest(&mac, &[b"\0id"], 4);
        Some(Self { id, mac })
    }

    /// `<key id>.<hash>` of a Secret as `of` reads it: whoever has the same key gets the same, and whoever has another one sees that it is another.
    pub(crate) fn hash(&self, of: &str, secret: &str, fingerprint: &Fingerprint) -> String {
        let parts = [
            of.as_bytes(),
            b"\0",
            secret.as_bytes(),
            b"\0",
            fingerprint.as_slice(),
        ];
        format!("{}{SEPARATOR}{}", self.id, digest(&self.mac, &parts, 8))
    }

    /// Whether a hash is one of this key, and can be compared with others of it.
    pub(crate) fn made(&self, hash: &str) -> bool {
        hash.split_once(SEPARATOR)
            .is_some_and(|(id, _)| id == self.id)
    }
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "HashKey({})", self.id)
    }
}

fn digest(mac: &Hmac<Sha256>, parts: &[&[u8]], length: usize) -> String {
    let mut mac = mac.clone();
    for part in parts {
        mac.update(part);
    }
    hex::encode(&mac.finalize().into_bytes()[..length])
}
