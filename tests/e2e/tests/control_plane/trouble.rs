//! What is told of a server that does not come up.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::world::World;

/// A namespace of the strictest level, and a pod of which somebody has made more than that allows.
#[test]
fn a_pod_that_pod_security_refuses_is_told_in_the_words_of_the_api() -> Result<()> {
    let world = World::new("refused-pod");
    world.kubectl.run(&[
        "label",
        "namespace",
        &world.namespace,
        "pod-security.kubernetes.io/enforce=restricted",
    ])?;
    world.apply(&world.server("a", json!({})))?;
    world.deployed("a")?;
    let sidecar = json!({ "spec": { "template": { "spec": { "containers": [
        { "name": "sidecar", "image": "docker.io/mesh:1", "securityContext": { "allowPrivilegeEscalation": true } },
    ] } } } });
    world.patch("deployment", "mcp-a", &sidecar)?;
    let found = world.condition("a", "DeploymentReady", "False", "FailedCreate")?;
    let message = found["message"].as_str().unwrap_or_default();
    ensure!(
        message.contains("violates PodSecurity") && message.contains("sidecar"),
        "{message}"
    );
    Ok(())
}
