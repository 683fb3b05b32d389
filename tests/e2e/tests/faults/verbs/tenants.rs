//! What is missing in the namespace of a team.

use anyhow::{Result, ensure};
use mcp_e2e::{OPERATOR_ACCOUNT, Operator, OwnCluster, eventually};
use serde_json::json;

use super::TENANT;
use super::permission::{
    Permission, apply, install_optional, names, permissions, rules, server, without,
};
use crate::world::RECOVERY;

/// The operator has no rights on tenants' objects but those of RoleBindings, as with the component `tenant-namespaces`; in
/// each namespace another verb is missing.
#[test]
fn what_is_missing_in_a_namespace_is_told_by_its_servers() -> Result<()> {
    let own = OwnCluster::start("verbs-of-tenants", &[])?;
    let kubectl = own.kubectl();
    install_optional(kubectl)?;
    kubectl.run(&["delete", "clusterrolebinding", TENANT])?;
    let all = rules(kubectl, TENANT)?;
    // Events are asked for only where a probe fails, and nothing runs on simulated nodes that could fail one: that a refusal
    // is told is shown without a cluster. Reports are of no server.
    let mut each = permissions(&all);
    each.retain(|permission| !["events", "reports"].contains(&permission.resource.as_str()));
    ensure!(each.len() > 20, "{each:?}");
    let mut objects = Vec::new();
    for permission in &each {
        let namespace = permission.namespace();
        let metadata = json!({ "name": "all-but-one", "namespace": namespace });
        let rbac = "rbac.authorization.k8s.io";
        let version = format!("{rbac}/v1");
        objects.extend([
            json!({
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": { "name": namespace, "annotations": { "mcp.litellm.ai/remote-hosts": "*" } },
            }),
            json!({
                "apiVersion": version, "kind": "Role", "metadata": metadata,
                "rules": without(&all, |taken| taken == permission),
            }),
            json!({
                "apiVersion": version, "kind": "RoleBinding", "metadata": metadata,
                "roleRef": { "apiGroup": rbac, "kind": "Role", "name": "all-but-one" },
                "subjects": [{ "kind": "ServiceAccount", "name": OPERATOR_ACCOUNT, "namespace": "mcp-operator-system" }],
            }),
        ]);
    }
    apply(kubectl, &objects)?;
    let _operator = Operator::start(&own.environment, "verbs-of-tenants")?;
    let namespaces = || each.iter().map(Permission::namespace);
    let servers = namespaces().map(|namespace| server(&namespace, "a", true));
    apply(kubectl, &servers.collect::<Vec<_>>())?;
    let (deletions, others): (Vec<_>, Vec<_>) = each
        .iter()
        .partition(|permission| permission.verb == "delete");
    for permission in &others {
        names(kubectl, &permission.namespace(), "a", &permission.refusal())?;
    }
    for permission in &deletions {
        let namespace = permission.namespace();
        eventually(&format!("all is there in {namespace}"), RECOVERY, || {
            let list = ["get", &permission.resource, "--namespace", &namespace];
            let ours = "--selector=app.kubernetes.io/managed-by=mcp-operator";
            let found = kubectl.run(&[&list[..], &[ours, "--output=name"]].concat())?;
            ensure!(!found.is_empty(), "nothing yet");
            Ok(())
        })?;
    }
    // A server that moves elsewhere needs nothing any more.
    let moved = namespaces().map(|namespace| {
        let mut server = server(&namespace, "a", false);
        server["spec"] = json!({ "remote": { "url": "https://mcp.example.com/mcp" }, "litellm": { "autoRegister": false } });
        server
    });
    apply(kubectl, &moved.collect::<Vec<_>>())?;
    for permission in &deletions {
        names(kubectl, &permission.namespace(), "a", &permission.refusal())?;
    }
    Ok(())
}
