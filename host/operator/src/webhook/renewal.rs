//! Keeps the webhook's certificate valid: follows what other replicas write, and takes the next step when it is time.

use std::time::Duration;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use mcp_operator_metrics::CertificateMetrics;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::ca_injection::Trusted;
use super::certificate_store::{CertificateStore, Stored};
use super::endpoint::Endpoint;
use super::rotation::{Certificates, Policy, Step};
use super::serving_cert::ServingCert;

/// How often it is looked after; more often where certificates are made for minutes.
const INTERVAL: Duration = Duration::from_secs(10);
/// Until all API servers know of a webhook configuration that one of them has stored; less where certificates are made for
/// minutes.
const PROPAGATION: Duration = Duration::from_mins(1);

/// The webhook's certificates, and what follows from them.
pub(crate) struct CertificateRenewal {
    store: CertificateStore,
    policy: Policy,
    stored: Stored,
    serving: ServingCert,
    /// What the API server has to trust, in PEM.
    ca_bundle: watch::Sender<String>,
}

impl CertificateRenewal {
    /// Takes the certificates that other replicas serve with, or makes some. Those for an address are this process' own.
    ///
    /// # Errors
    /// When the Secret can be neither read nor written, or is somebody else's.
    pub(crate) async fn obtain(
        client: &Client,
        endpoint: &Endpoint,
        lifetime: SignedDuration,
        metrics: CertificateMetrics,
    ) -> Result<Self> {
        let policy = Policy {
            names: endpoint.names(),
            lifetime,
        };
        let store = match endpoint {
            Endpoint::Service { namespace, .. } => CertificateStore::Shared {
                client: client.clone(),
                namespace: namespace.clone(),
            },
            Endpoint::Address(_) => CertificateStore::Own,
        };
        let make = || Certificates::new(&policy, Timestamp::now());
        let stored = store.obtain(make).await?;
        let (stored, certificates) = step(&store, &policy, stored, |_| false).await?;
        let serving = ServingCert::new(&certificates.serving, metrics)?;
        record_authority(&serving, &certificates);
        Ok(Self {
            serving,
            ca_bundle: watch::channel(certificates.trusted()).0,
            store,
            policy,
            stored,
        })
    }

    /// What the listener serves with.
    pub(crate) fn serving(&self) -> ServingCert {
        self.serving.clone()
    }

    /// What the API server has to trust, in PEM, whenever it changes.
    pub(crate) fn ca_bundle(&self) -> watch::Receiver<String> {
        self.ca_bundle.subscribe()
    }

    /// For as long as the process runs. `trusted` is what the API server is known to trust.
    pub(crate) async fn run(mut self, trusted: watch::Receiver<Option<Trusted>>) {
        loop {
            sleep(scaled(INTERVAL, self.policy.lifetime)).await;
            let trusted = trusted.borrow().clone();
            if let Err(error) = self.pass(trusted.as_ref()).await {
                let error = format!("{error:#}");
                warn!(error, "the webhook's certificate stays as it was");
            }
        }
    }

    async fn pass(&mut self, trusted: Option<&Trusted>) -> Result<()> {
        // If somebody has deleted the Secret, it comes back as it was.
        let last = self.stored.certificates.as_ref();
        let make = || {
            last.map_or_else(
                || Certificates::new(&self.policy, Timestamp::now()),
                |last| Ok(last.clone()),
            )
        };
        let stored = self.store.obtain(make).await?;
        let propagation = scaled(PROPAGATION, self.policy.lifetime);
        let is_trusted = |ca_bundle: &str| {
            trusted.is_some_and(|trusted| {
                trusted.ca_bundle == ca_bundle && trusted.since + propagation <= Instant::now()
            })
        };
        let (stored, certificates) = step(&self.store, &self.policy, stored, is_trusted).await?;
        if last.is_none_or(|last| last.serving != certificates.serving) {
            self.serving.replace(&certificates.serving)?;
            record_authority(&self.serving, &certificates);
        }
        self.ca_bundle.send_if_modified(|known| {
            let new = certificates.trusted();
            let changed = *known != new;
            *known = new;
            changed
        });
        self.stored = stored;
        Ok(())
    }
}

fn record_authority(serving: &ServingCert, certificates: &Certificates) {
    for authority in certificates.serving_authority() {
        serving.signed_by(&authority);
    }
}

/// A twelfth of a certificate's life at most.
fn scaled(time: Duration, lifetime: SignedDuration) -> Duration {
    let life = Duration::try_from(lifetime).unwrap_or_default();
    time.min(life / 12)
}

/// Takes the next step, if it is time for one, and gives what is there then. `is_trusted`: whether the API server is known to
/// trust these authorities.
async fn step(
    store: &CertificateStore,
    policy: &Policy,
    stored: Stored,
    is_trusted: impl Fn(&str) -> bool,
) -> Result<(Stored, Certificates)> {
    let now = Timestamp::now();
    let step = match &stored.certificates {
        Some(certificates) => {
            let is_trusted = is_trusted(&certificates.trusted());
            match certificates.step(policy, is_trusted, now)? {
                None => return Ok((stored.clone(), certificates.clone())),
                Some(step) => step,
            }
        }
        None => Step {
            certificates: Certificates::new(policy, now)?,
            why: "the Secret has no certificate of the webhook".into(),
        },
    };
    info!(why = step.why, "renewing the webhook's certificate");
    let stored = store.replace(&stored, step.certificates.clone()).await?;
    // Another replica may have been first.
    let certificates = stored.certificates.clone().unwrap_or(step.certificates);
    Ok((stored, certificates))
}

#[cfg(test)]
#[path = "renewal_tests.rs"]
mod tests;
