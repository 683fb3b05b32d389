//! Replaces pods when a Secret that they read has changed.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use mcp_operator_api::names::annotations::SECRET_HASH;
use serde_json::json;
use sha2::Sha256;

use crate::manifest::{ManagedKind, Manifest};

/// What is known about the data of a Secret: never the data itself.
pub type Fingerprint = [u8; 32];

/// Hash of all Secrets that there are, by name. None: there are none.
///
/// Keyed, because everybody who may see a pod template can read it: the same password gives another hash in another
/// MCPServer, and none that a list of known hashes has.
pub fn hash(key: &str, secrets: &BTreeMap<String, Fingerprint>) -> Option<String> {
    if secrets.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    for (name, fingerprint) in secrets {
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(fingerprint);
    }
    Some(hex::encode(&mac.finalize().into_bytes()[..8]))
}

/// Puts the hash into the pod template: a change of it replaces the pods, as a rollout does it.
pub fn stamp(manifests: &mut [Manifest], hash: Option<&str>) {
    let Some(hash) = hash else { return };
    for manifest in manifests {
        if manifest.kind == ManagedKind::Deployment {
            manifest.object["spec"]["template"]["metadata"]["annotations"][SECRET_HASH] =
                json!(hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(pairs: &[(&str, u8)]) -> BTreeMap<String, Fingerprint> {
        pairs
            .iter()
            .map(|(name, byte)| ((*name).to_owned(), [*byte; 32]))
            .collect()
    }

    #[test]
    fn the_hash_depends_on_each_secret_and_on_the_key() {
        let first = hash("uid", &secrets(&[("a", 1), ("b", 2)]));
        assert_eq!(first, hash("uid", &secrets(&[("b", 2), ("a", 1)])));
        for other in [
            hash("uid", &secrets(&[("a", 1)])),
            hash("uid", &secrets(&[("a", 1), ("b", 3)])),
            hash("other", &secrets(&[("a", 1), ("b", 2)])),
        ] {
            assert_ne!(first, other);
        }
        assert_eq!(hash("uid", &secrets(&[])), None);
    }

    #[test]
    fn only_the_deployment_is_marked() {
        let manifest = |kind| Manifest {
            kind,
            object: json!({ "spec": {} }),
        };
        let mut manifests = [
            manifest(ManagedKind::Service),
            manifest(ManagedKind::Deployment),
        ];
        stamp(&mut manifests, None);
        assert_eq!(manifests[1], manifest(ManagedKind::Deployment));
        stamp(&mut manifests, Some("x"));
        assert_eq!(manifests[0], manifest(ManagedKind::Service));
        assert_eq!(
            manifests[1].object["spec"]["template"]["metadata"]["annotations"][SECRET_HASH],
            "x"
        );
    }
}
