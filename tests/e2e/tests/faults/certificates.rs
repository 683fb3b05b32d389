//! The webhook's certificate is renewed while it is asked, and one that is not renewed is told.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mcp_e2e::{Operator, eventually};
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use time::OffsetDateTime;

use crate::askers::Askers;
use crate::world::World;

/// Long enough for two renewals of a certificate that is made for 24 seconds.
const ROUNDS: Duration = Duration::from_mins(3);

#[test]
fn two_renewals_lose_no_request() -> Result<()> {
    let world = World::start("certificates")?;
    let options = ["--webhook-certificate-lifetime-seconds", "24"];
    let environment = &world.own.environment;
    let kubeconfig = world.kubectl().kubeconfig();
    let operator = Operator::start_with(environment, "certificates", kubeconfig, &options)?;
    let first = expirations(&operator)?;
    let askers = Askers::start(&world);
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
    let told = eventually("the metrics tell of a later one", ROUNDS, || {
        let last = expirations(&operator)?;
        let is_later = first.iter().zip(&last).all(|(first, last)| first < last);
        ensure!(
            first.len() == 2 && last.len() == 2 && is_later,
            "{first:?} before, {last:?} now"
        );
        Ok(())
    });
    askers.finish(1000)?;
    renewed?;
    told?;
    for bundle in bundles {
        let trusted = authorities(&bundle).count();
        ensure!((1..=2).contains(&trusted), "{trusted} authorities at once");
    }
    Ok(())
}

/// What ends tomorrow, of a hundred days, was not renewed by whoever should.
#[test]
fn a_certificate_that_nobody_renews_is_told_before_it_expires() -> Result<()> {
    let world = World::start("certificate-expires")?;
    let folder = tempfile::tempdir()?;
    let tomorrow = OffsetDateTime::now_utc() + time::Duration::days(1);
    let authority = write_certificate(folder.path(), tomorrow)?;
    trust(&world, &authority)?;
    let folder = folder.path().to_string_lossy().into_owned();
    let options = ["--webhook-cert-dir", &folder];
    let kubeconfig = world.kubectl().kubeconfig();
    let operator = Operator::start_with(
        &world.own.environment,
        "certificate-expires",
        kubeconfig,
        &options,
    )?;
    let known = expirations(&operator)?;
    ensure!(known == [tomorrow.unix_timestamp()], "{known:?}");
    eventually("an event", Duration::from_secs(30), || {
        let events = world.kubectl().json(&[
            "get",
            "events.events.k8s.io",
            "--namespace=default",
            "--field-selector=reason=CertificateNotRenewed",
        ])?;
        let event = &events["items"][0];
        let kind = &event["regarding"]["kind"];
        let note = event["note"].as_str().unwrap_or_default();
        ensure!(
            kind == "ValidatingWebhookConfiguration" && note.contains("--webhook-cert-dir"),
            "{events}"
        );
        Ok(())
    })
}

/// Files as somebody leaves them who makes certificates by hand. It signs itself.
pub(crate) fn write_certificate(folder: &Path, not_after: OffsetDateTime) -> Result<String> {
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()])?;
    params.not_before = not_after - time::Duration::days(100);
    params.not_after = not_after;
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?.pem();
    fs::write(folder.join("tls.crt"), &certificate)?;
    fs::write(folder.join("tls.key"), key.serialize_pem())?;
    Ok(certificate)
}

/// What an administrator does who makes certificates by hand.
fn trust(world: &World, authority: &str) -> Result<()> {
    let bundle = STANDARD.encode(authority);
    for (kind, webhooks) in [
        ("mutatingwebhookconfiguration", 2),
        ("validatingwebhookconfiguration", 3),
    ] {
        let patch: Vec<Value> = (0..webhooks)
            .map(|index| {
                let path = format!("/webhooks/{index}/clientConfig/caBundle");
                serde_json::json!({ "op": "add", "path": path, "value": bundle })
            })
            .collect();
        let patch = Value::from(patch).to_string();
        let kubectl = world.kubectl();
        kubectl.run(&[
            "patch",
            kind,
            "mcp-operator",
            "--type=json",
            "--patch",
            &patch,
        ])?;
    }
    Ok(())
}

/// When the webhook's certificates end, as the operator says.
pub(crate) fn expirations(operator: &Operator) -> Result<Vec<i64>> {
    let text = operator.scrape()?;
    let name = "mcp_operator_certificate_expiration_timestamp_seconds{";
    let lines = text.lines().filter(|line| line.starts_with(name));
    let mut sorted: Vec<&str> = lines.collect();
    sorted.sort_unstable();
    let values = sorted
        .into_iter()
        .filter_map(|line| line.rsplit(' ').next());
    values.map(|value| Ok(value.parse()?)).collect()
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
