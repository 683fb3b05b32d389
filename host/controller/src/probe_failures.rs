//! Why probes fail: only the kubelet's events say it. They are asked for, and not watched: there are more of them than of
//! anything else in a cluster. Who waits for what is asked for is a server whose rollout is not complete.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::names::labels;
use mcp_operator_core::outcome::ReconcileOutcome;
use mcp_operator_core::pods::Pod;
use mcp_operator_core::probe_failures::{ProbeFailure, REASON};
use mcp_operator_core::rollout::Rollout;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::{ApiError, request};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::warn;

/// How long a rollout may take before somebody wants to know why.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long an answer is good for.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// The most pods of a server, and events of a pod, that are read.
const MOST: u32 = 50;
/// How many servers are looked at at once. The others are told later: nothing depends on it.
const AT_ONCE: usize = 2;

/// Why probes of servers fail, as far as it was asked for.
pub(crate) struct ProbeFailures {
    client: Client,
    looks: Mutex<HashMap<ServerKey, Look>>,
    permits: Semaphore,
}

struct Look {
    next: Instant,
    found: Option<ProbeFailure>,
    refusal: Option<String>,
}

impl ProbeFailures {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            looks: Mutex::default(),
            permits: Semaphore::new(AT_ONCE),
        }
    }

    /// Adds to what was observed of a server why its probes fail, if its rollout has not been complete for a while.
    pub(crate) async fn explain(&self, server: &ServerKey, outcome: &mut ReconcileOutcome) {
        let rollout = outcome.rollout.as_ref();
        if rollout.is_none_or(Rollout::complete) {
            self.forget(server);
            return;
        }
        if self.is_due(server)
            && let Ok(_permit) = self.permits.try_acquire()
        {
            let found = self.look(server).await;
            if let Err(error) = &found {
                warn!(%server, %error, "why a probe fails is not known");
            }
            let (found, refusal) = match found {
                Ok(found) => (found, None),
                Err(error) => (None, Some(error.to_string())),
            };
            let next = Instant::now() + LOOK_AGAIN;
            let look = Look {
                next,
                found,
                refusal,
            };
            self.lock().insert(server.clone(), look);
        }
        if let Some(look) = self.lock().get(server) {
            outcome.probe_failure.clone_from(&look.found);
            let why = look.refusal.iter();
            outcome
                .notes
                .extend(why.map(|why| format!("why a probe fails is not told: {why}")));
        }
    }

    /// Forgets a server that is gone, or serves.
    pub(crate) fn forget(&self, server: &ServerKey) {
        self.lock().remove(server);
    }

    fn is_due(&self, server: &ServerKey) -> bool {
        let now = Instant::now();
        let mut looks = self.lock();
        let look = looks.entry(server.clone()).or_insert_with(|| Look {
            next: now + PATIENCE,
            found: None,
            refusal: None,
        });
        look.next <= now
    }

    async fn look(&self, server: &ServerKey) -> Result<Option<ProbeFailure>, ApiError> {
        let ServerKey { namespace, name } = server;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let ours = ListParams::default()
            .labels(&format!("{}={name}", labels::SERVER))
            .limit(MOST);
        let pods = request(|| format!("list pods of {server}"), pods.list(&ours)).await?;
        let Some(pod) = pods.items.iter().find(|pod| pod.runs_unready()) else {
            return Ok(None);
        };
        let pod = pod.name_any();
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let of_probes = ListParams::default()
            .fields(&format!("reason={REASON},regarding.name={pod}"))
            .limit(MOST);
        let events = events.list(&of_probes);
        let events = request(|| format!("list events of Pod {namespace}/{pod}"), events).await?;
        Ok(ProbeFailure::last(&events.items))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerKey, Look>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
