//! Why a request of a registrar has no answer.

use mcp_operator_core::plan_execution::FailureScope;
use mcp_operator_core::retry::{Classify, ErrorClass};
use thiserror::Error;

use crate::credential::CredentialError;

/// Why a request was not sent, or was not answered as it should be. No credential is in any of them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExchangeError {
    /// A plan names a connection that the MCPPlugin does not declare.
    #[error("the registrar's MCPPlugin declares no connection {name}: add it to spec.connections")]
    NoConnection { name: String },
    /// The credential cannot be had.
    #[error("connection {connection}: {source}")]
    NoCredential {
        connection: String,
        source: CredentialError,
    },
    /// A plugin wanted to send what it must not.
    #[error("connection {connection}: the plugin's request {request} is not sent: {reason}")]
    Forbidden {
        connection: String,
        /// Method and path.
        request: String,
        /// Which rule it breaks.
        reason: String,
    },
    /// Nobody answered.
    #[error("connection {connection}: {reason}")]
    Unreachable {
        connection: String,
        /// In the words of the network.
        reason: String,
    },
    /// The service took the request, and hung up without an answer.
    #[error("connection {connection}: {reason}")]
    Interrupted {
        connection: String,
        /// In the words of the network.
        reason: String,
    },
    /// No answer came in time.
    #[error("connection {connection}: no answer within {milliseconds} ms")]
    Timeout {
        connection: String,
        /// Time that was waited.
        milliseconds: u128,
    },
    /// The answer is larger than anything that makes sense.
    #[error("connection {connection}: the answer has more than {limit} bytes")]
    TooLarge {
        connection: String,
        /// Most bytes that are read.
        limit: usize,
    },
    /// The service answered, and did not do it.
    #[error("connection {connection}: {request} is answered with HTTP {status}{}", detail(.excerpt))]
    Status {
        connection: String,
        /// Method and path.
        request: String,
        status: u16,
        /// Beginning of the answer. Empty where it could tell about the credential.
        excerpt: String,
    },
    /// The service has asked for a pause by `Retry-After`, and has it.
    #[error("connection {connection}: the service has asked to be left alone for a while")]
    RetryAfter { connection: String },
}

fn detail(excerpt: &str) -> String {
    if excerpt.is_empty() {
        String::new()
    } else {
        format!(": {excerpt}")
    }
}

fn status_class(status: u16) -> ErrorClass {
    match status {
        // What was planned no longer fits what is there: somebody else was quicker. The next plan knows.
        400 | 404 | 409 | 412 => ErrorClass::Conflict,
        408 | 425 | 429 | 500.. => ErrorClass::Transient,
        _ => ErrorClass::Terminal,
    }
}

impl Classify for ExchangeError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::NoConnection { .. } => ErrorClass::Terminal,
            Self::Forbidden { .. } => ErrorClass::PluginGuest,
            Self::NoCredential { .. } | Self::TooLarge { .. } => ErrorClass::External,
            Self::Unreachable { .. }
            | Self::Interrupted { .. }
            | Self::Timeout { .. }
            | Self::RetryAfter { .. } => ErrorClass::Transient,
            Self::Status { status, .. } => status_class(*status),
        }
    }

    fn category(&self) -> &'static str {
        match self {
            Self::NoConnection { .. } => "NoConnection",
            Self::NoCredential { .. } => "CredentialUnavailable",
            Self::Forbidden { .. } => "RequestForbidden",
            Self::Unreachable { .. } | Self::Interrupted { .. } => "ConnectionFailed",
            Self::Timeout { .. } => "Timeout",
            Self::TooLarge { .. } => "AnswerTooLarge",
            Self::Status {
                status: 401 | 403, ..
            } => "AccessDenied",
            Self::Status { status: 429, .. } | Self::RetryAfter { .. } => "TooManyRequests",
            Self::Status { status: 500.., .. } => "GatewayError",
            Self::Status { .. } => "RequestRefused",
        }
    }
}

impl ExchangeError {
    /// What else would fare no better now. A service that fails at one request (500) may well do the next one.
    pub fn failure_scope(&self) -> FailureScope {
        match self {
            Self::Status {
                status: 401 | 403 | 429 | 502..=504,
                ..
            }
            | Self::NoConnection { .. }
            | Self::NoCredential { .. }
            | Self::Unreachable { .. }
            | Self::RetryAfter { .. } => FailureScope::Connection,
            Self::Interrupted { .. } | Self::Timeout { .. } => FailureScope::NoAnswer,
            Self::Status { .. } | Self::Forbidden { .. } | Self::TooLarge { .. } => {
                FailureScope::Step
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_decides_about_trying_again() {
        use FailureScope::{Connection, Step};
        for (status, class, category, scope) in [
            (400, ErrorClass::Conflict, "RequestRefused", Step),
            (401, ErrorClass::Terminal, "AccessDenied", Connection),
            (409, ErrorClass::Conflict, "RequestRefused", Step),
            (422, ErrorClass::Terminal, "RequestRefused", Step),
            (429, ErrorClass::Transient, "TooManyRequests", Connection),
            (500, ErrorClass::Transient, "GatewayError", Step),
            (502, ErrorClass::Transient, "GatewayError", Connection),
            (503, ErrorClass::Transient, "GatewayError", Connection),
        ] {
            let error = ExchangeError::Status {
                connection: "litellm".into(),
                request: "POST /v1/mcp/server".into(),
                status,
                excerpt: String::new(),
            };
            assert_eq!(
                (error.class(), error.category()),
                (class, category),
                "{status}"
            );
            assert_eq!(error.failure_scope(), scope, "{status}");
        }
    }
}
