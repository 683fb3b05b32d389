//! The key of the hashes of Secrets, in a Secret that all replicas of the operator share.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::ObjectMeta;
use mcp_operator_core::hash_key::{HashKey, KEY_BYTES};
use mcp_operator_core::retry::{Classify, ErrorClass};
use mcp_operator_runtime::{SharedSecretError, obtain_shared_secret};
use thiserror::Error;

/// Name of the Secret in the namespace of the operator.
pub(crate) const SECRET: &str = "mcp-operator-hash-key";
pub(crate) const KEY: &str = "key";

/// Why there is no key of the hashes of Secrets.
#[derive(Debug, Error)]
pub enum HashKeyError {
    /// The Secret can be neither read nor made.
    #[error("{0}; without the key no change of a Secret could be seen")]
    Secret(#[from] SharedSecretError),
    /// Somebody has changed the Secret.
    #[error(
        "Secret {namespace}/{SECRET} must have {KEY_BYTES} bytes in data.{KEY}: delete it, and the operator makes another, which replaces no pods"
    )]
    Malformed {
        /// Namespace of the operator.
        namespace: String,
    },
    /// The system gives no random bytes.
    #[error("the system has no random bytes for a key: {0}")]
    Random(getrandom::Error),
}

impl Classify for HashKeyError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Secret(error) => error.class(),
            Self::Malformed { .. } | Self::Random(_) => ErrorClass::External,
        }
    }

    fn category(&self) -> &'static str {
        match self {
            Self::Secret(error) => error.category(),
            Self::Malformed { .. } | Self::Random(_) => "HashKeyUnusable",
        }
    }
}

/// The key that other replicas use, or a new one. It is created and never overwritten: what another replica reads stays
/// true.
///
/// # Errors
/// When the Secret can be neither read nor created, or what is in it is no key. Weaker hashes are no way out.
pub async fn obtain_hash_key(client: &Client, namespace: &str) -> Result<HashKey, HashKeyError> {
    let make = || new_secret().map_err(HashKeyError::Random);
    let secret = obtain_shared_secret(client, namespace, SECRET, make).await?;
    read(&secret).ok_or_else(|| HashKeyError::Malformed {
        namespace: namespace.to_owned(),
    })
}

fn read(secret: &Secret) -> Option<HashKey> {
    let ByteString(key) = secret.data.as_ref()?.get(KEY)?;
    HashKey::new(key)
}

fn new_secret() -> Result<Secret, getrandom::Error> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key)?;
    Ok(Secret {
        metadata: ObjectMeta {
            name: Some(SECRET.into()),
            ..ObjectMeta::default()
        },
        data: Some([(KEY.to_owned(), ByteString(key.to_vec()))].into()),
        ..Secret::default()
    })
}
