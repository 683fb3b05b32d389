//! Which interfaces of the contract a component exports.

use wasmtime::Store;
use wasmtime::component::{Component, Instance, InstancePre};

use crate::error::Fault;
use crate::interfaces::{ContractVersion, Defaulter, Metadata, Registrar, Validator};
use crate::store::StoreState;

/// Prefix of the names of the contract's exports.
const PACKAGE: &str = "mcp-operator:plugin/";

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

/// The interfaces that a component exports, all of one version of the contract.
#[derive(Clone)]
pub(crate) struct Exports {
    pub(crate) version: ContractVersion,
    pub(crate) metadata: Metadata,
    pub(crate) validator: Option<Validator>,
    pub(crate) defaulter: Option<Defaulter>,
    pub(crate) registrar: Option<Registrar>,
}

impl Exports {
    /// Looks up the interfaces by name. Their types can only be compared in an instance: [`Self::check`].
    pub(crate) fn find(component: &InstancePre<StoreState>) -> Result<Self, Fault> {
        let mut found = ContractVersion::ALL.map(|version| Found::of(version, component));
        found.sort_by_key(|of_version| of_version.names().is_empty());
        let [of_one, of_another] = found;
        if !of_another.names().is_empty() {
            return Err(mixed([&of_one, &of_another]));
        }
        let Found {
            version,
            metadata,
            validator,
            defaulter,
            registrar,
        } = of_one;
        let Some(metadata) = metadata else {
            return Err(missing(component.component(), "metadata"));
        };
        if validator.is_none() && defaulter.is_none() && registrar.is_none() {
            let wanted = "validator, defaulter or registrar";
            return Err(missing(component.component(), wanted));
        }
        Ok(Self {
            version,
            metadata,
            validator,
            defaulter,
            registrar,
        })
    }

    /// Compares the types of all exported functions with the contract's.
    pub(crate) fn check(
        &self,
        store: &mut Store<StoreState>,
        instance: &Instance,
    ) -> wasmtime::Result<()> {
        self.metadata.check(store, instance)?;
        if let Some(validator) = &self.validator {
            validator.check(store, instance)?;
        }
        if let Some(defaulter) = &self.defaulter {
            defaulter.check(store, instance)?;
        }
        if let Some(registrar) = &self.registrar {
            registrar.check(store, instance)?;
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

/// What a component exports of one version.
struct Found {
    version: ContractVersion,
    metadata: Option<Metadata>,
    validator: Option<Validator>,
    defaulter: Option<Defaulter>,
    registrar: Option<Registrar>,
}

impl Found {
    fn of(version: ContractVersion, component: &InstancePre<StoreState>) -> Self {
        Self {
            version,
            metadata: Metadata::find(version, component),
            validator: Validator::find(version, component),
            defaulter: Defaulter::find(version, component),
            registrar: Registrar::find(version, component),
        }
    }

    fn names(&self) -> Vec<&'static str> {
        [
            (self.metadata.is_some(), "metadata"),
            (self.validator.is_some(), "validator"),
            (self.defaulter.is_some(), "defaulter"),
            (self.registrar.is_some(), "registrar"),
        ]
        .into_iter()
        .filter_map(|(exported, name)| exported.then_some(name))
        .collect()
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

fn mixed(of_versions: [&Found; 2]) -> Fault {
    let [one, another] = of_versions.map(|found| {
        let names = found.names().join(", ");
        format!("{names} of {}", found.version.as_str())
    });
    Fault::WrongWorld(format!(
        "it exports {one}, and {another}: the interfaces of a component are all of one version of {PACKAGE}*"
    ))
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
    let versions = ContractVersion::ALL.map(ContractVersion::as_str);
    let versions = versions.join(" or ");
    Fault::WrongWorld(format!(
        "it does not export {wanted} of {PACKAGE}*@{versions} as the contract has it; it exports {found}"
    ))
}
