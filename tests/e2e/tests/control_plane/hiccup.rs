//! A write that fails once.

use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_e2e::eventually;
use serde_json::{Value, json};

use crate::failing_webhook::FailingWebhook;
use crate::world::{SOON, World};

const PROBE: [&str; 5] = [
    "create",
    "service",
    "externalname",
    "probe",
    "--external-name=probe",
];

/// Has a webhook asked about every Service that is made in the namespace.
fn ask(world: &World, webhook: &FailingWebhook) -> Result<()> {
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": world.namespace },
        "webhooks": [{
            "name": "hiccup.example.org", "clientConfig": webhook.client_config(),
            "namespaceSelector": { "matchLabels": { "test": world.namespace } },
            "rules": [{ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["services"] }],
            "timeoutSeconds": 5, "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        }],
    });
    world.apply(&configuration)?;
    eventually("the webhook is asked", SOON, || {
        let probe = [
            &PROBE[..],
            &["--dry-run=server", "--namespace", &world.namespace],
        ]
        .concat();
        let answer = world.kubectl.run(&probe);
        ensure!(webhook.calls() > 0, "{answer:?}");
        Ok(())
    })
}

fn transitions(world: &World) -> Result<Value> {
    let conditions = world.get("mcpserver", "a")?["status"]["conditions"].take();
    Ok(conditions)
}

/// A status that goes to Failed and back within a second would be two writes and two events about nothing.
#[test]
fn a_write_that_fails_once_is_tried_again_and_not_told() -> Result<()> {
    let world = World::new("hiccup");
    // One for the probe, one for the operator.
    let webhook = FailingWebhook::start(2)?;
    world.apply(&world.server("a", json!({})))?;
    world.condition("a", "Ready", "True", "Ready")?;
    let mut audit = world.audited("a")?;
    let before = transitions(&world)?;
    ask(&world, &webhook)?;
    ensure!(webhook.calls() == 1, "{} probes", webhook.calls());
    world.kubectl.run(&[
        "delete",
        "service",
        "mcp-a",
        "--namespace",
        &world.namespace,
    ])?;
    eventually("it is back", SOON, || world.get("service", "mcp-a"))?;
    std::thread::sleep(Duration::from_secs(2));
    world
        .kubectl
        .run(&["delete", "validatingwebhookconfiguration", &world.namespace])?;
    let writes = world.writes(&mut audit)?;
    let codes: Vec<_> = writes
        .iter()
        .filter(|write| write.resource == "services")
        .map(|write| write.code)
        .collect();
    ensure!(codes == [500, 201], "{writes:?}");
    ensure!(writes.len() == codes.len(), "{writes:?}");
    ensure!(transitions(&world)? == before, "it was told");
    Ok(())
}
