//! Users: some have MCPServers judged all the time, and one brings, changes and takes away MCPServers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;
use mcp_cluster::Kubectl;
use mcp_e2e::{OwnCluster, eventually};
use serde_json::{Value, json};

const NAMESPACE: &str = OwnCluster::NAMESPACE;
/// MCPServers that an asker has judged by one call of kubectl.
const AT_ONCE: usize = 20;
/// Between two calls, of an asker and of the one who changes things.
const PAUSE: Duration = Duration::from_millis(400);
/// MCPServers that there are at most.
const MOST: u64 = 16;
/// What a change that is refused by a machine in trouble may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// What is wanted: the value of each MCPServer's last change.
type Wanted = Arc<Mutex<BTreeMap<u64, u64>>>;

/// They go on until [`Users::settle`].
pub(crate) struct Users {
    kubectl: Kubectl,
    wanted: Wanted,
    done: Arc<AtomicBool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Users {
    /// Starts them, with so many who have MCPServers judged, when the webhook answers.
    pub(crate) fn start(kubectl: &Kubectl, askers: u64) -> Result<Self> {
        let judged = list((0..1).map(|asker| server(&format!("asked-{asker}"), 0)));
        eventually("the webhook answers", PATIENCE, || judge(kubectl, &judged))?;
        let users = Self {
            kubectl: kubectl.clone(),
            wanted: Wanted::default(),
            done: Arc::default(),
            threads: Mutex::default(),
        };
        let mut threads = vec![users.owner()];
        threads.extend((0..askers).map(|asker| users.asker(asker)));
        *users.threads.lock().unwrap_or_else(PoisonError::into_inner) = threads;
        Ok(users)
    }

    fn asker(&self, asker: u64) -> JoinHandle<()> {
        let servers = (0..AT_ONCE).map(|index| server(&format!("asked-{asker}-{index}"), 0));
        let (kubectl, done, servers) = (self.kubectl.clone(), self.done.clone(), list(servers));
        thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                // What fails is the referee's business.
                let _ = judge(&kubectl, &servers);
                thread::sleep(PAUSE);
            }
        })
    }

    /// One who brings a server, changes one, takes one away, in turn.
    fn owner(&self) -> JoinHandle<()> {
        let (kubectl, done, wanted) =
            (self.kubectl.clone(), self.done.clone(), self.wanted.clone());
        thread::spawn(move || {
            for turn in 1.. {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                let index = turn * 7 % (MOST + 4);
                let has = {
                    let mut wanted = wanted.lock().unwrap_or_else(PoisonError::into_inner);
                    // Every fifth change takes one away that there is; it comes back at its next turn.
                    let is_leaving = turn.is_multiple_of(5) && wanted.contains_key(&index);
                    if is_leaving {
                        wanted.remove(&index);
                    } else {
                        wanted.insert(index, turn);
                    }
                    wanted.get(&index).copied()
                };
                // What the cluster does not take now is wanted all the same, and asked for again at the end.
                let _ = match has {
                    Some(value) => apply(&kubectl, [(index, value)]),
                    None => delete(&kubectl, &[index]),
                };
                thread::sleep(PAUSE);
            }
        })
    }

    /// Applies everything again that is wanted, as after it was lost.
    pub(crate) fn apply_again(&self) -> Result<()> {
        let wanted = self
            .wanted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        apply(&self.kubectl, wanted)
    }

    /// Ends them: what is wanted is applied, what is not is deleted, and half of the servers get one more change. Gives the number
    /// of those that there are.
    pub(crate) fn settle(&self) -> Result<usize> {
        self.done.store(true, Ordering::Relaxed);
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("a user panicked"))?;
        }
        let mut wanted = self
            .wanted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for (index, value) in &mut wanted {
            *value += u64::from(index.is_multiple_of(2)) << 32;
        }
        let unwanted: Vec<u64> = (0..MOST + 4)
            .filter(|index| !wanted.contains_key(index))
            .collect();
        eventually("users have the last word", PATIENCE, || {
            delete(&self.kubectl, &unwanted)?;
            apply(&self.kubectl, wanted.clone())
        })?;
        Ok(wanted.len())
    }
}

fn judge(kubectl: &Kubectl, servers: &str) -> Result<()> {
    kubectl
        .pipe(&["create", "--dry-run=server", "--filename", "-"], servers)
        .map(drop)
}

fn apply(kubectl: &Kubectl, servers: impl IntoIterator<Item = (u64, u64)>) -> Result<()> {
    let servers = servers
        .into_iter()
        .map(|(index, value)| server(&format!("s-{index}"), value));
    kubectl.apply(&list(servers)).map(drop)
}

fn delete(kubectl: &Kubectl, servers: &[u64]) -> Result<()> {
    let names: Vec<String> = servers.iter().map(|index| format!("s-{index}")).collect();
    let mut arguments = vec![
        "delete",
        "mcpserver",
        "--namespace",
        NAMESPACE,
        "--ignore-not-found",
        "--wait=false",
    ];
    arguments.extend(names.iter().map(String::as_str));
    if names.is_empty() {
        return Ok(());
    }
    kubectl.run(&arguments).map(drop)
}

fn list(servers: impl Iterator<Item = Value>) -> String {
    let items: Vec<Value> = servers.collect();
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

fn server(name: &str, value: u64) -> Value {
    json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": {
            "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" }, "config": { "value": value }, "replicas": 1,
            "resources": { "requests": { "cpu": "1m", "memory": "1Mi" }, "limits": { "cpu": "500m", "memory": "64Mi" } },
            "litellm": { "description": format!("change {value}") },
        },
    })
}
