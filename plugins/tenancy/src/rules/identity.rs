//! Who the pods are to AWS, and whom LiteLLM shows the server to.

use mcp_plugin_sdk::{Finding, McpServer};

use super::{not_allowed, spec};
use crate::tenant::Tenant;

pub(crate) const ROLE: &str = "iam-role";
pub(crate) const GROUP: &str = "access-group";

pub(crate) fn role(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let role = server
        .spec
        .aws
        .as_ref()
        .and_then(|aws| aws.iam_role.as_deref());
    let role = role.map(|role| (spec().child("aws").child("iamRole"), role));
    let allowed = tenant.allowed("iam-roles", &tenant.settings.iam_roles);
    not_allowed(ROLE, allowed, role)
}

pub(crate) fn groups(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let groups = server.spec.litellm.allowed_user_groups.iter().enumerate();
    let groups = groups.map(|(index, group)| {
        let field = spec().child("litellm").child("allowedUserGroups");
        (field.index(index), group.as_str())
    });
    let allowed = tenant.allowed("access-groups", &tenant.settings.access_groups);
    not_allowed(GROUP, allowed, groups)
}
