//! How much memory the operator has.

use std::fs;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use crate::rig::{AT_ONCE, Rig};

/// Prints what is resident now, and what was at most.
pub(crate) fn report(when: &str, rig: &Rig) {
    let mebibytes = |what: &str| match of(rig.operator_id(), what) {
        Ok(kibibytes) => format!("{} MiB", kibibytes / 1024),
        Err(error) => format!("{error:#}"),
    };
    println!(
        "| resident memory, {when} | {} (peak {}) | | |",
        mebibytes("VmRSS:"),
        mebibytes("VmHWM:")
    );
}

fn of(process: u32, what: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.with_context(|| format!("no {what}"))?.parse()?)
}

/// Secrets that have nothing to do with any server.
pub(crate) async fn unrelated_secrets(rig: &Rig, count: usize) -> Result<()> {
    let api: Api<Secret> = Api::namespaced(rig.client.clone(), "default");
    let create = |index: usize| {
        let api = api.clone();
        async move {
            let secret: Secret = serde_json::from_value(json!({
                "metadata": { "name": format!("unrelated-{index}") }, "stringData": { "value": "x".repeat(1000) },
            }))?;
            api.create(&PostParams::default(), &secret).await?;
            anyhow::Ok(())
        }
    };
    stream::iter(0..count)
        .map(create)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}
