//! Requests to the API server: one time limit for all of them, and errors that say what was tried.

use std::time::Duration;

use mcp_operator_core::retry::{Classify, ErrorClass};
use mcp_operator_core::text::with_causes;
use thiserror::Error;
use tokio::time::timeout;

/// Longest wait for the answer to one request: the client itself would try again for minutes, and hold a reconcile for as
/// long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// The API server did not do what it was asked.
#[derive(Debug, Error)]
pub enum ApiError {
    /// It answered that it does not, or could not be reached.
    #[error("{action}: {}", status_message(.source))]
    Request {
        /// What was tried: `apply Deployment tools/mcp-github`.
        action: String,
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// It did not answer in time.
    #[error("{action}: no answer within {seconds} s")]
    Timeout {
        /// What was tried.
        action: String,
        /// Seconds that were waited.
        seconds: u64,
    },
}

/// Sends a request, and waits for its answer for no longer than [`REQUEST_TIMEOUT`]. `action` says what is tried, for the
/// error: `get MCPServer tools/github`.
///
/// # Errors
/// When there is no answer, or one that refuses.
pub async fn request<T>(
    action: impl FnOnce() -> String,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, ApiError> {
    match timeout(REQUEST_TIMEOUT, call).await {
        Ok(answer) => answer.map_err(|error| ApiError::new(action(), error)),
        Err(_) => Err(ApiError::Timeout {
            action: action(),
            seconds: REQUEST_TIMEOUT.as_secs(),
        }),
    }
}

/// The API server's own sentence; the client's wording would repeat it with all its details.
pub fn status_message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => with_causes(other),
    }
}

impl ApiError {
    /// A client's error, with what was tried.
    pub fn new(action: impl Into<String>, source: kube::Error) -> Self {
        Self::Request {
            action: action.into(),
            source: Box::new(source),
        }
    }

    /// The HTTP status that was answered, if there was an answer.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Request { source, .. } => match &**source {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            Self::Timeout { .. } => None,
        }
    }

    /// Whether the object is not as the request takes it to be.
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// Whether the object is not there.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }
}

impl Classify for ApiError {
    fn class(&self) -> ErrorClass {
        match self.code() {
            Some(409) => ErrorClass::Conflict,
            // Missing permissions and missing kinds are mended by somebody else, without any event for us.
            Some(403 | 404) => ErrorClass::External,
            Some(400 | 405 | 413 | 415 | 422) => ErrorClass::Terminal,
            _ => ErrorClass::Transient,
        }
    }

    fn category(&self) -> &'static str {
        match (self, self.code()) {
            (Self::Timeout { .. }, _) => "Timeout",
            (_, Some(403)) => "Forbidden",
            (_, Some(404)) => "NotFound",
            (_, Some(409)) => "Conflict",
            (_, Some(422)) => "Invalid",
            (_, Some(429)) => "TooManyRequests",
            (_, Some(400..=499)) => "BadRequest",
            (_, Some(_)) => "ApiServerError",
            (_, None) => "ApiServerUnreachable",
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

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
            let status = Status {
                code,
                ..Status::default()
            };
            let error = ApiError::new("apply", kube::Error::Api(Box::new(status)));
            assert_eq!((error.class(), error.category()), (class, category));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_request_waits_for_ever() {
        let call = std::future::pending::<kube::Result<()>>();
        let error = request(|| "get Pod a/b".into(), call).await.unwrap_err();
        assert_eq!(error.to_string(), "get Pod a/b: no answer within 15 s");
        assert_eq!(error.category(), "Timeout");
    }
}
