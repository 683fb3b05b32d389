//! A Secret that all replicas of the operator share: whoever is first makes it.

use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, Client};
use mcp_operator_core::retry::{Classify, ErrorClass};
use thiserror::Error;
use tracing::info;

use crate::error::{ApiError, request};

/// Why there is no such Secret.
#[derive(Debug, Error)]
pub enum SharedSecretError {
    /// The API server refuses.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// It was gone whenever it was looked for, and there whenever it was to be created.
    #[error("Secret {namespace}/{name} appears and vanishes again: find out who deletes it")]
    Unstable {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl Classify for SharedSecretError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Api(error) => error.class(),
            Self::Unstable { .. } => ErrorClass::External,
        }
    }

    fn category(&self) -> &'static str {
        match self {
            Self::Api(error) => error.category(),
            Self::Unstable { .. } => "SecretUnstable",
        }
    }
}

/// The Secret that other replicas use, or a new one that `make` gives, which goes by `name`. It is created and never
/// overwritten: what another replica has read stays true.
///
/// # Errors
/// When it can be neither read nor made.
pub async fn obtain_shared_secret<E: From<SharedSecretError>>(
    client: &Client,
    namespace: &str,
    name: &str,
    make: impl Fn() -> Result<Secret, E>,
) -> Result<Secret, E> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let action = |verb: &str| format!("{verb} Secret {namespace}/{name}");
    // Of several replicas that start at once, one creates it and the others read what it created.
    for _ in 0..3 {
        let found = request(|| action("get"), api.get_opt(name)).await;
        if let Some(secret) = found.map_err(SharedSecretError::Api)? {
            return Ok(secret);
        }
        let (new, params) = (make()?, PostParams::default());
        match request(|| action("create"), api.create(&params, &new)).await {
            Ok(created) => {
                info!(namespace, name, "Secret made");
                return Ok(created);
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(SharedSecretError::Api(error).into()),
        }
    }
    Err(SharedSecretError::Unstable {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
    .into())
}
