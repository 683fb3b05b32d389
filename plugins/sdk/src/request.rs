//! What is asked, and by whom.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is asked, besides the server itself.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What happens to the object.
    pub operation: Operation,
    /// On which way the call is made.
    pub stage: Stage,
    /// Who asks, in admission.
    pub username: Option<String>,
    /// Groups of who asks.
    pub groups: Vec<String>,
    /// Nothing will be stored.
    pub dry_run: bool,
    pub(crate) object: String,
    pub(crate) old_object: Option<String>,
    pub(crate) context: BTreeMap<String, String>,
}

impl Request {
    /// The object as it was sent, also what [`McpServer`](crate::McpServer) does not know. Read when it is asked for:
    /// most rules need no more than the server.
    pub fn object(&self) -> Value {
        serde_json::from_str(&self.object).unwrap_or_default()
    }

    /// The object as it is stored, on update.
    pub fn old_object(&self) -> Option<Value> {
        serde_json::from_str(self.old_object.as_ref()?).ok()
    }

    /// A value that [`Description::context`](crate::Description::context) asked for, if it could be had.
    pub fn context<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.context.get(name)?).ok()
    }

    /// The namespace, for a plugin that asked for the context `namespace`.
    pub fn namespace(&self) -> Option<Namespace> {
        self.context("namespace")
    }

    /// The objects that the server becomes, for a plugin that asked for the context `rendered`.
    pub fn rendered(&self) -> Vec<Value> {
        self.context("rendered").unwrap_or_default()
    }
}

/// A namespace, as the context `namespace` tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// What happens to an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operation {
    /// It is new.
    #[default]
    Create,
    /// It changes.
    Update,
    /// It goes.
    Delete,
    /// A subresource is connected to.
    Connect,
}

/// On which way a call is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// A user's request is admitted.
    #[default]
    Admission,
    /// A stored object is reconciled.
    Reconcile,
    /// A test or a command line.
    Offline,
}
