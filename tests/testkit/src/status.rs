//! Errors, as the API server words them.

use serde_json::{Value, json};

use crate::resources::ResourceType;

/// An error: the `Status` that a client gets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failure {
    /// HTTP status.
    pub code: u16,
    /// Reason, for machines: `Conflict`.
    pub reason: String,
    /// For people.
    pub message: String,
    /// Causes: objects with `reason`, `message` and `field`.
    pub causes: Vec<Value>,
    /// Seconds after which it is worth another try.
    pub retry_after: Option<u32>,
}

/// An answer with an error: with a `Status`, or, where nothing is served at a path, a text.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    Status(Failure),
    NotServed,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Status(failure)
    }
}

impl Failure {
    /// A failure without causes.
    pub fn new(code: u16, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// 403: an authorizer or an admission plugin of the server says no.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "Forbidden", message)
    }

    /// 429 with the seconds after which to try again.
    pub fn too_many_requests(retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(
                429,
                "TooManyRequests",
                "too many requests, please try again later",
            )
        }
    }

    /// 500.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "InternalError", message)
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// The same with one more cause.
    #[must_use]
    pub fn with_cause(mut self, reason: &str, message: &str, field: &str) -> Self {
        let cause = json!({ "reason": reason, "message": message, "field": field });
        self.causes.push(cause);
        self
    }

    pub(crate) fn not_found(resource: &ResourceType, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.qualified());
        Self::new(404, "NotFound", message)
    }

    pub(crate) fn no_such_subresource() -> Self {
        Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
    }

    pub(crate) fn already_exists(resource: &ResourceType, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", resource.qualified());
        Self::new(409, "AlreadyExists", message)
    }

    pub(crate) fn conflict(resource: &ResourceType, name: &str, why: &str) -> Self {
        let what = resource.qualified();
        let message = format!("Operation cannot be fulfilled on {what} \"{name}\": {why}");
        Self::new(409, "Conflict", message)
    }

    pub(crate) fn modified(resource: &ResourceType, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    pub(crate) fn invalid(resource: &ResourceType, name: &str, field: &str, why: &str) -> Self {
        let kind = if resource.api.group.is_empty() {
            resource.api.kind.clone()
        } else {
            format!("{}.{}", resource.api.kind, resource.api.group)
        };
        let message = format!("{kind} \"{name}\" is invalid: {field}: {why}");
        Self::new(422, "Invalid", message).with_cause("FieldValueInvalid", why, field)
    }

    pub(crate) fn expired(since: u64, oldest: u64) -> Self {
        let message = format!("too old resource version: {since} ({oldest})");
        Self::new(410, "Expired", message)
    }

    /// The object that says it to a client; `about` is the resource and the object's name.
    pub(crate) fn status(&self, about: Option<(&ResourceType, &str)>) -> Value {
        let mut details = json!({});
        if let Some((resource, name)) = about {
            details["kind"] = resource.api.plural.as_str().into();
            if !resource.api.group.is_empty() {
                details["group"] = resource.api.group.as_str().into();
            }
            if !name.is_empty() {
                details["name"] = name.into();
            }
        }
        if !self.causes.is_empty() {
            details["causes"] = self.causes.clone().into();
        }
        if let Some(seconds) = self.retry_after {
            details["retryAfterSeconds"] = seconds.into();
        }
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "details": details, "code": self.code,
        })
    }
}
