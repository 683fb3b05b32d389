//! The words of a registration strategy, as the contract's interface `registrar` describes them.

pub use crate::bindings::registrar::{
    Action, ConfigKey, ConfigKeyWrite, HttpRequest, HttpResponse, Observation, Observed, Read,
    ReadSource, Registration, RegistrationPlan as Plan, RegistrationState, Registry, Roll, Server,
    Step, Workload, WorkloadState,
};

impl Server {
    /// `namespace/name`, by which plans name a server.
    pub fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
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
