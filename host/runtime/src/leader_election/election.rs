//! Keeps the lease, or waits for it.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use mcp_operator_core::lease::{Claim, LeaderElection, LeaseRecord, LeaseStep, LeaseTiming};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::leadership::{Leadership, uptime};
use crate::error::{ApiError, request};
use crate::watch::events;

/// Name of the `Lease`, in the operator's namespace.
pub const NAME: &str = "mcp-operator-leader";

/// Which lease, and who asks for it.
#[derive(Clone, Debug)]
pub struct ElectionSettings {
    /// The operator's own.
    pub namespace: String,
    /// Name of the pod.
    pub replica: String,
    /// How long the others wait for a leader that says nothing.
    pub duration: Duration,
}

/// One replica's part in the election.
pub struct Election {
    api: Api<Lease>,
    settings: ElectionSettings,
    /// This process, and no other, also not the one before in the same pod.
    identity: String,
    state: LeaderElection,
    /// As it was seen last, to be changed and written.
    stored: Option<Lease>,
    leadership: Leadership,
}

impl Election {
    /// Nothing happens before [`Election::run`].
    pub fn new(client: Client, settings: ElectionSettings) -> Self {
        let timing = LeaseTiming {
            duration: settings.duration,
        };
        let random = RandomState::new().hash_one(&settings.replica);
        let identity = format!("{}_{random:016x}", settings.replica);
        Self {
            api: Api::namespaced(client, &settings.namespace),
            state: LeaderElection::new(identity.clone(), timing),
            identity,
            settings,
            stored: None,
            leadership: Leadership::none(),
        }
    }

    /// Whether this replica is the leader.
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Takes part until `finished`: from then on nothing is written any more, and the lease is given back.
    pub async fn run(mut self, finished: CancellationToken) {
        let one = watcher::Config::default().fields(&format!("metadata.name={NAME}"));
        let mut events = Box::pin(events("Lease", self.api.clone(), one, |_| {}));
        let mut listed = None;
        loop {
            let pause = self.pause();
            tokio::select! {
                () = finished.cancelled() => break,
                Some(event) = events.next() => match event {
                    Event::Init => listed = None,
                    Event::InitApply(lease) => listed = Some(lease),
                    Event::InitDone => self.observe(listed.take()),
                    Event::Apply(lease) => self.observe(Some(lease)),
                    Event::Delete(_) => self.observe(None),
                },
                () = sleep(pause) => self.step().await,
            }
            self.publish();
        }
        self.leadership.set(None);
        self.release().await;
    }

    /// Until the next step, or until what is held is over.
    fn pause(&self) -> Duration {
        let now = uptime();
        let due = match self.state.next(now) {
            LeaseStep::Write(_) => now,
            LeaseStep::WaitUntil(due) => due,
        };
        let over = self.state.held_until().unwrap_or(due);
        due.min(over).saturating_sub(now)
    }

    async fn step(&mut self) {
        self.state.expire(uptime());
        self.publish();
        let LeaseStep::Write(claim) = self.state.next(uptime()) else {
            return;
        };
        let sent = uptime();
        match self.write(&claim).await {
            Ok(lease) => {
                if let Some(record) = record(&lease) {
                    self.state.written(record, sent);
                }
                self.stored = Some(lease);
            }
            Err(error) => {
                self.state.failed(uptime());
                if self.state.held_until().is_some() || !error.is_conflict() {
                    warn!(%error, "the lease was not renewed");
                }
                // Another replica may have it now, or what was asked was done although nobody said so.
                if let Ok(found) = self.limited(self.api.get_opt(NAME), "get").await {
                    self.observe_by(LeaderElection::observe_answer, found);
                }
            }
        }
    }

    async fn write(&self, claim: &Claim) -> Result<Lease, ApiError> {
        let now = MicroTime(Timestamp::now());
        let stored = self.stored.clone().unwrap_or_default();
        let before = stored.spec.unwrap_or_default();
        let acquired = before.acquire_time.filter(|_| !claim.is_new);
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(NAME.into()),
                namespace: Some(self.settings.namespace.clone()),
                managed_fields: None,
                ..stored.metadata
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: i32::try_from(self.settings.duration.as_secs()).ok(),
                acquire_time: Some(acquired.unwrap_or_else(|| now.clone())),
                renew_time: Some(now),
                lease_transitions: Some(claim.transitions),
                ..before
            }),
        };
        self.put(lease, claim.replaces).await
    }

    async fn put(&self, mut lease: Lease, replaces: Option<u64>) -> Result<Lease, ApiError> {
        let params = PostParams::default();
        if let Some(version) = replaces {
            lease.metadata.resource_version = Some(version.to_string());
            self.limited(self.api.replace(NAME, &params, &lease), "replace")
                .await
        } else {
            lease.metadata = ObjectMeta {
                name: lease.metadata.name,
                namespace: lease.metadata.namespace,
                ..ObjectMeta::default()
            };
            self.limited(self.api.create(&params, &lease), "create")
                .await
        }
    }

    /// One that takes too long must not take the time for the next try.
    async fn limited<T>(
        &self,
        call: impl Future<Output = kube::Result<T>>,
        verb: &str,
    ) -> Result<T, ApiError> {
        let action = || format!("{verb} Lease {}/{NAME}", self.settings.namespace);
        let limit = self.settings.duration / 5;
        timeout(limit, request(action, call))
            .await
            .unwrap_or_else(|_| {
                Err(ApiError::Timeout {
                    action: action(),
                    seconds: limit.as_secs(),
                })
            })
    }

    fn observe(&mut self, found: Option<Lease>) {
        self.observe_by(LeaderElection::observe, found);
    }

    fn observe_by(
        &mut self,
        observe: fn(&mut LeaderElection, Option<LeaseRecord>, Duration),
        found: Option<Lease>,
    ) {
        let seen = found.as_ref().and_then(record);
        if found.is_some() && seen.is_none() {
            return;
        }
        observe(&mut self.state, seen, uptime());
        self.stored = found;
    }

    fn publish(&self) {
        if self.leadership.set(self.state.held_until()) {
            let leader = self.state.holder();
            if self.state.held_until().is_some() {
                info!(leader, "leading");
            } else {
                warn!(leader, "no longer leading");
            }
        }
    }

    /// So that the next one need not wait.
    async fn release(&self) {
        let Some(held) = self.state.to_release() else {
            return;
        };
        let mut lease = self.stored.clone().unwrap_or_default();
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = None;
            spec.renew_time = Some(MicroTime(Timestamp::now()));
        }
        match self.put(lease, Some(held.version)).await {
            Ok(_) => info!("the lease is released"),
            Err(error) => warn!(%error, "the lease is not released: the next leader waits for it"),
        }
    }
}

/// Nothing if its version is none.
fn record(lease: &Lease) -> Option<LeaseRecord> {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.unwrap_or_default();
    Some(LeaseRecord {
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        duration: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
        transitions: spec.lease_transitions.unwrap_or_default(),
        version: lease.metadata.resource_version.as_ref()?.parse().ok()?,
    })
}

#[cfg(test)]
#[path = "election_tests.rs"]
mod tests;
