//! A loaded plugin and its typed calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::InstancePre;

use crate::cache::Digest;
use crate::contract::{
    DefaultingRequest, Description, Finding, Patch, Read, RegistrationPlan, Registry, Request,
};
use crate::error::{Fault, PluginError};
use crate::exports::{Exports, Interfaces};
use crate::guest::Guest;
use crate::limits::Limits;
use crate::running::{Running, Share};

/// What a component may use to show that it fits the contract: its limits are not known yet. Instances of large
/// language runtimes begin with some 40 MiB.
const CHECK: Limits = Limits {
    timeout: Duration::from_secs(5),
    memory_bytes: 128 << 20,
    output_bytes: 64 << 10,
};

/// A loaded plugin. Cheap to clone.
///
/// Every call gets a fresh instance and leaves nothing behind. A call that is dropped ends.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) program: Arc<Program>,
    pub(crate) running: Arc<Running>,
}

/// What was loaded.
pub(crate) struct Program {
    pub(crate) name: Arc<str>,
    pub(crate) digest: Digest,
    pub(crate) pooled: bool,
    pub(crate) component: InstancePre<Guest>,
    pub(crate) exports: Exports,
    pub(crate) share: Share,
}

impl Plugin {
    pub(crate) fn new(program: Program, running: Arc<Running>) -> Self {
        Self {
            program: Arc::new(program),
            running,
        }
    }

    /// The name that it was loaded under.
    pub fn name(&self) -> &str {
        &self.program.name
    }

    /// SHA-256 of the component.
    pub fn digest(&self) -> Digest {
        self.program.digest
    }

    /// Which interfaces it exports.
    pub fn interfaces(&self) -> Interfaces {
        self.program.exports.interfaces()
    }

    /// Whether its instances come from the pool. One that needs more than a slot has is slower to instantiate.
    pub fn is_pooled(&self) -> bool {
        self.program.pooled
    }

    /// Asks what it says about itself.
    ///
    /// # Errors
    ///
    /// As all calls: [`Fault`] lists what can happen to one.
    pub async fn describe(&self, limits: &Limits) -> Result<Description, PluginError> {
        self.run("describe", limits, async |store, instance| {
            let guest = self.program.exports.metadata.load(&mut *store, instance)?;
            guest.call_describe(store).await
        })
        .await
        .map_err(|fault| fault.of(&self.program.name))
    }

    /// Judges settings, a JSON document, before they are used. No finding of severity `error`: they can be.
    ///
    /// # Errors
    ///
    /// As all calls: [`Fault`] lists what can happen to one.
    pub async fn validate_settings(
        &self,
        settings: &str,
        limits: &Limits,
    ) -> Result<Vec<Finding>, PluginError> {
        self.run("validate-settings", limits, async |store, instance| {
            let guest = self.program.exports.metadata.load(&mut *store, instance)?;
            guest.call_validate_settings(store, settings).await
        })
        .await
        .map_err(|fault| fault.of(&self.program.name))
    }

    /// Judges one object. No finding of severity `error`: allowed.
    ///
    /// # Errors
    ///
    /// As all calls: [`Fault`] lists what can happen to one. `WrongWorld` if it has no `validator`.
    pub async fn validate(
        &self,
        settings: &str,
        request: &Request<'_>,
        limits: &Limits,
    ) -> Result<Vec<Finding>, PluginError> {
        let indices = self.exported(self.program.exports.validator.as_ref(), "validator")?;
        self.ask("validate", limits, async |store, instance| {
            let guest = indices.load(&mut *store, instance)?;
            guest.call_validate(store, settings, request.clone()).await
        })
        .await
    }

    /// Asks what should be completed in some objects.
    ///
    /// # Errors
    ///
    /// As all calls: [`Fault`] lists what can happen to one. `WrongWorld` if it has no `defaulter`.
    pub async fn defaults(
        &self,
        settings: &str,
        request: &DefaultingRequest<'_>,
        limits: &Limits,
    ) -> Result<Vec<Patch>, PluginError> {
        let indices = self.exported(self.program.exports.defaulter.as_ref(), "defaulter")?;
        self.ask("defaults", limits, async |store, instance| {
            let guest = indices.load(&mut *store, instance)?;
            guest.call_defaults(store, settings, request.clone()).await
        })
        .await
    }

    /// Asks what a registrar has to know before it can plan.
    ///
    /// # Errors
    ///
    /// As all calls: [`Fault`] lists what can happen to one. `WrongWorld` if it has no `registrar`.
    pub async fn observe(&self, settings: &str, limits: &Limits) -> Result<Vec<Read>, PluginError> {
        let indices = self.exported(self.program.exports.registrar.as_ref(), "registrar")?;
        self.ask("observe", limits, async |store, instance| {
            let guest = indices.load(&mut *store, instance)?;
            guest.call_observe(store, settings).await
        })
        .await
    }

    /// Asks what has to be done so that the gateway knows all servers.
    ///
    /// # Errors
    ///
    /// As all calls: [`Fault`] lists what can happen to one. `WrongWorld` if it has no `registrar`.
    pub async fn plan(
        &self,
        settings: &str,
        registry: &Registry<'_>,
        limits: &Limits,
    ) -> Result<RegistrationPlan, PluginError> {
        let indices = self.exported(self.program.exports.registrar.as_ref(), "registrar")?;
        self.ask("plan", limits, async |store, instance| {
            let guest = indices.load(&mut *store, instance)?;
            guest.call_plan(store, settings, registry.clone()).await
        })
        .await
    }

    /// Makes an instance to see whether its types fit the contract.
    pub(crate) async fn check(&self) -> Result<(), Fault> {
        self.run("instantiate", &CHECK, async |store, instance| {
            Ok(self.program.exports.check(store, instance))
        })
        .await?
        .map_err(|error| {
            Fault::WrongWorld(format!(
                "its types differ from mcp-operator:plugin@0.1.0: {error:#}"
            ))
        })
    }

    fn exported<'a, T>(
        &self,
        indices: Option<&'a T>,
        interface: &str,
    ) -> Result<&'a T, PluginError> {
        indices.ok_or_else(|| {
            Fault::WrongWorld(format!("it does not export {interface}")).of(&self.program.name)
        })
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.program.name)
            .field("digest", &self.program.digest)
            .field("interfaces", &self.interfaces())
            .finish_non_exhaustive()
    }
}
