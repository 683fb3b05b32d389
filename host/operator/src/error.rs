//! Errors of everything that talks to the API server: a class that decides about trying again, and a
//! category, one word that is used alike in conditions, events, metrics and logs.

use mcp_operator_core::admission::PluginFailure;
use mcp_operator_core::pass::Failure;
use mcp_operator_core::retry::ErrorClass;
use mcp_operator_core::steps::{Cause, Reach};
use thiserror::Error;

use crate::connections::ExchangeError;
use crate::text::with_causes;

/// Something that stopped a pass.
#[derive(Debug, Error)]
pub enum Error {
    /// The API server did not do what it was asked.
    #[error("{action}: {}", reason(.source))]
    Api {
        /// What was tried: `apply Deployment tools/mcp-github`.
        action: String,
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// An object of somebody else has the name that ours should have.
    #[error(
        "{kind} {name} exists and is not managed by this MCPServer: rename the MCPServer, or delete the {kind} to let the operator make its own"
    )]
    ForeignObject {
        /// Kind of the object.
        kind: &'static str,
        /// `namespace/name`.
        name: String,
    },
    /// An object of a deleted MCPServer with the same name is still there.
    #[error(
        "{kind} {name} belongs to a deleted MCPServer of the same name: the operator waits until it is removed"
    )]
    LeftBehind {
        /// Kind of the object.
        kind: &'static str,
        /// `namespace/name`.
        name: String,
    },
    /// Plugins that must complete the objects failed.
    #[error("{}", joined(.0))]
    Plugins(Vec<PluginFailure>),
    /// What plugins made of an MCPServer is none.
    #[error("plugins changed the MCPServer into something that cannot be read")]
    NotAServer,
    /// A request that a registrar planned was not sent, or not answered as it should be.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// A registrar wants to replace pods that are just being replaced.
    #[error("{workload} finishes another rollout first: {message}")]
    RolloutGoingOn {
        /// Kind, namespace and name.
        workload: String,
        /// How far it is.
        message: String,
    },
    /// The operator's own notes about registrars are none.
    #[error(
        "{place} cannot be read ({why}): delete it; what a replaced registrar has left behind then stays"
    )]
    UnreadableRecord {
        /// Where they are.
        place: String,
        /// Why they cannot be read.
        why: String,
    },
    /// Objects of a kind cannot be read, so none can be written without risk.
    #[error("{kind} objects cannot be read: {message}")]
    Unreadable {
        /// The kind.
        kind: &'static str,
        /// What the API server says.
        message: String,
    },
    /// A call took too long.
    #[error("{action}: no answer within {seconds} s")]
    Timeout {
        /// What was tried.
        action: String,
        /// Seconds that were waited.
        seconds: u64,
    },
}

/// The API server's own sentence; the client's wording would repeat it with all its details.
pub(crate) fn reason(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => with_causes(other),
    }
}

fn joined(failures: &[PluginFailure]) -> String {
    let messages: Vec<&str> = failures
        .iter()
        .map(|failure| failure.message.as_str())
        .collect();
    messages.join("; ")
}

impl Error {
    /// Wraps a client's error with what was tried.
    pub fn api(action: impl Into<String>, source: kube::Error) -> Self {
        Self::Api {
            action: action.into(),
            source: Box::new(source),
        }
    }

    /// What kind of error it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Api { source, .. } => api_class(source),
            Self::ForeignObject { .. }
            | Self::Unreadable { .. }
            | Self::UnreadableRecord { .. } => ErrorClass::External,
            Self::Plugins(failures) if failures.iter().all(|failure| failure.guest) => {
                ErrorClass::PluginGuest
            }
            Self::Plugins(_) => ErrorClass::PluginHost,
            Self::NotAServer => ErrorClass::PluginGuest,
            Self::Exchange(error) => error.class(),
            Self::LeftBehind { .. } | Self::RolloutGoingOn { .. } | Self::Timeout { .. } => {
                ErrorClass::Transient
            }
        }
    }

    /// One CamelCase word for conditions, events, metrics and logs.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Api { source, .. } => api_category(source),
            Self::ForeignObject { .. } => "ForeignObject",
            Self::LeftBehind { .. } => "LeftBehind",
            Self::Unreadable { .. } => "Forbidden",
            Self::Plugins(failures) => failures
                .first()
                .map_or("PluginFailed", |failure| failure.category),
            Self::NotAServer => "PatchRefused",
            Self::RolloutGoingOn { .. } => "RolloutWaiting",
            Self::UnreadableRecord { .. } => "UnreadableRecord",
            Self::Exchange(error) => error.category(),
            Self::Timeout { .. } => "Timeout",
        }
    }

    /// Whether the API server says that an object is not as the request takes it to be.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Api { source, .. } if code(source) == Some(409))
    }

    /// What else would fare no better now.
    pub fn reach(&self) -> Reach {
        match self {
            Self::Exchange(error) => error.reach(),
            _ => Reach::Step,
        }
    }

    /// Why a step of a registration was not done.
    pub fn cause(&self) -> Cause {
        Cause {
            category: self.category(),
            message: self.to_string(),
        }
    }

    /// As conditions tell it.
    pub fn failure(&self) -> Failure {
        Failure {
            reason: self.category().to_owned(),
            message: self.to_string(),
            kind: None,
        }
    }
}

fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

fn api_class(error: &kube::Error) -> ErrorClass {
    match code(error) {
        Some(409) => ErrorClass::Conflict,
        // Missing permissions and missing kinds are mended by somebody else, without any event for us.
        Some(403 | 404) => ErrorClass::External,
        Some(400 | 405 | 413 | 415 | 422) => ErrorClass::Terminal,
        _ => ErrorClass::Transient,
    }
}

fn api_category(error: &kube::Error) -> &'static str {
    match code(error) {
        Some(403) => "Forbidden",
        Some(404) => "NotFound",
        Some(409) => "Conflict",
        Some(422) => "Invalid",
        Some(429) => "TooManyRequests",
        Some(400..=499) => "BadRequest",
        Some(_) => "ApiServerError",
        None => "ApiServerUnreachable",
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn api(code: u16) -> Error {
        Error::api(
            "apply",
            kube::Error::Api(Box::new(Status {
                code,
                ..Status::default()
            })),
        )
    }

    #[test]
    fn the_class_decides_about_trying_again() {
        for (code, class, category) in [
            (403, ErrorClass::External, "Forbidden"),
            (409, ErrorClass::Conflict, "Conflict"),
            (422, ErrorClass::Terminal, "Invalid"),
            (429, ErrorClass::Transient, "TooManyRequests"),
            (500, ErrorClass::Transient, "ApiServerError"),
            (503, ErrorClass::Transient, "ApiServerError"),
        ] {
            assert_eq!((api(code).class(), api(code).category()), (class, category));
        }
    }

    #[test]
    fn a_foreign_object_says_what_to_do() {
        let error = Error::ForeignObject {
            kind: "Service",
            name: "tools/mcp-a".into(),
        };
        assert!(
            error
                .to_string()
                .contains("rename the MCPServer, or delete the Service")
        );
    }
}
