//! What servers become, judged by others: the policies of Gatekeeper, and the API server's own Pod Security. What is judged are
//! the golden files of `render`, which its tests compare with what it makes.

use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};

use anyhow::{Context, Result, ensure};
use mcp_cluster::{Cache, Gatekeeper, repository};
use serde_json::{Value, json};

use crate::world::World;

/// Each golden file: its name, and the manifests without the header of insta.
fn golden() -> Result<Vec<(String, String)>> {
    let folder = repository().join("host/operator/tests/offline/servers");
    let mut golden = Vec::new();
    for entry in read_dir(folder)? {
        let file = entry?.path();
        if file.extension().is_some_and(|end| end == "snap") {
            let text = read_to_string(&file)?;
            let header = text.match_indices("---\n").nth(1).context("no header")?.0;
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            golden.push((name.into_owned(), text[header..].to_owned()));
        }
    }
    golden.sort();
    ensure!(golden.len() > 10, "{} golden files", golden.len());
    Ok(golden)
}

#[test]
fn every_golden_rendering_passes_the_policies_of_gatekeeper_and_a_control_breaks_each() -> Result<()>
{
    let gatekeeper = Gatekeeper::build(&Cache::open()?)?;
    let broken = gatekeeper.violations(&[&Gatekeeper::controls()])?;
    let names: Vec<&str> = broken.iter().map(|it| it.object.as_str()).collect();
    let policies = [
        "allowed-repos",
        "block-latest-tag",
        "container-limits",
        "pod-security",
        "require-probes",
        "required-labels",
    ];
    assert_eq!(names, policies, "{broken:?}");
    assert!(
        broken.iter().all(|it| it.object == it.constraint),
        "{broken:?}"
    );

    let folder = tempfile::tempdir()?;
    // The pods of a Deployment are judged too.
    let bad = folder.path().join("bad.yaml");
    let server = json!({ "name": "server", "image": "elsewhere.test/mcp-bad:latest" });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "bad", "namespace": "tools" },
        "spec": { "template": { "spec": { "containers": [server] } } },
    });
    std::fs::write(&bad, deployment.to_string())?;
    let broken = gatekeeper.violations(&[&bad])?;
    let broken: BTreeSet<&str> = broken.iter().map(|it| it.constraint.as_str()).collect();
    assert!(broken.into_iter().eq(policies));

    for (name, manifests) in golden()? {
        let file = folder.path().join(format!("{name}.yaml"));
        std::fs::write(&file, manifests)?;
        assert_eq!(gatekeeper.violations(&[&file])?, [], "{name}");
    }
    Ok(())
}

/// What admission says of a Deployment whose pods it would refuse.
fn warned(world: &World, deployment: &Value) -> Result<bool> {
    let create = ["create", "--dry-run=server", "--filename", "-"];
    let said = world
        .kubectl
        .pipe_with_warnings(&create, &deployment.to_string())?;
    Ok(said.contains("would violate PodSecurity"))
}

#[test]
fn every_golden_rendering_passes_pod_security_restricted() -> Result<()> {
    let world = World::new("golden-restricted");
    let restricted = "pod-security.kubernetes.io/warn=restricted";
    let label = ["label", "namespace", "golden-restricted", restricted];
    world.kubectl.run(&label)?;
    for (name, manifests) in golden()? {
        let objects = manifests.split("\n---\n").map(serde_yaml_ng::from_str);
        let objects = objects.collect::<Result<Vec<Value>, _>>()?;
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment");
        let mut deployment = deployment.context(name.clone())?.clone();
        deployment["metadata"]["namespace"] = world.namespace.clone().into();
        deployment["metadata"]["ownerReferences"].take();
        ensure!(!warned(&world, &deployment)?, "{name}");
        // And each would be warned of, were it not as it is.
        let pods = &mut deployment["spec"]["template"]["spec"];
        pods["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = true.into();
        ensure!(warned(&world, &deployment)?, "{name}");
    }
    Ok(())
}
