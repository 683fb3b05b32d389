//! Faults of the API server, of its store, and of the way to it.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mcp_chaos::{Fault, Kind};
use mcp_cluster::{Component, ControlPlane, Kubectl};
use mcp_e2e::{OPERATOR_USER, OwnCluster, Proxy, eventually};
use serde_json::{Value, json};

use crate::users::PATIENCE;
use crate::world::OPERATOR;

/// Between two cuts of all connections.
const CUT: Duration = Duration::from_millis(400);

pub(crate) struct ApiServerFaults<'a> {
    servers: &'a mut ControlPlane,
    kubectl: Kubectl,
    /// Those of the replicas.
    ways: &'a [Arc<Proxy>],
}

impl<'a> ApiServerFaults<'a> {
    pub(crate) fn new(servers: &'a mut ControlPlane, ways: &'a [Arc<Proxy>]) -> Self {
        Self {
            kubectl: servers.kubectl().clone(),
            servers,
            ways,
        }
    }

    pub(crate) fn suffer(&mut self, fault: &Fault) -> Result<()> {
        let lasts = Duration::from_millis(fault.lasts);
        match fault.kind {
            Kind::ApiServerRestart => {
                self.servers.restart(Component::ApiServer)?;
                self.wake_pods()
            }
            Kind::EtcdStall => {
                self.servers.pause(Component::Etcd)?;
                sleep(lasts);
                self.servers.resume(Component::Etcd)?;
                self.wake_pods()
            }
            Kind::TooManyRequests => self.while_there(&too_many_requests(), lasts),
            Kind::InternalErrors => self.while_there(&[internal_errors()], lasts),
            Kind::WatchCuts => {
                let began = Instant::now();
                while began.elapsed() < lasts {
                    for way in self.ways {
                        way.cut();
                    }
                    sleep(CUT);
                }
                Ok(())
            }
            other => bail!("{other:?} is none of the API server's"),
        }
    }

    fn while_there(&self, objects: &[Value], lasts: Duration) -> Result<()> {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
        eventually("the fault comes", PATIENCE, || self.kubectl.apply(&list))?;
        sleep(lasts);
        let delete = ["delete", "--ignore-not-found", "--filename", "-"];
        eventually("the fault goes", PATIENCE, || {
            self.kubectl.pipe(&delete, &list)
        })
        .map(drop)
    }

    /// The simulated kubelet forgets a pod whose status it could not write, until the pod changes.
    fn wake_pods(&self) -> Result<()> {
        let time = jiff::Timestamp::now().as_millisecond();
        let annotate = [
            "annotate",
            "pods",
            "--all",
            "--overwrite",
            "--namespace",
            OwnCluster::NAMESPACE,
            &format!("look-again={time}"),
        ];
        eventually("pods are looked at again", PATIENCE, || {
            self.kubectl.run(&annotate)
        })
        .map(drop)
    }
}

/// The API server's own flow control has no place for the operator.
fn too_many_requests() -> [Value; 2] {
    const API: &str = "flowcontrol.apiserver.k8s.io/v1";
    [
        json!({
            "apiVersion": API, "kind": "FlowSchema", "metadata": { "name": "storm" },
            "spec": {
                "priorityLevelConfiguration": { "name": "storm" }, "matchingPrecedence": 5,
                "rules": [{
                    "subjects": [{
                        "kind": "ServiceAccount",
                        "serviceAccount": { "namespace": OPERATOR, "name": "mcp-operator-controller-manager" },
                    }],
                    "resourceRules": [{
                        "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": true,
                    }],
                }],
            },
        }),
        json!({
            "apiVersion": API, "kind": "PriorityLevelConfiguration", "metadata": { "name": "storm" },
            "spec": {
                "type": "Limited",
                "limited": {
                    "nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0,
                    "limitResponse": { "type": "Reject" },
                },
            },
        }),
    ]
}

/// Somebody else's webhook, which nobody serves, for what the operator writes.
fn internal_errors() -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": "storm" },
        "webhooks": [{
            "name": "storm.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "timeoutSeconds": 5,
            "clientConfig": { "url": "https://127.0.0.1:1/" },
            "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": OwnCluster::NAMESPACE } },
            "matchConditions": [{ "name": "operator", "expression": format!("request.userInfo.username == '{OPERATOR_USER}'") }],
            "rules": [{
                "apiGroups": ["", "apps", "policy", "networking.k8s.io"], "apiVersions": ["*"], "resources": ["*"],
                "operations": ["CREATE", "UPDATE", "DELETE"],
            }],
        }],
    })
}
