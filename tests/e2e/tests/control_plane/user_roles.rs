//! Who has Kubernetes' own roles in a namespace, and what they may do with MCPServers.

use anyhow::{Result, ensure};
use mcp_e2e::eventually;
use serde_json::json;

use crate::world::{SOON, World};

/// Whether somebody with one of Kubernetes' own roles in the namespace may do something.
fn may(world: &World, role: &str, verb: &str, resource: &str) -> Result<bool> {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {
            "user": format!("{role}-of-{}", world.namespace),
            "resourceAttributes": {
                "namespace": world.namespace, "verb": verb,
                "group": "mcp.litellm.ai", "resource": resource, "subresource": subresource,
            },
        },
    });
    let create = [
        "create",
        "--filename=-",
        "--output=jsonpath={.status.allowed}",
    ];
    Ok(world.kubectl.pipe(&create, &review.to_string())? == "true")
}

#[test]
fn edit_and_view_are_for_servers_and_not_for_plugins() -> Result<()> {
    let world = World::new("roles-of-people");
    for role in ["edit", "view", "admin"] {
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": { "name": role, "namespace": world.namespace },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": format!("{role}-of-{}", world.namespace) }],
        });
        world.kubectl.apply(&binding.to_string())?;
    }
    eventually("the roles are there", SOON, || {
        for role in ["edit", "view", "admin"] {
            ensure!(may(&world, role, "get", "mcpservers")?, "{role}");
        }
        Ok(())
    })?;
    for (role, verb, resource, allowed) in [
        ("view", "watch", "mcpservers", true),
        ("view", "create", "mcpservers", false),
        ("view", "patch", "mcpservers/scale", false),
        ("edit", "create", "mcpservers", true),
        ("edit", "patch", "mcpservers", true),
        ("edit", "delete", "mcpservers", true),
        ("edit", "update", "mcpservers/scale", true),
        ("edit", "patch", "mcpservers/status", false),
        ("admin", "create", "mcpservers", true),
        ("admin", "get", "mcpplugins", false),
        ("admin", "create", "mcpplugins", false),
        ("admin", "patch", "mcpplugins", false),
    ] {
        let found = may(&world, role, verb, resource)?;
        ensure!(found == allowed, "{role} may {verb} {resource}: {found}");
    }

    // As they really do it.
    let user = "--as=edit-of-roles-of-people";
    let server = world.server("a", json!({})).to_string();
    world
        .kubectl
        .pipe(&["apply", "--filename=-", user], &server)?;
    world.deployed("a")?;
    let scale = ["scale", "mcpserver/a", "--replicas=1", user];
    world
        .kubectl
        .run(&[&scale[..], &["--namespace", &world.namespace]].concat())?;
    let view = ["delete", "mcpserver/a", "--as=view-of-roles-of-people"];
    let refused = world
        .kubectl
        .run(&[&view[..], &["--namespace", &world.namespace]].concat());
    ensure!(refused.is_err(), "somebody with view deleted a server");
    Ok(())
}
