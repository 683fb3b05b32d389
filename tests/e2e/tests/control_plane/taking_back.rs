//! Objects that lost their owner: by a deletion that orphans, and by a backup that was restored. Their server takes them back
//! as they are (knative/serving#10926, velero-io/velero#10556).

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mcp_e2e::{eventually, holds_for};
use serde_json::{Value, json};

use crate::world::{SOON, World};

/// What has an object of every kind that is there without further APIs.
fn server(world: &World, tag: &str) -> Value {
    let spec = json!({
        "replicas": 2, "image": { "tag": tag }, "config": { "city": "Bern", "mode": "safe" },
        "networkPolicy": { "enabled": true },
    });
    world.server("a", spec)
}

const KINDS: &str = "serviceaccount,configmap,service,deployment,poddisruptionbudget,networkpolicy";

fn objects(world: &World) -> Result<Vec<Value>> {
    let mut found = world.kubectl.json(&[
        "get",
        KINDS,
        "--namespace",
        &world.namespace,
        "--selector=mcp.litellm.ai/server=a",
    ])?;
    let items = found["items"].take();
    serde_json::from_value(items).context("a list")
}

fn uids(world: &World, kind: &str) -> Result<Vec<String>> {
    let found = world.kubectl.run(&[
        "get",
        kind,
        "--namespace",
        &world.namespace,
        "--selector=mcp.litellm.ai/server=a",
        "--output=jsonpath={.items[*].metadata.uid}",
    ])?;
    let mut uids: Vec<String> = found.split_whitespace().map(str::to_owned).collect();
    uids.sort();
    Ok(uids)
}

fn taken_back(world: &World, kinds: usize) -> Result<()> {
    eventually("every object has its owner", SOON, || {
        let server = world.get("mcpserver", "a")?;
        let all = objects(world)?;
        ensure!(all.len() >= kinds, "{} objects", all.len());
        for object in all {
            let owners = object["metadata"]["ownerReferences"].as_array();
            let owners = owners.with_context(|| format!("no owner: {object}"))?;
            ensure!(
                owners.len() == 1 && owners[0]["uid"] == server["metadata"]["uid"],
                "{object}"
            );
        }
        Ok(())
    })
}

#[test]
fn knative_10926_what_a_deletion_has_orphaned_is_taken_back() -> Result<()> {
    let world = World::new("orphaned");
    world.apply(&server(&world, "1.0.0"))?;
    world.deployed("a")?;
    let (deployment, pods) = (uids(&world, "deployment")?, uids(&world, "pods")?);
    let kinds = objects(&world)?.len();
    let namespace = ["--namespace", &world.namespace];
    let orphan = ["delete", "mcpserver", "a", "--cascade=orphan"];
    world.kubectl.run(&[&orphan[..], &namespace].concat())?;
    let owners = world.get("deployment", "mcp-a")?["metadata"]["ownerReferences"].clone();
    ensure!(owners.is_null(), "{owners}");

    world.apply(&server(&world, "1.0.0"))?;
    taken_back(&world, kinds)?;
    world.deployed("a")?;
    assert_eq!(uids(&world, "deployment")?, deployment);
    assert_eq!(uids(&world, "pods")?, pods, "no pod is another");
    let writes = world.writes_when_asked_again("a")?;
    ensure!(writes.is_empty(), "{writes:?}");

    // The same with a new image: a rolling update of the Deployment that is there.
    world.kubectl.run(&[&orphan[..], &namespace].concat())?;
    world.apply(&server(&world, "1.0.1"))?;
    taken_back(&world, kinds)?;
    world.deployed("a")?;
    assert_eq!(uids(&world, "deployment")?, deployment);
    let image =
        &world.get("deployment", "mcp-a")?["spec"]["template"]["spec"]["containers"][0]["image"];
    ensure!(image.to_string().ends_with(":1.0.1\""), "{image}");
    Ok(())
}

#[test]
fn velero_10556_what_a_backup_has_restored_is_taken_back() -> Result<()> {
    let world = World::new("restored");
    world.apply(&server(&world, "1.0.0"))?;
    world.deployed("a")?;
    let backup = objects(&world)?;
    let kinds = backup.len();
    let namespace = ["--namespace", &world.namespace];
    let delete = ["delete", "mcpserver", "a"];
    world.kubectl.run(&[&delete[..], &namespace].concat())?;
    eventually("all is gone", SOON, || {
        let left = objects(&world)?.len() + uids(&world, "pods")?.len();
        ensure!(left == 0, "{left} objects are left");
        Ok(())
    })?;

    for mut object in backup {
        let members = object.as_object_mut().context("an object")?;
        members.remove("status");
        let metadata = object["metadata"].as_object_mut().context("metadata")?;
        for lost in [
            "ownerReferences",
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "managedFields",
            "generation",
        ] {
            metadata.remove(lost);
        }
        object["metadata"]["labels"]["velero.io/restore-name"] = json!("r1");
        let manager = "--field-manager=velero-server";
        let create = ["create", manager, "--filename", "-"];
        world.kubectl.pipe(&create, &object.to_string())?;
    }
    eventually("the pods are there", SOON, || {
        ensure!(uids(&world, "pods")?.len() == 2);
        Ok(())
    })?;
    let (deployment, pods) = (uids(&world, "deployment")?, uids(&world, "pods")?);
    let mut restored = server(&world, "1.0.0");
    restored["metadata"]["labels"] = json!({ "velero.io/restore-name": "r1" });
    world.apply(&restored)?;
    taken_back(&world, kinds)?;
    world.deployed("a")?;
    assert_eq!(uids(&world, "deployment")?, deployment);
    assert_eq!(uids(&world, "pods")?, pods, "no pod is another");
    let writes = world.writes_when_asked_again("a")?;
    ensure!(writes.is_empty(), "{writes:?}");

    // What the backup tool wrote does not outlive the wish for it.
    let mut less = restored.clone();
    less["spec"]["config"] = json!({ "city": "Bern" });
    world.apply(&less)?;
    eventually("the variable is gone", SOON, || {
        let pod = &world.get("deployment", "mcp-a")?["spec"]["template"]["spec"];
        ensure!(!pod.to_string().contains("\"MODE\""), "{pod}");
        Ok(())
    })?;
    world.deployed("a").map(drop)
}

/// Somebody takes the owner reference away; and what a person has made is never taken.
#[test]
fn what_is_ours_gets_its_owner_again_and_what_a_person_made_does_not() -> Result<()> {
    let world = World::new("unowned");
    world.apply(&server(&world, "1.0.0"))?;
    world.deployed("a")?;
    let kinds = objects(&world)?.len();
    for kind in KINDS.split(',') {
        let name = world.object_name(kind, "a")?;
        let none = json!({ "metadata": { "ownerReferences": null } });
        world.patch(kind, &name, &none)?;
    }
    taken_back(&world, kinds)?;

    let made = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": "mcp-b", "namespace": world.namespace,
            "labels": { "app.kubernetes.io/managed-by": "mcp-operator" },
        },
        "spec": { "ports": [{ "port": 80 }] },
    });
    world.apply(&made)?;
    let before = world.get("service", "mcp-b")?;
    world.apply(&world.server("b", json!({})))?;
    world.condition("b", "Ready", "False", "ForeignObject")?;
    holds_for("it is left alone", Duration::from_secs(1), || {
        ensure!(world.get("service", "mcp-b")? == before);
        Ok(())
    })
}
