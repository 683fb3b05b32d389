//! The webhook's certificate is renewed while it is asked.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mcp_e2e::{Operator, eventually};
use serde_json::Value;

use crate::world::{World, list};

/// Long enough for two renewals of a certificate that is made for 24 seconds.
const ROUNDS: Duration = Duration::from_mins(3);

#[test]
fn two_renewals_lose_no_request() -> Result<()> {
    let world = World::start("certificates")?;
    let options = ["--webhook-certificate-lifetime-seconds", "24"];
    let environment = &world.own.environment;
    let kubeconfig = world.kubectl().kubeconfig();
    let _operator = Operator::start_with(environment, "certificates", kubeconfig, &options)?;
    let (done, asked) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let askers: Vec<_> = (0..3)
        .map(|asker| {
            let (kubectl, done, asked) = (world.kubectl().clone(), done.clone(), asked.clone());
            let server = list(asker..asker + 1, &serde_json::json!({}));
            thread::spawn(move || -> Result<()> {
                while !done.load(Ordering::Relaxed) {
                    let dry = ["apply", "--dry-run=server", "--filename", "-"];
                    kubectl.pipe(&dry, &server)?;
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        })
        .collect();

    let mut bundles = BTreeSet::new();
    let renewed = eventually("the third authority is trusted", ROUNDS, || {
        bundles.insert(ca_bundle(&world)?);
        let authorities: BTreeSet<&str> = bundles
            .iter()
            .flat_map(|bundle| authorities(bundle))
            .collect();
        // That of the start, and two more, of which the last comes only after the one before it was served.
        ensure!(authorities.len() >= 3, "{} authorities", authorities.len());
        Ok(())
    });
    done.store(true, Ordering::Relaxed);
    for asker in askers {
        asker
            .join()
            .map_err(|_| anyhow::anyhow!("an asker panicked"))??;
    }
    renewed?;
    ensure!(
        asked.load(Ordering::Relaxed) > 30,
        "too few to mean something"
    );
    for bundle in bundles {
        let trusted = authorities(&bundle).count();
        ensure!((1..=2).contains(&trusted), "{trusted} authorities at once");
    }
    Ok(())
}

fn ca_bundle(world: &World) -> Result<String> {
    let kind = "validatingwebhookconfiguration";
    let found: Value = world.kubectl().json(&["get", kind, "mcp-operator"])?;
    let bundle = found["webhooks"][0]["clientConfig"]["caBundle"].as_str();
    let bundle = STANDARD.decode(bundle.context("no caBundle")?)?;
    Ok(String::from_utf8(bundle)?)
}

fn authorities(bundle: &str) -> impl Iterator<Item = &str> {
    bundle.split_inclusive("-----END CERTIFICATE-----\n")
}
