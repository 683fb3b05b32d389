//! What can stop a reconcile.

use mcp_operator_core::manifest::{BuildError, ManagedKind};
use mcp_operator_core::outcome::Failure;
use mcp_operator_core::retry::{Classify, ErrorClass};
use mcp_operator_policy::PolicyError;
use mcp_operator_runtime::{ApiError, NoRoom};
use thiserror::Error;

/// An error of one step of a reconcile.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Build(#[from] BuildError),
    /// An object of somebody else has the name that ours should have.
    #[error(
        "{kind} {name} exists and is not managed by this MCPServer: rename the MCPServer, delete the {kind} to let the operator make its own, or give it to the MCPServer by the annotation mcp.litellm.ai/adopt and its labels"
    )]
    ForeignObject {
        kind: &'static str,
        /// `namespace/name`.
        name: String,
    },
    /// An object of a deleted MCPServer with the same name is still there.
    #[error(
        "{kind} {name} belongs to a deleted MCPServer of the same name: the operator waits until it is removed"
    )]
    LeftBehind {
        kind: &'static str,
        /// `namespace/name`.
        name: String,
    },
    /// An object that is offered cannot be taken without harm to the pods that run, or to who calls them.
    #[error("{kind} {name} is not adopted: {reason}")]
    AdoptionRefused {
        kind: &'static str,
        /// `namespace/name`.
        name: String,
        reason: String,
    },
    /// Objects of a kind cannot be read, so none can be written without risk.
    #[error("{kind} objects cannot be read: {message}")]
    Unreadable {
        kind: &'static str,
        /// The API server's message.
        message: String,
    },
    /// An object that the API server sent cannot be compared with what it should be.
    #[error("{kind} {name} cannot be read: {reason}")]
    Malformed {
        kind: &'static str,
        /// `namespace/name`.
        name: String,
        reason: String,
    },
}

impl Error {
    pub(crate) fn malformed(
        manifest: &mcp_operator_core::manifest::Manifest,
        error: &serde_json::Error,
    ) -> Self {
        Self::Malformed {
            kind: manifest.kind.name(),
            name: format!("{}/{}", manifest.namespace(), manifest.name()),
            reason: error.to_string(),
        }
    }
}

impl Classify for Error {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Api(error) => error.class(),
            Self::Policy(error) => error.class(),
            Self::Build(_) | Self::Malformed { .. } => ErrorClass::Terminal,
            Self::ForeignObject { .. } | Self::AdoptionRefused { .. } | Self::Unreadable { .. } => {
                ErrorClass::External
            }
            Self::LeftBehind { .. } => ErrorClass::Transient,
        }
    }

    fn category(&self) -> &'static str {
        match self {
            Self::Api(error) => error.category(),
            Self::Policy(error) => error.category(),
            Self::Build(_) => "BuildFailed",
            Self::Malformed { .. } => "Malformed",
            Self::ForeignObject { .. } => "ForeignObject",
            Self::LeftBehind { .. } => "LeftBehind",
            Self::AdoptionRefused { .. } => "AdoptionRefused",
            Self::Unreadable { .. } => "Forbidden",
        }
    }
}

/// Why a reconcile stopped.
#[derive(Debug, Error)]
pub(crate) enum ReconcileError {
    /// Nobody can say whether the specification is valid. What was made from an earlier one stays.
    #[error(transparent)]
    Undecided(PolicyError),
    /// It is too large to be worked on beside the others.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// It is too large to be kept, and could not be read again.
    #[error(transparent)]
    NotRead(ApiError),
    /// A later step failed; with the kind of the object that it failed for, if it was one.
    #[error("{error}")]
    Failed {
        kind: Option<ManagedKind>,
        error: Error,
    },
}

impl ReconcileError {
    /// A failure about one kind of object.
    pub(crate) fn about(kind: ManagedKind, error: impl Into<Error>) -> Self {
        Self::Failed {
            kind: Some(kind),
            error: error.into(),
        }
    }

    /// As conditions report it.
    pub(crate) fn failure(&self) -> Failure {
        Failure {
            reason: self.category().to_owned(),
            message: self.to_string(),
            kind: match self {
                Self::Undecided(_) | Self::NoRoom(_) | Self::NotRead(_) => None,
                Self::Failed { kind, .. } => *kind,
            },
            needs_somebody: matches!(self.class(), ErrorClass::Terminal | ErrorClass::External),
        }
    }
}

impl<E: Into<Error>> From<E> for ReconcileError {
    fn from(error: E) -> Self {
        Self::Failed {
            kind: None,
            error: error.into(),
        }
    }
}

impl Classify for ReconcileError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Undecided(error) => error.class(),
            Self::NoRoom(error) => error.class(),
            Self::NotRead(error) => error.class(),
            Self::Failed { error, .. } => error.class(),
        }
    }

    fn category(&self) -> &'static str {
        match self {
            Self::Undecided(error) => error.category(),
            Self::NoRoom(error) => error.category(),
            Self::NotRead(error) => error.category(),
            Self::Failed { error, .. } => error.category(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_object_says_what_to_do() {
        let error = Error::ForeignObject {
            kind: "Service",
            name: "tools/mcp-a".into(),
        };
        assert!(
            error
                .to_string()
                .contains("rename the MCPServer, delete the Service")
        );
    }
}
