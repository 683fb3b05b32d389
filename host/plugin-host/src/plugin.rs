//! A loaded plugin and its typed calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mcp_operator_metrics::PluginCalls;
use wasmtime::component::InstancePre;

use crate::cache::Digest;
use crate::contract::{
    DefaultingRequest, Description, Finding, Patch, Read, RegistrationPlan, Registry, Request,
};
use crate::error::{Fault, PluginError};
use crate::exports::{Exports, Interfaces};
use crate::interfaces::ContractVersion;
use crate::limits::Limits;
use crate::observer::CallObserver;
use crate::quota::{Caller, Quota, SharedQuota};
use crate::store::StoreState;

/// Limits of the instance that is made when a component is loaded: those of its MCPPlugin do not apply yet. Large
/// language runtimes start with some 40 MiB.
const CHECK_LIMITS: Limits = Limits {
    timeout: Duration::from_secs(5),
    memory_bytes: 128 << 20,
    output_bytes: 64 << 10,
};

/// A loaded plugin. Cheap to clone.
///
/// Every call gets a fresh instance and leaves nothing behind. Dropping the future of a call ends it.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) program: Arc<Program>,
    pub(crate) shared: Arc<SharedQuota>,
    pub(crate) caller: Caller,
}

/// A compiled component that fits the contract.
pub(crate) struct Program {
    pub(crate) name: Arc<str>,
    pub(crate) digest: Digest,
    pub(crate) pooled: bool,
    pub(crate) component: InstancePre<StoreState>,
    pub(crate) exports: Exports,
    pub(crate) quota: Quota,
    /// Its calls are counted here.
    pub(crate) calls: Arc<PluginCalls>,
    pub(crate) observer: Option<CallObserver>,
}

impl Plugin {
    pub(crate) fn new(program: Program, shared: Arc<SharedQuota>) -> Self {
        Self {
            program: Arc::new(program),
            shared,
            caller: None,
        }
    }

    /// The same plugin, whose calls are for this namespace: of all that run at once, a namespace has no more than half (of
    /// one plugin and of all together), and those that wait take turns by namespace.
    #[must_use]
    pub fn for_namespace(&self, namespace: &str) -> Self {
        Self {
            caller: Some(namespace.into()),
            ..self.clone()
        }
    }

    /// The name under which it was loaded; errors and logs use it.
    pub fn name(&self) -> &str {
        &self.program.name
    }

    /// SHA-256 of the component.
    pub fn digest(&self) -> Digest {
        self.program.digest
    }

    /// The interfaces of the contract that it exports.
    pub fn interfaces(&self) -> Interfaces {
        self.program.exports.interfaces()
    }

    /// The version of the contract that it was built for.
    pub fn contract(&self) -> ContractVersion {
        self.program.exports.version
    }

    /// Whether its instances come from the pool. One that needs more than a [`SlotSize`](crate::SlotSize) is allocated on
    /// demand, which is slower.
    pub fn is_pooled(&self) -> bool {
        self.program.pooled
    }

    /// Calls `metadata.describe`: name, version, rules, and the context values that it asks for.
    ///
    /// # Errors
    ///
    /// Every [`Fault`] of a call: deadline, memory, trap, size of the answer, no free slot.
    pub async fn describe(&self, limits: &Limits) -> Result<Description, PluginError> {
        let metadata = &self.program.exports.metadata;
        self.call("describe", limits, async |store, instance| {
            metadata.describe(store, instance).await
        })
        .await
        .map_err(|fault| fault.in_plugin(&self.program.name))
    }

    /// Calls `metadata.validate-settings` with `settings`, a JSON document. Without a finding of severity `error` they can
    /// be used.
    ///
    /// # Errors
    ///
    /// Every [`Fault`] of a call: deadline, memory, trap, size of the answer, no free slot.
    pub async fn validate_settings(
        &self,
        settings: &str,
        limits: &Limits,
    ) -> Result<Vec<Finding>, PluginError> {
        let metadata = &self.program.exports.metadata;
        self.call("validate-settings", limits, async |store, instance| {
            metadata.validate_settings(store, instance, settings).await
        })
        .await
        .map_err(|fault| fault.in_plugin(&self.program.name))
    }

    /// Calls `validator.validate` for one object; `settings` is a JSON document. Without a finding of severity `error` the
    /// object is allowed.
    ///
    /// # Errors
    ///
    /// Every [`Fault`] of a call; [`Fault::WrongWorld`] if it has no `validator`.
    pub async fn validate(
        &self,
        settings: &str,
        request: &Request<'_>,
        limits: &Limits,
    ) -> Result<Vec<Finding>, PluginError> {
        let validator = self.exported(self.program.exports.validator.as_ref(), "validator")?;
        self.call_fallible("validate", limits, async |store, instance| {
            validator.validate(store, instance, settings, request).await
        })
        .await
    }

    /// Calls `defaulter.defaults`: patches that complete the objects of the request; `settings` is a JSON document.
    ///
    /// # Errors
    ///
    /// Every [`Fault`] of a call; [`Fault::WrongWorld`] if it has no `defaulter`.
    pub async fn defaults(
        &self,
        settings: &str,
        request: &DefaultingRequest<'_>,
        limits: &Limits,
    ) -> Result<Vec<Patch>, PluginError> {
        let defaulter = self.exported(self.program.exports.defaulter.as_ref(), "defaulter")?;
        self.call_fallible("defaults", limits, async |store, instance| {
            defaulter.defaults(store, instance, settings, request).await
        })
        .await
    }

    /// Calls `registrar.observe`: what has to be read before [`Plugin::plan`]; `settings` is a JSON document.
    ///
    /// # Errors
    ///
    /// Every [`Fault`] of a call; [`Fault::WrongWorld`] if it has no `registrar`.
    pub async fn observe(&self, settings: &str, limits: &Limits) -> Result<Vec<Read>, PluginError> {
        let registrar = self.exported(self.program.exports.registrar.as_ref(), "registrar")?;
        self.call_fallible("observe", limits, async |store, instance| {
            registrar.observe(store, instance, settings).await
        })
        .await
    }

    /// Calls `registrar.plan`: the steps that make the gateway know all servers, and the state of each server; `settings`
    /// is a JSON document.
    ///
    /// # Errors
    ///
    /// Every [`Fault`] of a call; [`Fault::WrongWorld`] if it has no `registrar`.
    pub async fn plan(
        &self,
        settings: &str,
        registry: &Registry<'_>,
        limits: &Limits,
    ) -> Result<RegistrationPlan, PluginError> {
        let registrar = self.exported(self.program.exports.registrar.as_ref(), "registrar")?;
        self.call_fallible("plan", limits, async |store, instance| {
            registrar.plan(store, instance, settings, registry).await
        })
        .await
    }

    /// Makes an instance and compares the types of its exports with the contract.
    pub(crate) async fn check(&self) -> Result<(), Fault> {
        self.call("instantiate", &CHECK_LIMITS, async |store, instance| {
            Ok(self.program.exports.check(store, instance))
        })
        .await?
        .map_err(|error| {
            let version = self.contract().as_str();
            Fault::WrongWorld(format!(
                "its types differ from mcp-operator:plugin@{version}: {error:#}"
            ))
        })
    }

    fn exported<'a, T>(&self, interface: Option<&'a T>, name: &str) -> Result<&'a T, PluginError> {
        interface.ok_or_else(|| {
            Fault::WrongWorld(format!("it does not export {name}")).in_plugin(&self.program.name)
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
