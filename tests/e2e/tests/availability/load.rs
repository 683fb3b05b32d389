//! MCPServers that are judged and not stored, so many each second, over connections that are kept.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use kube::api::{DynamicObject, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config};
use mcp_cluster::Kubectl;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use crate::report::Report;

/// Whose servers are judged.
const NAMESPACES: [&str; 2] = ["blue", "green"];
/// Requests that are on their way at once: a machine that cannot do so many each second does as many as it can.
const MOST: usize = 64;

/// What happens to the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    AtRest,
    Upgraded,
    Restarted,
    Drained,
    /// By SIGKILL: what was on its way to that replica, and what is sent to it until the cluster knows, nobody can answer.
    Killed,
    RolledBack,
}

impl Phase {
    pub(crate) const ALL: [Self; 6] = [
        Self::AtRest,
        Self::Upgraded,
        Self::Restarted,
        Self::Drained,
        Self::Killed,
        Self::RolledBack,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::AtRest => "at rest",
            Self::Upgraded => "upgrade",
            Self::Restarted => "rolling restart",
            Self::Drained => "drain of the node",
            Self::Killed => "kill -9",
            Self::RolledBack => "rollback",
        }
    }
}

/// One request.
pub(crate) struct Sample {
    pub(crate) phase: Phase,
    /// Since the first one.
    pub(crate) began: Duration,
    pub(crate) took: Duration,
    pub(crate) failure: Option<String>,
}

/// Somebody who asks all the time.
pub(crate) struct Load {
    done: Arc<AtomicBool>,
    phase: Arc<AtomicU8>,
    thread: JoinHandle<Result<Vec<Sample>>>,
    began: Instant,
    phases: Mutex<Vec<(Phase, Duration)>>,
}

impl Load {
    pub(crate) fn start(kubectl: &Kubectl, rate: u32) -> Result<Self> {
        for namespace in NAMESPACES {
            kubectl.run(&["create", "namespace", namespace])?;
        }
        let kubeconfig = Kubeconfig::read_from(kubectl.kubeconfig())?;
        let (done, phase) = (Arc::<AtomicBool>::default(), Arc::<AtomicU8>::default());
        let began = Instant::now();
        let asker = Asker {
            done: done.clone(),
            phase: phase.clone(),
            began,
        };
        let thread = thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(asker.ask(kubeconfig, rate))
        });
        Ok(Self {
            done,
            phase,
            thread,
            began,
            phases: Mutex::default(),
        })
    }

    /// From now on this happens.
    pub(crate) fn begins(&self, phase: Phase) {
        println!("{:>6} s  {}", self.began.elapsed().as_secs(), phase.title());
        let index = Phase::ALL.iter().position(|known| *known == phase);
        let index = index.and_then(|index| u8::try_from(index).ok());
        self.phase
            .store(index.unwrap_or_default(), Ordering::Relaxed);
        let mut phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        phases.push((phase, self.began.elapsed()));
    }

    pub(crate) fn finish(self) -> Result<Report> {
        self.done.store(true, Ordering::Relaxed);
        let samples = self
            .thread
            .join()
            .map_err(|_| anyhow!("who asks panicked"))??;
        let ended = self.began.elapsed();
        let phases = self
            .phases
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        ensure!(!samples.is_empty(), "nothing was asked");
        Ok(Report {
            samples,
            phases,
            ended,
        })
    }
}

/// What runs in the thread.
struct Asker {
    done: Arc<AtomicBool>,
    phase: Arc<AtomicU8>,
    began: Instant,
}

impl Asker {
    async fn ask(self, kubeconfig: Kubeconfig, rate: u32) -> Result<Vec<Sample>> {
        let config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let client = Client::try_from(config)?;
        let mut ticks = interval(Duration::from_secs(1) / rate.max(1));
        // What was late is made up for.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut requests = tokio::task::JoinSet::new();
        let mut samples = Vec::new();
        let mut number = 0_usize;
        while !self.done.load(Ordering::Relaxed) {
            ticks.tick().await;
            while requests.len() >= MOST {
                samples.extend(requests.join_next().await.transpose()?);
            }
            while let Some(sample) = requests.try_join_next() {
                samples.push(sample?);
            }
            let phase = usize::from(self.phase.load(Ordering::Relaxed));
            let phase = Phase::ALL.get(phase).copied().unwrap_or(Phase::AtRest);
            requests.spawn(judge(client.clone(), number, phase, self.began));
            number += 1;
        }
        samples.extend(requests.join_all().await);
        samples.sort_by_key(|sample| sample.began);
        Ok(samples)
    }
}

/// Has one server judged.
async fn judge(client: Client, number: usize, phase: Phase, epoch: Instant) -> Sample {
    let namespace = NAMESPACES[number % NAMESPACES.len()];
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(
        "mcp.litellm.ai",
        "v1alpha1",
        "MCPServer",
    ));
    let servers = Api::<DynamicObject>::namespaced_with(client, namespace, &kind);
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let server: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": format!("asked-{}", number % 50), "namespace": namespace },
        "spec": {
            "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" },
            "resources": { "limits": { "cpu": "100m", "memory": "64Mi" } },
        },
    }))
    .unwrap();
    let began = Instant::now();
    let answer = servers.create(&params, &server).await;
    Sample {
        phase,
        began: began - epoch,
        took: began.elapsed(),
        failure: answer.err().map(|error| match error {
            kube::Error::Api(status) => status.message,
            other => format!("{other:#}"),
        }),
    }
}
