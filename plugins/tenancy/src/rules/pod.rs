//! What pods may be: whose identity they have, before whom they run, on which nodes and in which sandbox.

use mcp_plugin_sdk::{Finding, McpServer, Path};

use super::{not_allowed, spec};
use crate::tenant::Tenant;

pub(super) const ACCOUNT: &str = "service-account";
pub(super) const PRIORITY: &str = "priority-class";
pub(super) const RUNTIME: &str = "runtime-class";
pub(super) const TOLERATION: &str = "toleration";

/// An account of one's own is whatever its roles say; a token makes that of the operator one, too. Only by the annotation,
/// and by no setting: the admission policy that confines the operator reads the same one.
pub(super) fn account(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let own = server.spec.service_account_name.as_deref();
    let made = format!("mcp-{}", server.metadata.name);
    let asked: Option<(Path, &str)> = match own {
        Some(name) => Some((spec().child("serviceAccountName"), name)),
        None if server.spec.automount_service_account_token => {
            Some((spec().child("automountServiceAccountToken"), &made))
        }
        None => None,
    };
    not_allowed(ACCOUNT, tenant.allowed("service-accounts", &[]), asked)
}

pub(super) fn priority(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let class = server.spec.priority_class_name.as_deref();
    let asked = class.map(|class| (spec().child("priorityClassName"), class));
    let default = &tenant.settings.priority_classes;
    not_allowed(PRIORITY, tenant.allowed("priority-classes", default), asked)
}

/// A class may be a stricter sandbox or a weaker one: nobody but the platform knows.
pub(super) fn runtime(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let class = server.spec.runtime_class_name.as_deref();
    let asked = class.map(|class| (spec().child("runtimeClassName"), class));
    let default = &tenant.settings.runtime_classes;
    not_allowed(RUNTIME, tenant.allowed("runtime-classes", default), asked)
}

/// Taints keep pods away from the nodes of others and of the control plane. Without a key, a toleration is for all of them.
pub(super) fn tolerations(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let asked = server.spec.tolerations.iter().enumerate();
    let asked = asked.map(|(index, toleration)| {
        let field = spec().child("tolerations").index(index).child("key");
        (field, toleration.key.as_deref().unwrap_or("*"))
    });
    let default = &tenant.settings.tolerations;
    not_allowed(TOLERATION, tenant.allowed("tolerations", default), asked)
}
