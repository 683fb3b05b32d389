//! Which interfaces of the contract a component exports.

use wasmtime::Store;
use wasmtime::component::{Component, Instance, InstancePre};

use crate::contract::{defaulter, metadata, registrar, validator};
use crate::error::Fault;
use crate::store::StoreState;

/// Prefix of the names of the contract's exports.
const PACKAGE: &str = "mcp-operator:plugin/";

/// The version of the contract that this host speaks.
const VERSION: &str = "0.1.0";

/// Prefix of the part of WASI that tools for JavaScript add unasked, and of which a plugin may call nothing.
const WASI_HTTP: &str = "wasi:http/";
/// Prefix of the imports of a standard library.
const WASI: &str = "wasi:";

/// The interfaces of the contract that a plugin exports, besides `metadata`, which every plugin exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interfaces {
    /// It has rules for MCPServers.
    pub validator: bool,
    /// It completes MCPServers or the objects that are made of them.
    pub defaulter: bool,
    /// It plans how servers are registered with a gateway.
    pub registrar: bool,
}

impl Interfaces {
    /// Names of the exported interfaces as in the contract, `metadata` included.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [
            (true, "metadata"),
            (self.validator, "validator"),
            (self.defaulter, "defaulter"),
            (self.registrar, "registrar"),
        ]
        .into_iter()
        .filter_map(|(exported, name)| exported.then_some(name))
    }
}

/// Indices of the interfaces in a component, so that a call does not have to look them up.
#[derive(Clone)]
pub(crate) struct Exports {
    pub(crate) metadata: metadata::GuestIndices,
    pub(crate) validator: Option<validator::GuestIndices>,
    pub(crate) defaulter: Option<defaulter::GuestIndices>,
    pub(crate) registrar: Option<registrar::GuestIndices>,
}

impl Exports {
    /// Looks up the interfaces by name. Their types can only be compared in an instance: [`Self::check`].
    pub(crate) fn find(component: &InstancePre<StoreState>) -> Result<Self, Fault> {
        let exports = Self {
            metadata: metadata::GuestIndices::new(component)
                .map_err(|_| missing(component.component(), "metadata"))?,
            validator: validator::GuestIndices::new(component).ok(),
            defaulter: defaulter::GuestIndices::new(component).ok(),
            registrar: registrar::GuestIndices::new(component).ok(),
        };
        let Interfaces {
            validator,
            defaulter,
            registrar,
        } = exports.interfaces();
        if validator || defaulter || registrar {
            Ok(exports)
        } else {
            Err(missing(
                component.component(),
                "validator, defaulter or registrar",
            ))
        }
    }

    /// Compares the types of all exported functions with the contract's.
    pub(crate) fn check(
        &self,
        store: &mut Store<StoreState>,
        instance: &Instance,
    ) -> wasmtime::Result<()> {
        self.metadata.load(&mut *store, instance)?;
        if let Some(validator) = &self.validator {
            validator.load(&mut *store, instance)?;
        }
        if let Some(defaulter) = &self.defaulter {
            defaulter.load(&mut *store, instance)?;
        }
        if let Some(registrar) = &self.registrar {
            registrar.load(&mut *store, instance)?;
        }
        Ok(())
    }

    pub(crate) fn interfaces(&self) -> Interfaces {
        Interfaces {
            validator: self.validator.is_some(),
            defaulter: self.defaulter.is_some(),
            registrar: self.registrar.is_some(),
        }
    }
}

/// Refuses a component that imports anything but WASI and the types of the contract.
pub(crate) fn refuse_imports(component: &Component) -> Result<(), Fault> {
    let types = format!("{PACKAGE}types@");
    let unwanted =
        imports(component).find(|name| !name.starts_with(WASI) && !name.starts_with(&types));
    unwanted.map_or(Ok(()), |import| {
        Err(Fault::WrongWorld(format!(
            "it imports {import}; a plugin is a pure function and may import nothing but WASI"
        )))
    })
}

/// Whether it imports what it may not call.
pub(crate) fn imports_http(component: &Component) -> bool {
    imports(component).any(|name| name.starts_with(WASI_HTTP))
}

fn imports(component: &Component) -> impl Iterator<Item = String> {
    let ty = component.component_type();
    let names: Vec<String> = ty
        .imports(component.engine())
        .map(|(name, _)| name.to_owned())
        .collect();
    names.into_iter()
}

fn missing(component: &Component, wanted: &str) -> Fault {
    let ty = component.component_type();
    let found: Vec<&str> = ty
        .exports(component.engine())
        .map(|(name, _)| name)
        .filter(|name| name.starts_with(PACKAGE))
        .collect();
    let found = if found.is_empty() {
        "nothing of it".to_owned()
    } else {
        found.join(", ")
    };
    Fault::WrongWorld(format!(
        "it does not export {wanted} of {PACKAGE}*@{VERSION} as the contract has it; it exports {found}"
    ))
}
