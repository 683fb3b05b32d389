//! Keeps the webhook's certificate valid: follows what other replicas write, and takes the next step when it is time.

use std::time::Duration;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use mcp_operator_metrics::CertificateMetrics;
use mcp_operator_runtime::{Leadership, Term, api_server_time};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::ca_injection::{Trusted, ended};
use super::certificate_store::{CertificateStore, Stored};
use super::endpoint::Endpoint;
use super::rotation::{Certificates, INTERVAL, PROPAGATION, Policy, Step};
use super::serving_cert::ServingCert;

/// The webhook's certificates, and what follows from them.
pub(crate) struct CertificateRenewal {
    client: Client,
    /// How much the API server's clock is ahead of this process', as it was last asked. It is who judges certificates: a node
    /// whose clock is wrong would find those of all others expired, and make some that nobody accepts yet.
    ahead: SignedDuration,
    store: CertificateStore,
    policy: Policy,
    stored: Stored,
    serving: ServingCert,
    looked: Instant,
    authorities: watch::Sender<Authorities>,
}

/// What the API server has to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authorities {
    /// Certificates of authorities, in PEM.
    pub(super) ca_bundle: String,
    /// The term of leading, or of not leading, in which they were read: whoever begins to lead may have read them before
    /// another replica made its last step.
    pub(super) read_in: Term,
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
        let ahead = clock_ahead(client).await?;
        let now = Timestamp::now() + ahead;
        let stored = store.obtain(|| Certificates::new(&policy, now)).await?;
        let (stored, certificates) = step(&store, &policy, stored, now, |_| false).await?;
        let serving = ServingCert::new(&certificates.serving, metrics)?;
        record_authority(&serving, &certificates);
        Ok(Self {
            client: client.clone(),
            ahead,
            serving,
            authorities: watch::Sender::new(Authorities {
                ca_bundle: certificates.trusted(),
                read_in: Term::default(),
            }),
            looked: Instant::now(),
            store,
            policy,
            stored,
        })
    }

    /// What the listener serves with.
    pub(crate) fn serving(&self) -> ServingCert {
        self.serving.clone()
    }

    /// What the API server has to trust, whenever it changes.
    pub(crate) fn authorities(&self) -> watch::Receiver<Authorities> {
        self.authorities.subscribe()
    }

    /// For as long as the process runs. `trusted` is what the API server is known to trust.
    pub(crate) async fn run(
        mut self,
        leadership: Leadership,
        mut trusted: watch::Receiver<Option<Trusted>>,
    ) {
        let mut leading = leadership.changes();
        leading.mark_changed();
        loop {
            let due = self.due(trusted.borrow_and_update().as_ref());
            tokio::select! {
                () = sleep_until(due) => {}
                // Its sender is in `leadership`.
                _ = leading.changed() => {}
                changed = trusted.changed() => {
                    ended(changed).await;
                    continue;
                }
            }
            let term = *leading.borrow_and_update();
            let trusted = trusted.borrow().clone();
            if let Err(error) = self.pass(term, trusted.as_ref()).await {
                let error = format!("{error:#}");
                warn!(error, "the webhook's certificate stays as it was");
            }
        }
    }

    /// When it is to be looked after: from time to time, and as soon as the next certificate may be served.
    fn due(&self, trusted: Option<&Trusted>) -> Instant {
        let regularly = self.looked + self.bounded(INTERVAL);
        let is_published = |it: &Certificates| it.next.is_some();
        let served = trusted
            .filter(|_| self.stored.certificates.as_ref().is_some_and(is_published))
            .filter(|trusted| trusted.ca_bundle == self.authorities.borrow().ca_bundle)
            .map(|trusted| trusted.since + self.bounded(PROPAGATION))
            // One that could not be written is tried again at its time.
            .filter(|served| *served > self.looked);
        served.map_or(regularly, |served| served.min(regularly))
    }

    /// So much of this time as the certificates leave.
    fn bounded(&self, time: Duration) -> Duration {
        let certificates = self.stored.certificates.as_ref();
        certificates.map_or(time, |certificates| {
            certificates.bounded(time, &self.policy, self.now())
        })
    }

    fn now(&self) -> Timestamp {
        Timestamp::now() + self.ahead
    }

    async fn pass(&mut self, term: Term, trusted: Option<&Trusted>) -> Result<()> {
        self.looked = Instant::now();
        self.ahead = clock_ahead(&self.client).await?;
        let now = self.now();
        // If somebody has deleted the Secret, it comes back as it was.
        let last = self.stored.certificates.as_ref();
        let make = || {
            last.map_or_else(
                || Certificates::new(&self.policy, now),
                |last| Ok(last.clone()),
            )
        };
        let stored = self.store.obtain(make).await?;
        let propagation = self.bounded(PROPAGATION);
        let is_trusted = |ca_bundle: &str| {
            trusted.is_some_and(|trusted| {
                trusted.ca_bundle == ca_bundle && trusted.since + propagation <= Instant::now()
            })
        };
        let (stored, certificates) =
            step(&self.store, &self.policy, stored, now, is_trusted).await?;
        if last.is_none_or(|last| last.serving != certificates.serving) {
            self.serving.replace(&certificates.serving)?;
            record_authority(&self.serving, &certificates);
        }
        let authorities = Authorities {
            ca_bundle: certificates.trusted(),
            read_in: term,
        };
        self.authorities.send_if_modified(|known| {
            let before = std::mem::replace(known, authorities);
            before != *known
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

/// How much the API server's clock is ahead of this process'. One that does not say is taken to be right.
async fn clock_ahead(client: &Client) -> Result<SignedDuration> {
    let time = api_server_time(client).await?;
    let ahead = |time: Timestamp| time.duration_since(Timestamp::now());
    Ok(time.map_or(SignedDuration::ZERO, ahead))
}

/// Takes the next step, if it is time for one, and gives what is there then. `is_trusted`: whether the API server is known to
/// trust these authorities.
async fn step(
    store: &CertificateStore,
    policy: &Policy,
    stored: Stored,
    now: Timestamp,
    is_trusted: impl Fn(&str) -> bool,
) -> Result<(Stored, Certificates)> {
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
