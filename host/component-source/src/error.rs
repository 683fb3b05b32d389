//! Why a component cannot be had, or is not trusted.

use mcp_operator_core::retry::{Classify, ErrorClass};
use thiserror::Error;

/// Why a component cannot be had from where it should be. No credential is in any of them, and no text of a server but its
/// status: what answers may be something that whoever reads this should not see.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FetchError {
    /// The server has nothing by this name.
    #[error("{place} is not there: correct the name, or push it")]
    NotFound { place: String },
    /// The server wants credentials, or others.
    #[error("{place}: {reason}")]
    AccessDenied { place: String, reason: String },
    /// Nobody answers.
    #[error("{place}: {host} cannot be reached: {reason}")]
    Unreachable {
        place: String,
        host: String,
        reason: String,
    },
    /// It took too long.
    #[error("{place}: it was not here within {seconds} s")]
    Timeout { place: String, seconds: u64 },
    /// An answer that helps nobody.
    #[error("{place}: {host} answers with HTTP {status}")]
    Status {
        place: String,
        host: String,
        status: u16,
    },
    /// An answer that is none of the protocol.
    #[error("{place}: {host} answers what no registry should: {reason}")]
    Protocol {
        place: String,
        host: String,
        reason: String,
    },
    /// The way leads where nobody is asked.
    #[error("{place}: {reason}")]
    Forbidden { place: String, reason: String },
    /// More bytes than a component may have.
    #[error(
        "{place} has more than {limit} bytes, which is what {what} may have: make it smaller, or raise the operator's limit"
    )]
    TooLarge {
        place: String,
        what: &'static str,
        limit: usize,
    },
    /// Other bytes than those that the name promises.
    #[error("{place}: what came has the digest {found}, and {wanted} was asked for")]
    DigestMismatch {
        place: String,
        wanted: String,
        found: String,
    },
    /// The artifact is of another kind.
    #[error("{place} {reason}")]
    NotAComponent { place: String, reason: String },
    /// The certificate authorities cannot be used.
    #[error("{0}")]
    Authorities(String),
}

impl Classify for FetchError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => ErrorClass::Transient,
            Self::Status { status, .. } if *status == 429 || *status >= 500 => {
                ErrorClass::Transient
            }
            _ => ErrorClass::External,
        }
    }

    fn category(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "SourceNotFound",
            Self::AccessDenied { .. } => "AccessDenied",
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Status { .. }
            | Self::Protocol { .. } => "SourceUnavailable",
            Self::Forbidden { .. } => "SourceForbidden",
            Self::TooLarge { .. } => "TooLarge",
            Self::DigestMismatch { .. } => "DigestMismatch",
            Self::NotAComponent { .. } => "UnsupportedArtifact",
            Self::Authorities(_) => "InvalidAuthorities",
        }
    }
}

/// Why a component is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// There is none.
    #[error("{place} has no signature: {remedy}")]
    Missing { place: String, remedy: String },
    /// There are some, by others.
    #[error(
        "{place} has {count}, but none by {keys}: sign it with one of these keys, or trust the key that signed it"
    )]
    OtherKey {
        place: String,
        /// `1 signature`.
        count: String,
        /// What the keys are, and their fingerprints.
        keys: String,
    },
    /// A trusted key has signed something else.
    #[error(
        "{place} has a signature by a trusted key that is for {signed}, and not for it: somebody put it beside something else"
    )]
    OtherDigest { place: String, signed: String },
    /// What is there cannot be read as a signature.
    #[error("the signature of {place} cannot be read: {reason}")]
    Malformed { place: String, reason: String },
}

impl Classify for SignatureError {
    fn class(&self) -> ErrorClass {
        ErrorClass::External
    }

    fn category(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "SignatureMissing",
            Self::OtherKey { .. } => "SignatureUntrusted",
            Self::OtherDigest { .. } => "SignatureMismatch",
            Self::Malformed { .. } => "SignatureInvalid",
        }
    }
}
