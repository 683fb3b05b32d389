//! The key of the hashes of Secrets, in a Secret that all replicas of the operator share.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use mcp_operator_core::hash_key::{HashKey, KEY_BYTES};
use mcp_operator_core::retry::{Classify, ErrorClass};
use mcp_operator_runtime::{ApiError, request};
use thiserror::Error;
use tracing::info;

/// Name of the Secret in the namespace of the operator.
pub(crate) const SECRET: &str = "mcp-operator-hash-key";
pub(crate) const KEY: &str = "key";

/// Why there is no key of the hashes of Secrets.
#[derive(Debug, Error)]
pub enum HashKeyError {
    /// The API server refuses.
    #[error("{0}; without the key no change of a Secret could be seen")]
    Api(#[from] ApiError),
    /// Somebody has changed the Secret.
    #[error(
        "Secret {namespace}/{SECRET} must have {KEY_BYTES} bytes in data.{KEY}: delete it, and the operator makes another, which replaces no pods"
    )]
    Malformed {
        /// Namespace of the operator.
        namespace: String,
    },
    /// The Secret was gone whenever it was looked for, and there whenever it was to be created.
    #[error("Secret {namespace}/{SECRET} appears and vanishes again: find out who deletes it")]
    Unstable {
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
            Self::Api(error) => error.class(),
            Self::Malformed { .. } | Self::Unstable { .. } | Self::Random(_) => {
                ErrorClass::External
            }
        }
    }

    fn category(&self) -> &'static str {
        match self {
            Self::Api(error) => error.category(),
            Self::Malformed { .. } | Self::Unstable { .. } | Self::Random(_) => "HashKeyUnusable",
        }
    }
}

/// The key that other replicas use, or a new one. It is created and never overwritten: what another replica reads stays
/// true.
///
/// # Errors
/// When the Secret can be neither read nor created, or what is in it is no key. Weaker hashes are no way out.
pub async fn obtain_hash_key(client: &Client, namespace: &str) -> Result<HashKey, HashKeyError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let action = |verb: &str| format!("{verb} Secret {namespace}/{SECRET}");
    // Of several replicas that start at once, one creates it and the others read what it created.
    for _ in 0..3 {
        if let Some(secret) = request(|| action("get"), api.get_opt(SECRET)).await? {
            return read(&secret).ok_or_else(|| HashKeyError::Malformed {
                namespace: namespace.to_owned(),
            });
        }
        let (new, options) = (
            new_secret().map_err(HashKeyError::Random)?,
            PostParams::default(),
        );
        match request(|| action("create"), api.create(&options, &new)).await {
            Ok(_) => info!(
                namespace,
                name = SECRET,
                "key of the hashes of Secrets made"
            ),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(HashKeyError::Unstable {
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
