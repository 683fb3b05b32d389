//! Why a request of a registrar has no answer.

use mcp_operator_core::retry::ErrorClass;
use mcp_operator_core::steps::Reach;
use thiserror::Error;

/// Why a request was not sent, or was not answered as it should be. No credential is in any of them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExchangeError {
    /// A plan names a connection that the MCPPlugin does not declare.
    #[error("the registrar's MCPPlugin declares no connection {name}: add it to spec.connections")]
    NoConnection {
        /// Name in the plan.
        name: String,
    },
    /// The credential cannot be had.
    #[error("connection {connection}: {why}")]
    NoCredential {
        /// Name of the connection.
        connection: String,
        /// What is missing, and where.
        why: String,
    },
    /// A plugin wanted to send what it must not.
    #[error("connection {connection}: the plugin's request {request} is not sent: {why}")]
    Forbidden {
        /// Name of the connection.
        connection: String,
        /// Method and path.
        request: String,
        /// Which rule it breaks.
        why: String,
    },
    /// Nobody answered.
    #[error("connection {connection}: {why}")]
    Unreachable {
        /// Name of the connection.
        connection: String,
        /// In the words of the network.
        why: String,
    },
    /// The service took the request, and hung up without an answer.
    #[error("connection {connection}: {why}")]
    Interrupted {
        /// Name of the connection.
        connection: String,
        /// In the words of the network.
        why: String,
    },
    /// No answer came in time.
    #[error("connection {connection}: no answer within {milliseconds} ms")]
    Timeout {
        /// Name of the connection.
        connection: String,
        /// Time that was waited.
        milliseconds: u128,
    },
    /// The answer is larger than anything that makes sense.
    #[error("connection {connection}: the answer has more than {limit} bytes")]
    TooLarge {
        /// Name of the connection.
        connection: String,
        /// Most bytes that are read.
        limit: usize,
    },
    /// The service answered, and did not do it.
    #[error("connection {connection}: {request} is answered with HTTP {status}{}", detail(.said))]
    Status {
        /// Name of the connection.
        connection: String,
        /// Method and path.
        request: String,
        /// Status code.
        status: u16,
        /// Beginning of the answer. Empty where it could tell about the credential.
        said: String,
    },
    /// The service has asked to be left alone for a while, and is.
    #[error("connection {connection}: the service has asked to be left alone for a while")]
    LeftAlone {
        /// Name of the connection.
        connection: String,
    },
}

fn detail(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
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

impl ExchangeError {
    /// What kind of error it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NoConnection { .. } => ErrorClass::Terminal,
            Self::Forbidden { .. } => ErrorClass::PluginGuest,
            Self::NoCredential { .. } | Self::TooLarge { .. } => ErrorClass::External,
            Self::Unreachable { .. }
            | Self::Interrupted { .. }
            | Self::Timeout { .. }
            | Self::LeftAlone { .. } => ErrorClass::Transient,
            Self::Status { status, .. } => status_class(*status),
        }
    }

    /// One CamelCase word for conditions, events, metrics and logs.
    pub fn category(&self) -> &'static str {
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
            Self::Status { status: 429, .. } | Self::LeftAlone { .. } => "TooManyRequests",
            Self::Status { status: 500.., .. } => "GatewayError",
            Self::Status { .. } => "RequestRefused",
        }
    }

    /// What else would fare no better now. A service that fails at one request (500) may well do the next one.
    pub fn reach(&self) -> Reach {
        match self {
            Self::Status {
                status: 401 | 403 | 429 | 502..=504,
                ..
            }
            | Self::NoConnection { .. }
            | Self::NoCredential { .. }
            | Self::Unreachable { .. }
            | Self::LeftAlone { .. } => Reach::Connection,
            Self::Interrupted { .. } | Self::Timeout { .. } => Reach::Silence,
            Self::Status { .. } | Self::Forbidden { .. } | Self::TooLarge { .. } => Reach::Step,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_decides_about_trying_again() {
        use Reach::{Connection, Step};
        for (status, class, category, reach) in [
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
                said: String::new(),
            };
            assert_eq!(
                (error.class(), error.category()),
                (class, category),
                "{status}"
            );
            assert_eq!(error.reach(), reach, "{status}");
        }
    }
}
