//! The interfaces of a component, each by the version of the contract that it has, and their calls in the present types.
//!
//! Calls of 0.1.0 are boxed: those of the present version are not to be larger for them.

use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Result as WasmResult, Store};

use crate::contract::{
    DefaultingRequest, Description, Failure, Finding, Patch, Read, RegistrationPlan, Registry,
    Request, defaulter, metadata, registrar, v0_1, validator,
};
use crate::store::StoreState;

/// A version of the contract that this host speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContractVersion {
    /// `mcp-operator:plugin@0.1.0`.
    V0_1,
    /// `mcp-operator:plugin@1.0.0`.
    V1,
}

impl ContractVersion {
    /// All of them, the one in use first.
    pub(crate) const ALL: [Self; 2] = [Self::V1, Self::V0_1];

    /// As in the names of the contract's exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V0_1 => "0.1.0",
            Self::V1 => "1.0.0",
        }
    }
}

/// What a function answers whose own answer can be a failure.
type Fallible<T> = WasmResult<Result<T, Failure>>;

/// Indices of an interface in a component, so that a call does not have to look them up.
macro_rules! interface {
    ($(#[$doc:meta])* $name:ident, $module:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub(crate) enum $name {
            V0_1(v0_1::$module::GuestIndices),
            V1($module::GuestIndices),
        }

        impl $name {
            /// Looks it up by name.
            pub(crate) fn find(
                version: ContractVersion,
                component: &InstancePre<StoreState>,
            ) -> Option<Self> {
                match version {
                    ContractVersion::V0_1 => v0_1::$module::GuestIndices::new(component)
                        .ok()
                        .map(Self::V0_1),
                    ContractVersion::V1 => {
                        $module::GuestIndices::new(component).ok().map(Self::V1)
                    }
                }
            }

            /// Compares the types of its functions with the contract's.
            pub(crate) fn check(
                &self,
                store: &mut Store<StoreState>,
                instance: &Instance,
            ) -> WasmResult<()> {
                match self {
                    Self::V0_1(indices) => indices.load(store, instance).map(drop),
                    Self::V1(indices) => indices.load(store, instance).map(drop),
                }
            }
        }
    };
}

interface!(
    /// The interface `metadata`.
    Metadata,
    metadata
);
interface!(
    /// The interface `validator`.
    Validator,
    validator
);
interface!(
    /// The interface `defaulter`.
    Defaulter,
    defaulter
);
interface!(
    /// The interface `registrar`.
    Registrar,
    registrar
);

impl Metadata {
    pub(crate) async fn describe(
        &self,
        store: &mut Store<StoreState>,
        instance: &Instance,
    ) -> WasmResult<Description> {
        match self {
            Self::V0_1(indices) => {
                Box::pin(async {
                    let guest = indices.load(&mut *store, instance)?;
                    guest.call_describe(store).await.map(Into::into)
                })
                .await
            }
            Self::V1(indices) => {
                let guest = indices.load(&mut *store, instance)?;
                guest.call_describe(store).await
            }
        }
    }

    pub(crate) async fn validate_settings(
        &self,
        store: &mut Store<StoreState>,
        instance: &Instance,
        settings: &str,
    ) -> WasmResult<Vec<Finding>> {
        match self {
            Self::V0_1(indices) => {
                Box::pin(async {
                    let guest = indices.load(&mut *store, instance)?;
                    let said = guest.call_validate_settings(store, settings).await;
                    said.map(v0_1::findings)
                })
                .await
            }
            Self::V1(indices) => {
                let guest = indices.load(&mut *store, instance)?;
                guest.call_validate_settings(store, settings).await
            }
        }
    }
}

impl Validator {
    pub(crate) async fn validate(
        &self,
        store: &mut Store<StoreState>,
        instance: &Instance,
        settings: &str,
        request: &Request<'_>,
    ) -> Fallible<Vec<Finding>> {
        match self {
            Self::V0_1(indices) => {
                Box::pin(async {
                    let guest = indices.load(&mut *store, instance)?;
                    let context = v0_1::named(request.context);
                    let request = v0_1::request(request, &context);
                    let said = guest.call_validate(store, settings, request).await?;
                    Ok(said.map(v0_1::findings).map_err(v0_1::failure))
                })
                .await
            }
            Self::V1(indices) => {
                let guest = indices.load(&mut *store, instance)?;
                guest.call_validate(store, settings, request.clone()).await
            }
        }
    }
}

impl Defaulter {
    pub(crate) async fn defaults(
        &self,
        store: &mut Store<StoreState>,
        instance: &Instance,
        settings: &str,
        request: &DefaultingRequest<'_>,
    ) -> Fallible<Vec<Patch>> {
        match self {
            Self::V0_1(indices) => {
                Box::pin(async {
                    let guest = indices.load(&mut *store, instance)?;
                    let context = v0_1::named(request.context);
                    let request = v0_1::defaulter::DefaultingRequest {
                        stage: v0_1::stage(request.stage),
                        server: request.server,
                        objects: request.objects,
                        context: &context,
                    };
                    let said = guest.call_defaults(store, settings, request).await?;
                    Ok(said.map(v0_1::patches).map_err(v0_1::failure))
                })
                .await
            }
            Self::V1(indices) => {
                let guest = indices.load(&mut *store, instance)?;
                guest.call_defaults(store, settings, request.clone()).await
            }
        }
    }
}

impl Registrar {
    pub(crate) async fn observe(
        &self,
        store: &mut Store<StoreState>,
        instance: &Instance,
        settings: &str,
    ) -> Fallible<Vec<Read>> {
        match self {
            Self::V0_1(indices) => {
                Box::pin(async {
                    let guest = indices.load(&mut *store, instance)?;
                    let said = guest.call_observe(store, settings).await?;
                    Ok(said.map(v0_1::reads).map_err(v0_1::failure))
                })
                .await
            }
            Self::V1(indices) => {
                let guest = indices.load(&mut *store, instance)?;
                guest.call_observe(store, settings).await
            }
        }
    }

    pub(crate) async fn plan(
        &self,
        store: &mut Store<StoreState>,
        instance: &Instance,
        settings: &str,
        registry: &Registry<'_>,
    ) -> Fallible<RegistrationPlan> {
        match self {
            Self::V0_1(indices) => {
                Box::pin(async {
                    let guest = indices.load(&mut *store, instance)?;
                    let lists = v0_1::Lists::of(registry);
                    let registry = v0_1::registrar::Registry {
                        instance: registry.instance,
                        servers: &lists.servers(),
                        observations: &lists.observations(),
                    };
                    let said = guest.call_plan(store, settings, registry).await?;
                    Ok(said.map(v0_1::plan).map_err(v0_1::failure))
                })
                .await
            }
            Self::V1(indices) => {
                let guest = indices.load(&mut *store, instance)?;
                guest.call_plan(store, settings, registry.clone()).await
            }
        }
    }
}
