//! What it costs in a burst that the API server judges each write of the operator by an admission policy: the same rounds
//! with it and without, in one run.

use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_cluster::Kubectl;
use mcp_e2e::{OPERATOR_USER, eventually};
use serde_json::{Value, json};

use crate::beside_bare_client;
use crate::rig::Rig;

/// Servers in each round, and rounds in each state. The second size begins in the state in which the first one ended.
const SIZES: [(usize, usize); 2] = [(300, 2), (100, 4)];
const LONGEST: Duration = Duration::from_secs(30);
const BINDING: [&str; 2] = ["validatingadmissionpolicybinding", "mcp-operator"];

/// Prints the ratios to a bare client, which the policy does not concern, in both states.
pub(crate) async fn run() -> Result<()> {
    println!("| what | operator | bare client | ratio |\n|---|---|---|---|");
    let mut rig = Rig::start().await?;
    let kubectl = rig.environment.kubectl.clone();
    let mut binding = kubectl.json(&["get", BINDING[0], BINDING[1]])?;
    binding["metadata"] = json!({ "name": BINDING[1] });
    let mut is_confined = true;
    for (size, rounds) in SIZES {
        for is_last in [false, true] {
            let state = if is_confined {
                "confined"
            } else {
                "not confined"
            };
            println!("| **{state}** | | | |");
            beside_bare_client(&mut rig, size, rounds).await?;
            if !is_last {
                is_confined = !is_confined;
                confine(&kubectl, is_confined, &binding)?;
            }
        }
    }
    Ok(())
}

/// Puts the policy into force, or out of it, and waits until the API server goes by that.
fn confine(kubectl: &Kubectl, is_confined: bool, binding: &Value) -> Result<()> {
    if is_confined {
        kubectl.apply(&binding.to_string())?;
    } else {
        kubectl.run(&["delete", BINDING[0], BINDING[1]])?;
    }
    let user = format!("--as={OPERATOR_USER}");
    let foreign = [
        "create",
        "configmap",
        "of-nobody",
        "--namespace=default",
        "--dry-run=server",
        &user,
    ];
    eventually("the API server goes by the binding", LONGEST, || {
        ensure!(kubectl.run(&foreign).is_err() == is_confined);
        Ok(())
    })
}
