//! Components from OCI registries and HTTPS servers, and the way there.
//!
//! - In: a [`Reference`] or a URL, [`Credentials`], certificate authorities, [`PublicKeys`].
//! - Out: the bytes of a component with the digest that names them, or why they cannot be had or are not trusted; for
//!   authors, an artifact that was pushed and signed.
//! - Never: it knows no cluster, keeps nothing, and asks nobody but the server that is named, whom that names for tokens, and
//!   for what is verified by its digest, whom it redirects to.
//!
//! [`registry`] speaks with registries, [`https`] with servers, both through [`http`], which has the limits; [`signature`]
//! decides who has signed; [`mod@push`] is the author's side. It is written on `reqwest`, which is here anyway: the clients that
//! there are follow redirects, and send credentials, to addresses that nobody has judged.

mod address;
mod challenge;
mod credentials;
mod digest;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod http;
mod https;
mod manifest;
mod push;
mod reference;
mod registry;
mod signature;
#[cfg(test)]
mod test_server;

use std::future::Future;
use std::time::Duration;

use mcp_operator_core::retry::{Classify, ErrorClass};
use thiserror::Error;

pub use credentials::Credentials;
pub use digest::Digest;
pub use error::{FetchError, SignatureError};
pub use http::Transport;
pub use https::{Download, without_credentials};
pub use push::{PushOptions, push, sign};
pub use reference::Reference;
pub use registry::{Artifact, Registry};
pub use signature::{KeyId, PrivateKey, PublicKey, PublicKeys, verify, verify_detached};

/// How long it may take to find out what a source has, and who has signed it.
pub const LOOK_LIMIT: Duration = Duration::from_secs(30);
/// How long a component may take to come. With the other one it is less than a start of the operator waits for its plugins.
pub const FETCH_LIMIT: Duration = Duration::from_secs(50);

/// Why a component is not used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ComponentError {
    /// It cannot be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It is not trusted.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It cannot be signed.
    #[error("{0}")]
    Signing(String),
}

impl Classify for ComponentError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Fetch(error) => error.class(),
            Self::Signature(error) => error.class(),
            Self::Signing(_) => ErrorClass::External,
        }
    }

    fn category(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.category(),
            Self::Signature(error) => error.category(),
            Self::Signing(_) => "NotSigned",
        }
    }
}

/// What a request leads to, unless it takes longer than this. `place` is what is asked for.
///
/// # Errors
/// Those of the request, and that it took too long.
pub async fn within_limit<T, E: From<FetchError>>(
    place: &str,
    limit: Duration,
    request: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let late = || FetchError::Timeout {
        place: place.to_owned(),
        seconds: limit.as_secs(),
    };
    let answered = tokio::time::timeout(limit, request).await;
    answered.unwrap_or_else(|_| Err(late().into()))
}
