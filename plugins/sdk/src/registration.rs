//! The types of registration strategies, as `wit/` documents them in the interface `registrar`.

use mcp_operator_api::v1alpha1::{
    LiteLlmAuth, LiteLlmLimits, LiteLlmToolParameters, ProtocolVersion,
};
use serde::de::DeserializeOwned;

pub use crate::bindings::metadata::types::NamedJson;
pub use crate::bindings::registrar::{
    Action, ConfigKey, ConfigKeyWrite, HttpRequest, HttpResponse, Observation, Observed, Read,
    ReadSource, Registration, RegistrationState, Roll, Server, Step, Workload, WorkloadState,
};

/// What should be, and what is.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Name of this operator installation: the mark of ownership in what is registered.
    pub instance: String,
    /// All servers that should be registered, sorted by namespace and name.
    pub servers: Vec<Server>,
    /// One for each read, in the order of the reads.
    pub observations: Vec<Observation>,
}

/// What to do, and how it stands.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What to do now, in this order. Empty: nothing, until something changes.
    pub steps: Vec<Step>,
    /// How it stands with each server, as far as the observations show.
    pub registrations: Vec<Registration>,
}

impl Server {
    /// `namespace/name`, the key of a server in plans.
    pub fn key(&self) -> String {
        [&self.namespace, "/", &self.name].concat()
    }

    /// The value of this name for which the contract has no field; `None` if there is none.
    ///
    /// # Errors
    /// When it is not a `T`.
    pub fn extra<T: DeserializeOwned>(&self, name: &str) -> serde_json::Result<Option<T>> {
        let found = self.extra.iter().find(|value| value.name == name);
        found
            .map(|found| serde_json::from_str(&found.value))
            .transpose()
    }

    /// `MCPServer.spec.litellm.allowedTools`: the only tools that may be offered, which may be none; `None` if all may.
    pub fn tool_allowlist(&self) -> Option<&[String]> {
        self.allowed_tools.as_deref()
    }

    /// `MCPServer.spec.litellm.auth`; `None` if it is not set.
    ///
    /// # Errors
    /// When it has a value that this version does not know, for example of a later version of the operator.
    pub fn auth(&self) -> serde_json::Result<Option<LiteLlmAuth>> {
        self.extra("auth")
    }

    /// `MCPServer.spec.litellm.limits`.
    ///
    /// # Errors
    /// As [`Server::auth`].
    pub fn limits(&self) -> serde_json::Result<Option<LiteLlmLimits>> {
        self.extra("limits")
    }

    /// `MCPServer.spec.litellm.allowedParameters`.
    ///
    /// # Errors
    /// As [`Server::auth`].
    pub fn allowed_parameters(&self) -> serde_json::Result<Option<Vec<LiteLlmToolParameters>>> {
        self.extra("allowed-parameters")
    }

    /// `MCPServer.spec.litellm.protocolVersion`.
    ///
    /// # Errors
    /// As [`Server::auth`].
    pub fn protocol_version(&self) -> serde_json::Result<Option<ProtocolVersion>> {
        self.extra("protocol-version")
    }

    /// `MCPServer.spec.litellm.instructions`.
    ///
    /// # Errors
    /// As [`Server::auth`].
    pub fn instructions(&self) -> serde_json::Result<Option<String>> {
        self.extra("instructions")
    }
}

impl Registry {
    /// The result of the read with this id; `None` if [`Registrar::observe`](crate::Registrar::observe) did not ask for it.
    pub fn observed(&self, id: &str) -> Option<&Observed> {
        self.observations
            .iter()
            .find(|observation| observation.id == id)
            .map(|observation| &observation.state)
    }
}
