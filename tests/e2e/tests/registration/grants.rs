//! A registrar that wants more than it was granted.

use anyhow::{Result, ensure};
use mcp_e2e::{Operator, eventually};
use serde_json::{Value, json};

use crate::world::{NAMESPACE, SOON, World};

/// Waits until the plugin that would take over says that it wants this, which it is not granted.
fn wants(world: &World, spec: &Value, wanted: &str) -> Result<()> {
    world.apply_plugin("own", spec)?;
    eventually(&format!("it wants {wanted}"), SOON, || {
        let message = world.registrar_is("own", "Unknown", "TakingOver")?;
        let said = format!("plugin own wants {wanted}, which it is not granted");
        ensure!(message.contains(&said), "{message}");
        Ok(())
    })
}

#[test]
fn a_registrar_reads_and_writes_what_it_was_granted_and_nothing_else() -> Result<()> {
    let world = World::start("grants")?;
    let _operator = Operator::start(&world.own.environment, "grants")?;
    world.apply_servers(&["a".into()])?;
    world.registered("a", "Registered")?;
    let mut own = world.own_registrar()?;
    own["priority"] = json!(10);
    let settings = own["settings"].take();

    // The map of cloud roles to users, as it is on EKS.
    own["settings"] = json!({ "namespace": "kube-system", "name": "aws-auth" });
    wants(&world, &own, "to read ConfigMap kube-system/aws-auth")?;
    let kube_system = ["get", "configmaps", "--namespace=kube-system"];
    let found = world.kubectl().run(&kube_system)?;
    ensure!(!found.contains("aws-auth"), "{found}");

    // Where it may look, it may not write.
    own["settings"] = settings;
    let keys = own["grants"]["configMaps"][0]["writeKeys"].take();
    own["grants"]["configMaps"][0]["writeKeys"] = json!([]);
    let list = format!("ConfigMap {NAMESPACE}/gateway");
    wants(
        &world,
        &own,
        &format!("to write key servers.json of {list}"),
    )?;
    world.registered("a", "Registered")?;

    own["grants"]["configMaps"][0]["writeKeys"] = keys;
    world.apply_plugin("own", &own)?;
    eventually("it registers", SOON, || {
        let list = world.key(NAMESPACE, "gateway", "servers.json")?;
        ensure!(list.contains(&format!("{NAMESPACE}/a")), "{list}");
        Ok(())
    })
}
