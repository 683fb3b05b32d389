//! Which of the contract's interfaces a component has.

use wasmtime::Store;
use wasmtime::component::{Component, Instance, InstancePre};

use crate::contract::{defaulter, metadata, registrar, validator};
use crate::error::Fault;
use crate::guest::Guest;

/// Name of the contract's package, as it begins the names of exports.
const PACKAGE: &str = "mcp-operator:plugin/";

/// The version of the contract that this host speaks.
const VERSION: &str = "0.1.0";

/// Namespace of what a standard library imports.
const WASI: &str = "wasi:";

/// Which of the contract's interfaces a plugin exports, besides `metadata`, which all do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interfaces {
    /// It has rules.
    pub validator: bool,
    /// It has defaults.
    pub defaulter: bool,
    /// It has a registration strategy.
    pub registrar: bool,
}

impl Interfaces {
    /// Their names in the contract, `metadata` included.
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

/// Where in a component its interfaces are, so that a call does not look for them.
#[derive(Clone)]
pub(crate) struct Exports {
    pub(crate) metadata: metadata::GuestIndices,
    pub(crate) validator: Option<validator::GuestIndices>,
    pub(crate) defaulter: Option<defaulter::GuestIndices>,
    pub(crate) registrar: Option<registrar::GuestIndices>,
}

impl Exports {
    /// Looks for the interfaces, by name. That their types fit is only known from an instance: [`Self::check`].
    pub(crate) fn find(component: &InstancePre<Guest>) -> Result<Self, Fault> {
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
        store: &mut Store<Guest>,
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

/// Refuses a component that imports what the host does not give.
pub(crate) fn refuse_imports(component: &Component) -> Result<(), Fault> {
    let types = format!("{PACKAGE}types@");
    component
        .component_type()
        .imports(component.engine())
        .map(|(name, _)| name)
        .find(|name| !name.starts_with(WASI) && !name.starts_with(&types))
        .map_or(Ok(()), |name| {
            Err(Fault::WrongWorld(format!(
                "it imports {name}; a plugin is a pure function and may import nothing but WASI"
            )))
        })
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
