//! The operator's replicas on the node, and what happens to them.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use mcp_cluster::{Kubectl, capture};
use mcp_e2e::eventually;
use serde_json::Value;

const IN_HOME: &str = "--namespace=mcp-operator-system";
const OPERATOR: &str = "deployment/mcp-operator-controller-manager";
const SELECTOR: &str = "app.kubernetes.io/name=mcp-operator,control-plane=controller-manager";
const PATIENCE: Duration = Duration::from_mins(3);

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replica {
    Leader,
    Follower,
}

pub(crate) struct Replicas {
    kubectl: Kubectl,
}

impl Replicas {
    pub(crate) fn of(kubectl: &Kubectl) -> Self {
        Self {
            kubectl: kubectl.clone(),
        }
    }

    /// Two of them serve, no other one is there, and all plugins are in force.
    pub(crate) fn are_up(&self) -> Result<()> {
        self.kubectl
            .run(&["rollout", "status", OPERATOR, IN_HOME, "--timeout=180s"])?;
        eventually(
            "two replicas serve, and no other is there",
            PATIENCE,
            || {
                let pods = self.pods()?;
                ensure!(pods.len() == 2, "{} pods", pods.len());
                let is_ready = |pod: &Value| {
                    let statuses = pod["status"]["containerStatuses"].as_array();
                    statuses.is_some_and(|them| them.iter().all(|status| status["ready"] == true))
                };
                ensure!(pods.iter().all(is_ready), "not all are ready");
                Ok(())
            },
        )?;
        self.kubectl
            .run(&[
                "wait",
                "--for=condition=Ready",
                "mcpplugins",
                "--all",
                "--timeout=120s",
            ])
            .map(drop)
    }

    pub(crate) fn restart(&self) -> Result<()> {
        self.kubectl
            .run(&["rollout", "restart", OPERATOR, IN_HOME])
            .map(drop)
    }

    /// The node is drained of the operator's pods as for its maintenance: the first one is evicted, and the budget keeps the
    /// other until the node, the only one there is, takes pods again.
    pub(crate) fn drain(&self) -> Result<()> {
        let node = self.kubectl.run(&["get", "nodes", "--output=name"])?;
        let node = node.trim().trim_start_matches("node/").to_owned();
        let (kubectl, drained) = (self.kubectl.clone(), node.clone());
        let draining = thread::spawn(move || {
            let selector = format!("--pod-selector={SELECTOR}");
            let drain = [
                "drain",
                &drained,
                &selector,
                "--delete-emptydir-data",
                "--timeout=180s",
            ];
            kubectl.run(&drain)
        });
        let pending = eventually("a pod finds no node", PATIENCE, || {
            let waits = |pod: &Value| pod["status"]["phase"] == "Pending";
            ensure!(self.pods()?.iter().any(waits), "no pod is pending");
            Ok(())
        });
        self.kubectl.run(&["uncordon", &node])?;
        pending?;
        let drained = draining.join().map_err(|_| anyhow!("the drain panicked"))?;
        drained.map(drop)
    }

    /// SIGKILL for the process of a replica, which its node starts again.
    pub(crate) fn kill(&self, replica: Replica) -> Result<()> {
        let leader = self.leader()?;
        let pods = self.pods()?;
        let is_asked_for =
            |pod: &&Value| (pod["metadata"]["name"] == leader) == (replica == Replica::Leader);
        let pod = pods.iter().find(is_asked_for).context("no such replica")?;
        let status = &pod["status"]["containerStatuses"][0];
        let container = status["containerID"]
            .as_str()
            .and_then(|id| id.split_once("://"))
            .map(|(_, id)| id.to_owned())
            .context("the pod has no container")?;
        capture(Command::new("kill").args(["-KILL", &process_of(&container)?]))?;
        eventually("its container is started again", PATIENCE, || {
            let pods = self.pods()?;
            let same = |other: &&Value| other["metadata"]["uid"] == pod["metadata"]["uid"];
            let now = pods.iter().find(same).context("the pod is gone")?;
            let now = &now["status"]["containerStatuses"][0];
            ensure!(now["restartCount"] != status["restartCount"], "{now}");
            Ok(())
        })
    }

    fn leader(&self) -> Result<String> {
        let lease = self
            .kubectl
            .json(&["get", "lease", "mcp-operator-leader", IN_HOME])?;
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        let (pod, _) = holder.split_once('_').context("nobody leads")?;
        Ok(pod.to_owned())
    }

    fn pods(&self) -> Result<Vec<Value>> {
        let pods = ["get", "pods", IN_HOME, "--selector", SELECTOR];
        let pods = self.kubectl.json(&pods)?;
        Ok(pods["items"].as_array().cloned().unwrap_or_default())
    }
}

/// The operator in a container, by its control group.
fn process_of(container: &str) -> Result<String> {
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let read = |file: &str| fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        // The compiler of plugins is a child in the same group.
        if read("cgroup").contains(container) && read("cmdline").contains("--leader-elect") {
            return Ok(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Err(anyhow!("no process is in the container {container}"))
}
