//! What may not be read or written by name.

use anyhow::{Result, ensure};
use mcp_e2e::{Operator, OwnCluster, eventually, install_plugins};
use serde_json::{Value, json};

use super::in_the_way::in_the_way;
use super::permission::{
    Logging, Permission, apply, chosen, grant, install_optional, names, permissions, rules, says,
    server, without,
};
use super::{OPERATOR, WEBHOOK};
use crate::world::{RECOVERY, World};

/// A control plane that asks for a permission of its own for owner references, as OpenShift does.
#[test]
fn what_may_not_be_read_or_written_by_name_is_told() -> Result<()> {
    let world = World::start_with(
        "verbs-by-name",
        &["--enable-admission-plugins=OwnerReferencesPermissionEnforcement"],
    )?;
    let kubectl = world.kubectl();
    install_optional(kubectl)?;
    let all = rules(kubectl, OPERATOR)?;
    let mut seen = statuses_and_webhooks(&world, &all)?;
    seen.extend(objects_in_the_way(&world, &all)?);
    seen.extend(what_is_there_already(&world, &all)?);
    seen.extend(owner_references(&world, &all)?);
    // Namespaces are read by name where their watch is late, which is too rare to wait for.
    let is_seen = |permission: &Permission| {
        ["list", "watch"].contains(&permission.verb.as_str())
            || (permission.resource == "namespaces" && permission.verb == "get")
            || seen.contains(permission)
    };
    let unseen: Vec<_> = permissions(&all)
        .into_iter()
        .filter(|permission| !is_seen(permission))
        .collect();
    ensure!(unseen.is_empty(), "{unseen:?}");
    Ok(())
}

/// A server that was there before the operator gets no status, and nobody trusts the webhook.
fn statuses_and_webhooks(world: &World, all: &Value) -> Result<Vec<Permission>> {
    let kubectl = world.kubectl();
    world.delete_webhooks()?;
    world.apply(1)?;
    install_plugins(kubectl)?;
    let is_taken = |permission: &Permission| permission.resource.ends_with("/status");
    grant(kubectl, OPERATOR, &without(all, is_taken))?;
    let webhook = rules(kubectl, WEBHOOK)?;
    let statuses = chosen(all, is_taken);
    for verb in ["get", "patch"] {
        let is_taken = |permission: &Permission| permission.verb == verb;
        grant(kubectl, WEBHOOK, &without(&webhook, is_taken))?;
        let operator = Logging::start(world, &format!("no-{verb}-by-name"))?;
        for permission in chosen(&webhook, is_taken).iter().chain(&statuses) {
            operator.says(permission)?;
        }
    }
    grant(kubectl, OPERATOR, all)?;
    grant(kubectl, WEBHOOK, &webhook)?;
    Ok(statuses)
}

/// What is in the way of a server's object is looked at.
fn objects_in_the_way(world: &World, all: &Value) -> Result<Vec<Permission>> {
    let kubectl = world.kubectl();
    let is_taken = |permission: &Permission| {
        permission.verb == "get"
            && permission.resource != "namespaces"
            && !permission.resource.starts_with("mcp")
    };
    let taken = chosen(all, is_taken);
    let mut objects = Vec::new();
    for permission in &taken {
        let namespace = permission.namespace();
        objects.push(
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }),
        );
        objects.push(in_the_way(&namespace, &permission.resource)?);
    }
    apply(kubectl, &objects)?;
    grant(kubectl, OPERATOR, &without(all, is_taken))?;
    let _operator = Operator::start(&world.own.environment, "verbs-in-the-way")?;
    let servers = taken
        .iter()
        .map(|permission| server(&permission.namespace(), "a", true));
    apply(kubectl, &servers.collect::<Vec<_>>())?;
    for permission in &taken {
        names(kubectl, &permission.namespace(), "a", &permission.refusal())?;
    }
    eventually("the first server has everything", RECOVERY, || {
        ensure!(world.condition("Ready")?["status"] == "True");
        Ok(())
    })?;
    Ok(taken)
}

/// A server is looked at before something is made for it again, and a registrar before it is told about. An event that was
/// written before is counted up.
fn what_is_there_already(world: &World, all: &Value) -> Result<Vec<Permission>> {
    let kubectl = world.kubectl();
    let is_taken = |permission: &Permission| {
        (permission.verb == "get" && permission.resource.starts_with("mcp"))
            || (permission.verb == "patch" && permission.resource == "events")
    };
    grant(kubectl, OPERATOR, &without(all, is_taken))?;
    let operator = Operator::start(&world.own.environment, "verbs-of-what-is-there")?;
    for replicas in ["5", "6"] {
        let scale = ["scale", "deployment/mcp-s-0", "--namespace=servers"];
        let replicas = format!("--replicas={replicas}");
        kubectl.run(&[&scale[..], &[&replicas]].concat())?;
        eventually("it is put back", RECOVERY, || {
            ensure!(world.get("deployment", "mcp-s-0")?["spec"]["replicas"] == 2);
            Ok(())
        })?;
    }
    world.delete("service", "mcp-s-0")?;
    let taken = chosen(all, is_taken);
    for permission in &taken {
        says(operator.log(), permission)?;
    }
    Ok(taken)
}

fn owner_references(world: &World, all: &Value) -> Result<Vec<Permission>> {
    let kubectl = world.kubectl();
    let is_taken = |permission: &Permission| {
        permission.resource == "mcpservers/finalizers"
            || (permission.resource == "events" && permission.verb == "create")
    };
    grant(kubectl, OPERATOR, &without(all, is_taken))?;
    let operator = Operator::start(&world.own.environment, "verbs-of-owners")?;
    apply(kubectl, &[server(OwnCluster::NAMESPACE, "owner", false)])?;
    let refusal = "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on";
    names(kubectl, OwnCluster::NAMESPACE, "owner", refusal)?;
    let taken = chosen(all, is_taken);
    for permission in taken
        .iter()
        .filter(|permission| permission.resource == "events")
    {
        says(operator.log(), permission)?;
    }
    Ok(taken)
}
