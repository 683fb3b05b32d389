//! What servers become, judged by the policies of Gatekeeper: the golden files of `render`, which its tests compare with what it
//! makes.

use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};

use anyhow::{Context, Result, ensure};
use mcp_cluster::{Cache, Gatekeeper, repository};
use serde_json::json;

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
