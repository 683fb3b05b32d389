//! Many servers fail, each as slowly as it may, and the others do not notice.

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_e2e::{Operator, eventually};
use serde_json::json;

use crate::world::{RECOVERY, World};

/// Four times as many as passes that run at once.
const BAD: usize = 64;
/// More than one, because one may be lucky.
const GOOD: usize = 5;
/// Less than two of the failures take.
const AT_ONCE: Duration = Duration::from_secs(15);

/// A webhook that takes every question about the identity of a bad server, and answers none. The API server gives up after
/// ten seconds, in which the pass holds its place.
fn silence(world: &World, address: SocketAddr) -> Result<()> {
    let url = format!("https://{address}/");
    let server = "mcp.litellm.ai/server";
    let good: Vec<String> = (BAD..BAD + GOOD)
        .map(|index| format!("s-{index}"))
        .collect();
    let webhooks = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": "silent" },
        "webhooks": [{
            "name": "silent.example.org", "clientConfig": { "url": url },
            "rules": [{ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["serviceaccounts"] }],
            "objectSelector": { "matchExpressions": [
                { "key": server, "operator": "Exists" }, { "key": server, "operator": "NotIn", "values": good },
            ] },
            "timeoutSeconds": 10, "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        }],
    });
    world.kubectl().apply(&webhooks.to_string()).map(drop)
}

/// Takes connections and keeps them, without a word.
fn listen() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || listener.incoming().flatten().collect::<Vec<_>>());
    Ok(address)
}

/// It fails where servers that fail may take all places: the good ones would wait for several rounds of the others.
#[test]
fn servers_that_fail_slowly_delay_no_other() -> Result<()> {
    let world = World::start("fairness")?;
    let _operator = Operator::start(&world.own.environment, "fairness")?;
    silence(&world, listen()?)?;
    world.apply(BAD)?;
    eventually("all of them have failed", RECOVERY, || {
        let reasons = world.conditions("DeploymentReady", "reason")?;
        let failed = reasons.iter().filter(|reason| *reason == "ApiServerError");
        let failed = failed.count();
        ensure!(failed == BAD, "{failed} of {BAD}: {reasons:?}");
        Ok(())
    })?;
    world.apply_some(BAD..BAD + GOOD)?;
    eventually("the good ones are there", AT_ONCE, || {
        let found = world.count("deployments")?;
        ensure!(found == GOOD, "{found} of {GOOD}");
        Ok(())
    })
}
