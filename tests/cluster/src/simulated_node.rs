//! A node without a machine: kwok says that its pods serve as soon as they are scheduled.

use std::path::Path;

use anyhow::Result;

use crate::components::Component;
use crate::kubectl::Kubectl;
use crate::servers::wait_for_node;
use crate::supervisor::{Program, Supervisor};
use crate::tools::Tools;

const NODE: &str = "fake-0";

/// It has room for every pod that a test can make.
const NODE_MANIFEST: &str = r#"apiVersion: v1
kind: Node
metadata:
  name: fake-0
  annotations: {kwok.x-k8s.io/node: fake}
  labels: {kubernetes.io/hostname: fake-0, kubernetes.io/os: linux, kubernetes.io/arch: amd64}
status:
  allocatable: {cpu: "1000", memory: 10Ti, ephemeral-storage: 10Ti, pods: "100000"}
  capacity: {cpu: "1000", memory: 10Ti, ephemeral-storage: 10Ti, pods: "100000"}
"#;

/// Adds it to a cluster: kwok serves at `port`, and gives pods addresses of `pods`.
pub(crate) fn join(
    supervisor: &mut Supervisor,
    kubectl: &Kubectl,
    control_plane: &Tools,
    port: u16,
    pods: &str,
) -> Result<()> {
    supervisor.start(kwok(control_plane, kubectl.kubeconfig(), port, pods))?;
    kubectl.apply(NODE_MANIFEST)?;
    wait_for_node(supervisor, kubectl, NODE, Component::Kwok)
}

fn kwok(control_plane: &Tools, kubeconfig: &Path, port: u16, pods: &str) -> Program {
    Program::new(Component::Kwok, control_plane.path("kwok"))
        .file("config", &control_plane.kwok_stages())
        .file("kubeconfig", kubeconfig)
        .arg("--manage-all-nodes=false")
        .arg("--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake")
        .arg("--node-lease-duration-seconds=40")
        // Its own default would lie within what many machines use themselves.
        .arg(format!("--cidr={pods}"))
        .arg(format!("--server-address=127.0.0.1:{port}"))
}
