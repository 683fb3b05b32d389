//! Many servers that are really created, at once: in a namespace that nobody judges, and in one of the operator's.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{DeleteParams, ListParams, PostParams};

use crate::rig::{Judge, Rig, server};

const SERVERS: usize = 600;
const AT_ONCE: usize = 16;
/// What the operator and the cluster's controllers need until they have no more to do.
const PAUSE: Duration = Duration::from_secs(20);
const LONGEST: Duration = Duration::from_mins(10);

pub(crate) async fn created(rig: &Rig, rounds: usize) -> Result<()> {
    println!(
        "| {SERVERS} servers created, {AT_ONCE} at once | without webhooks | with both, 4 plugins | ratio |\n|---|---|---|---|"
    );
    let mut logarithms = 0.0;
    // Both orders.
    let rounds = rounds.div_ceil(3).next_multiple_of(2);
    for round in 0..rounds {
        let (without, with) = if round % 2 == 0 {
            let without = create(rig, Judge::Nobody).await?;
            (without, create(rig, Judge::Four).await?)
        } else {
            let with = create(rig, Judge::Four).await?;
            (create(rig, Judge::Nobody).await?, with)
        };
        let ratio = with.as_secs_f64() / without.as_secs_f64();
        logarithms += ratio.ln();
        println!(
            "| round {} | {:.2} s | {:.2} s | {ratio:.2} |",
            round + 1,
            without.as_secs_f64(),
            with.as_secs_f64()
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "there are few rounds")]
    let mean = (logarithms / rounds as f64).exp();
    println!("| geometric mean (aim: at most 2) | | | {mean:.2} |\n");
    Ok(())
}

/// How long it takes to create them. Afterwards they are gone again.
async fn create(rig: &Rig, judge: Judge) -> Result<Duration> {
    let namespace = judge.namespace();
    let servers = rig.servers(namespace);
    let params = PostParams::default();
    let began = Instant::now();
    stream::iter(0..SERVERS)
        .map(|number| {
            let (servers, params) = (&servers, &params);
            async move {
                let object = serde_json::from_value(server(namespace, &format!("s-{number}")))?;
                servers.create(params, &object).await?;
                anyhow::Ok(())
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    let took = began.elapsed();
    let all = ListParams::default();
    servers
        .delete_collection(&DeleteParams::background(), &all)
        .await?;
    let began = Instant::now();
    while !servers.list(&all.clone().limit(1)).await?.items.is_empty() {
        ensure!(
            began.elapsed() < LONGEST,
            "the servers of {namespace} do not go"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    tokio::time::sleep(PAUSE).await;
    Ok(took)
}
