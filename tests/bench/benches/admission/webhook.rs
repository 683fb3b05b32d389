//! The webhook alone: asked over TLS without an API server, and from its start until it is ready.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mcp_e2e::Operator;
use reqwest::{Certificate, Client};
use serde_json::{Value, json};

use crate::rig::{Judge, Rig, server};
use crate::times::percentile;

const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// Questions in a round, over all connections together.
const QUESTIONS: usize = 1024;
const STARTS: usize = 5;
const LONGEST: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(5);

pub(crate) async fn alone(rig: &Rig, rounds: usize) -> Result<()> {
    println!(
        "| the webhook alone, {} | p50 | p99 | answers per second |\n|---|---|---|---|",
        Judge::Four.title()
    );
    for connections in CONNECTIONS {
        let clients = clients(rig, connections)?;
        ask(rig, &clients, connections).await?;
        let (mut times, mut seconds) = (Vec::new(), 0.0);
        for _ in 0..rounds {
            let began = Instant::now();
            times.extend(ask(rig, &clients, QUESTIONS).await?);
            seconds += began.elapsed().as_secs_f64();
        }
        #[expect(clippy::cast_precision_loss, reason = "there are few questions")]
        let rate = times.len() as f64 / seconds;
        println!(
            "| {connections} connections | {:.2} ms | {:.2} ms | {rate:.0} |",
            percentile(times.clone(), 50),
            percentile(times, 99)
        );
    }
    println!();
    Ok(())
}

/// Each of them has a connection of its own, and keeps it.
fn clients(rig: &Rig, count: usize) -> Result<Vec<Client>> {
    let bundle = rig.cluster.kubectl().run(&[
        "get",
        "validatingwebhookconfiguration",
        "mcp-operator",
        "--output=jsonpath={.webhooks[0].clientConfig.caBundle}",
    ])?;
    let authorities = Certificate::from_pem_bundle(&STANDARD.decode(bundle.trim())?)?;
    let client = || {
        let builder = Client::builder().http1_only();
        let trusting = authorities.iter().fold(builder, |builder, one| {
            builder.add_root_certificate(one.clone())
        });
        Ok(trusting.build()?)
    };
    (0..count).map(|_| client()).collect()
}

/// So many questions, each client one after the other.
async fn ask(rig: &Rig, clients: &[Client], questions: usize) -> Result<Vec<f64>> {
    let url = format!(
        "https://{}/validate/mcpserver?timeout=10s",
        rig.operator.webhook_address()
    );
    let review = review().to_string();
    let asked = clients.iter().map(|client| async {
        let mut times = Vec::new();
        for _ in 0..questions / clients.len() {
            let began = Instant::now();
            let asked = client.post(&url).body(review.clone()).send().await?;
            let answer: Value = serde_json::from_slice(&asked.bytes().await?)?;
            times.push(began.elapsed().as_secs_f64() * 1000.0);
            ensure!(answer["response"]["allowed"] == true, "{answer}");
        }
        Ok(times)
    });
    let times = futures::future::try_join_all(asked).await?;
    Ok(times.concat())
}

fn review() -> Value {
    let namespace = Judge::Four.namespace();
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "operation": "CREATE", "dryRun": true,
            "name": "server", "namespace": namespace, "userInfo": { "username": "bench" },
            "kind": { "group": "mcp.litellm.ai", "version": "v1alpha1", "kind": "MCPServer" },
            "resource": { "group": "mcp.litellm.ai", "version": "v1alpha1", "resource": "mcpservers" },
            "object": server(namespace, "server"),
        },
    })
}

/// From the start of another replica, which finds all plugins compiled, until it is ready.
pub(crate) fn starts(rig: &Rig) -> Result<()> {
    let environment = &rig.environment;
    let mut times = Vec::new();
    for start in 0..=STARTS {
        let name = format!("bench-start-{start}");
        let began = Instant::now();
        let kubeconfig = environment.kubectl.kubeconfig();
        let replica = Operator::start_replica_with(environment, &name, kubeconfig, &[])?;
        while !replica.is_ready() {
            let log = || format!("it does not become ready: {}", replica.log().display());
            ensure!(began.elapsed() < LONGEST, log());
            std::thread::sleep(POLL);
        }
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    // The first one may find what nobody has read yet.
    let times = times.split_off(1);
    let slowest = times.iter().copied().reduce(f64::max).context("no start")?;
    println!(
        "From start to ready, with compiled plugins: p50 {:.0} ms, slowest of {STARTS} {slowest:.0} ms (aim: at most 500 ms).",
        percentile(times, 50)
    );
    Ok(())
}
