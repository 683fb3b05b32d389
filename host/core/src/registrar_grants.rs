//! What a registrar may read, write and roll: what its MCPPlugin grants, and nothing else.
//!
//! A component is a pure function, so its power is in what it asks for: the operator reads and writes with permissions of
//! its own.

use mcp_operator_api::v1alpha1::{ConfigMapGrant, PluginGrants, WorkloadKind};
use thiserror::Error;

use crate::registration_plan::{Action, ConfigKey, Plan, Read, Source, Workload};

/// What a registrar wants and is not granted, and what would grant it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotGranted {
    /// A ConfigMap that it may not read.
    #[error(
        "wants to read ConfigMap {namespace}/{name}, which it is not granted: add {{namespace: {namespace}, name: {name}}} to spec.grants.configMaps of its MCPPlugin if it should"
    )]
    ConfigMap {
        /// Namespace of the ConfigMap.
        namespace: String,
        /// Name of the ConfigMap.
        name: String,
    },
    /// A key of a ConfigMap that it may not write.
    #[error(
        "wants to write key {key} of ConfigMap {namespace}/{name}, which it is not granted: add {{namespace: {namespace}, name: {name}, writeKeys: [{key}]}} to spec.grants.configMaps of its MCPPlugin if it should"
    )]
    Key {
        /// Namespace of the ConfigMap.
        namespace: String,
        /// Name of the ConfigMap.
        name: String,
        /// Key in its data.
        key: String,
    },
    /// A workload that it may neither look at nor roll.
    #[error(
        "wants {kind} {namespace}/{name}, which it is not granted: add {{namespace: {namespace}, name: {name}}} to spec.grants.workloads of its MCPPlugin if it should"
    )]
    Workload {
        /// Kind of the workload.
        kind: String,
        /// Namespace of the workload.
        namespace: String,
        /// Name of the workload.
        name: String,
    },
}

/// Whether all of this may be read. Requests are not looked at: they go over connections, which have bounds of their own.
///
/// # Errors
/// The first read that is not granted.
pub fn check_reads(grants: &PluginGrants, reads: &[Read]) -> Result<(), NotGranted> {
    reads.iter().try_for_each(|read| match &read.source {
        Source::ConfigKey(key) if config_map(grants, key).is_none() => Err(NotGranted::ConfigMap {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        }),
        Source::Workload(named) => check_workload(grants, named),
        Source::ConfigKey(_) | Source::Http(_) => Ok(()),
    })
}

/// Whether all steps of a plan may be carried out.
///
/// # Errors
/// The first step that is not granted.
pub fn check_plan(grants: &PluginGrants, plan: &Plan) -> Result<(), NotGranted> {
    plan.steps.iter().try_for_each(|step| match &step.action {
        Action::WriteConfigKey(write) => check_key(grants, &write.key),
        Action::Roll(roll) => check_workload(grants, &roll.workload),
        Action::Send(_) => Ok(()),
    })
}

fn check_key(grants: &PluginGrants, wanted: &ConfigKey) -> Result<(), NotGranted> {
    let granted =
        config_map(grants, wanted).is_some_and(|grant| grant.write_keys.contains(&wanted.key));
    if granted {
        return Ok(());
    }
    Err(NotGranted::Key {
        namespace: wanted.namespace.clone(),
        name: wanted.name.clone(),
        key: wanted.key.clone(),
    })
}

fn check_workload(grants: &PluginGrants, wanted: &Workload) -> Result<(), NotGranted> {
    let granted = grants.workloads.iter().any(|grant| {
        let WorkloadKind::Deployment = grant.kind;
        wanted.kind == "Deployment"
            && grant.namespace == wanted.namespace
            && grant.name == wanted.name
    });
    if granted {
        return Ok(());
    }
    Err(NotGranted::Workload {
        kind: wanted.kind.clone(),
        namespace: wanted.namespace.clone(),
        name: wanted.name.clone(),
    })
}

fn config_map<'a>(grants: &'a PluginGrants, wanted: &ConfigKey) -> Option<&'a ConfigMapGrant> {
    grants
        .config_maps
        .iter()
        .find(|grant| grant.namespace == wanted.namespace && grant.name == wanted.name)
}

#[cfg(test)]
#[path = "registrar_grants_tests.rs"]
mod tests;
