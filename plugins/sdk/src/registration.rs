//! The words of a registration strategy, as the contract's interface `registrar` describes them.

use mcp_operator_api::v1alpha1::LiteLlmAuth;
use serde::de::DeserializeOwned;

pub use crate::bindings::metadata::types::NamedJson;
pub use crate::bindings::registrar::{
    Action, ConfigKey, ConfigKeyWrite, HttpRequest, HttpResponse, Observation, Observed, Read,
    ReadSource, Registration, RegistrationPlan as Plan, RegistrationState, Registry, Roll, Server,
    Step, Workload, WorkloadState,
};

impl Server {
    /// `namespace/name`, by which plans name a server.
    pub fn key(&self) -> String {
        [&self.namespace, "/", &self.name].concat()
    }

    /// A value that the contract has no field for, if there is one of this name.
    ///
    /// # Errors
    /// When it is another type.
    pub fn extra<T: DeserializeOwned>(&self, name: &str) -> serde_json::Result<Option<T>> {
        let found = self.extra.iter().find(|value| value.name == name);
        found
            .map(|found| serde_json::from_str(&found.value))
            .transpose()
    }

    /// `MCPServer.spec.litellm.auth`.
    ///
    /// # Errors
    /// When a later version of the operator knows more of it.
    pub fn auth(&self) -> serde_json::Result<Option<LiteLlmAuth>> {
        self.extra("auth")
    }
}

impl Registry {
    /// What a read found.
    pub fn observed(&self, id: &str) -> Option<&Observed> {
        self.observations
            .iter()
            .find(|observation| observation.id == id)
            .map(|observation| &observation.state)
    }
}
