//! The input of a rule besides the server.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The input of [`Validator::validate`](crate::Validator::validate) besides the server.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What is done to the object.
    pub operation: Operation,
    /// Why the call is made.
    pub stage: Stage,
    /// The user who sends the request; `None` outside admission.
    pub username: Option<String>,
    /// The groups of that user.
    pub groups: Vec<String>,
    /// The identity of that user that stays when a name is given away again; empty if there is none.
    pub user_uid: String,
    /// What else is known of that user.
    pub user_extra: BTreeMap<String, Vec<String>>,
    /// Whether it is a dry run: nothing will be stored.
    pub dry_run: bool,
    pub(crate) object: String,
    pub(crate) old_object: Option<String>,
    pub(crate) context: BTreeMap<String, String>,
}

impl Request {
    /// The whole object, with members that [`McpServer`](crate::McpServer) does not have. Parsed on each call, since most
    /// rules need only the server; `null` if it is not JSON.
    pub fn object(&self) -> Value {
        serde_json::from_str(&self.object).unwrap_or_default()
    }

    /// The object as it is stored; `None` unless it is an update.
    pub fn old_object(&self) -> Option<Value> {
        serde_json::from_str(self.old_object.as_ref()?).ok()
    }

    /// A value that [`Description::context`](crate::Description::context) asked for. `None` if the operator does not have
    /// it, or if it is not a `T`.
    pub fn context<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.context.get(name)?).ok()
    }

    /// The namespace of the server, for a plugin that asked for the context `namespace`.
    pub fn namespace(&self) -> Option<Namespace> {
        self.context("namespace")
    }

    /// The objects that the operator makes of the server, for a plugin that asked for the context `rendered`; empty if there
    /// are none.
    pub fn rendered(&self) -> Vec<Value> {
        self.context("rendered").unwrap_or_default()
    }
}

/// The context value `namespace`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Namespace {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
}

/// What is done to an object, as in an AdmissionReview.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operation {
    /// It is created.
    #[default]
    Create,
    /// It is updated.
    Update,
}

/// Why a call is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// The API server asks whether to admit a request, or `mcp-operator check` as if it did.
    #[default]
    Admission,
    /// The operator reconciles a stored object, or `mcp-operator render` as if it did.
    Reconcile,
}
