//! What admission costs whoever creates an MCPServer: `cargo xtask bench admission`.
//!
//! Through the API server, all ways of judging beside each other and in turns, forwards and backwards: each has a namespace of
//! its own, by whose label it is chosen. Then the webhook alone, and a burst of servers that are really created.

mod burst;
mod cel;
mod native;
mod rig;
mod times;
mod webhook;

use std::process::ExitCode;

use anyhow::Result;
use mcp_bench::{exit_code, machine};

use crate::rig::{Judge, Rig};
use crate::times::Times;

/// Rounds, of which every other one goes backwards, and requests of each judge in a round.
const ROUNDS: usize = 6;
const REQUESTS: usize = 100;
/// With `--full`.
const MORE: usize = 5;

#[tokio::main]
async fn main() -> ExitCode {
    exit_code(run(std::env::args().any(|argument| argument == "--full")).await)
}

async fn run(full: bool) -> Result<()> {
    println!("{}", machine::facts());
    let rounds = if full { ROUNDS * MORE } else { ROUNDS };
    let native = native::serve_rules().await?;
    let rig = Rig::start(&native).await?;
    through_the_api_server(&rig, rounds).await?;
    webhook::alone(&rig, rounds).await?;
    burst::created(&rig, rounds).await?;
    webhook::starts(&rig)
}

async fn through_the_api_server(rig: &Rig, rounds: usize) -> Result<()> {
    for judge in Judge::ALL {
        // Connections, caches of the API server, compiled expressions.
        rig.dry_runs(judge, REQUESTS / 10).await?;
    }
    let mut times = Judge::ALL.map(|judge| (judge, Times::default()));
    for round in 0..rounds {
        let mut order: Vec<_> = times.iter_mut().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (judge, times) in order {
            times.add_round(rig.dry_runs(*judge, REQUESTS).await?);
        }
    }
    let [(_, without), ..] = &times;
    println!(
        "| create --dry-run=server, {} each | p50 | p99 | added, p50 | added, p99 | times without |\n|---|---|---|---|---|---|",
        rounds * REQUESTS
    );
    for (judge, times) in &times {
        let (p50, p99) = (times.percentile(50), times.percentile(99));
        println!(
            "| {} | {p50:.2} ms | {p99:.2} ms | {:.2} ms | {:.2} ms | {:.2} |",
            judge.title(),
            p50 - without.percentile(50),
            p99 - without.percentile(50),
            times.ratio(without)
        );
    }
    let added = |judge: Judge| {
        let found = times.iter().find(|(other, _)| *other == judge);
        found.map_or(f64::NAN, |(_, times)| {
            times.percentile(50) - without.percentile(50)
        })
    };
    println!(
        "\nWhat 16 plugins add is {:.2} times what one adds (aim: at most 1.5); what native rules and an annotation add is {:.2} of what four plugins add (aim: at least 0.6), and without the annotation {:.2}; CEL adds {:.2} ms.\n",
        added(Judge::Sixteen) / added(Judge::One),
        added(Judge::NativeTwice) / added(Judge::Four),
        added(Judge::Native) / added(Judge::Four),
        added(Judge::Cel),
    );
    Ok(())
}
