//! Configuration of the programs that make a node.

use std::path::Path;

use anyhow::Result;

use crate::cache::write;
use crate::template::fill;

/// The image of every pod's sandbox.
pub(crate) const PAUSE_IMAGE: &str = "docker.io/local/pause:1";

const CNI: &str = r#"{
  "cniVersion": "1.0.0", "name": "pods",
  "plugins": [
    {
      "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
      "ipam": {
        "type": "host-local", "dataDir": "${STATE}/ipam",
        "ranges": [[{ "subnet": "10.244.0.0/24" }]], "routes": [{ "dst": "0.0.0.0/0" }]
      }
    },
    { "type": "portmap", "capabilities": { "portMappings": true } }
  ]
}
"#;

// `restrict_oom_score_adj`: without CAP_SYS_RESOURCE a sandbox's score cannot be lowered, and runc would die of it.
const CONTAINERD: &str = r#"version = 3
root = "${STATE}/ctr/root"
state = "${STATE}/ctr/state"
[grpc]
  address = "${STATE}/ctr/containerd.sock"
[ttrpc]
  address = "${STATE}/ctr/containerd.sock.ttrpc"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "${PAUSE}"
[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = "${STATE}/registries"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["${CNI_FOLDER}"]
  conf_dir = "${STATE}/cni"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  runtime_path = "${SHIM}"
"#;

const KUBELET: &str = r"apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: ${STATE}/ca.crt}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix://${STATE}/ctr/containerd.sock
clusterDNS: [${ADDRESS}]
clusterDomain: cluster.local
enforceNodeAllocatable: []
resolvConf: ${STATE}/resolv.conf
podLogsDir: ${STATE}/kubelet/logs
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi}
# Quick to see that a ConfigMap changed: pods of a test wait for nothing else.
syncFrequency: 10s
";

const COREFILE: &str = ".:53 {
  bind ${ADDRESS}
  errors
  kubernetes cluster.local {
    kubeconfig ${STATE}/kubeconfig mcp-operator
  }
  cache 5
}
";

const RESOLV: &str = "nameserver ${ADDRESS}
search default.svc.cluster.local svc.cluster.local cluster.local
options ndots:5
";

/// Writes all files below `state`.
pub(crate) fn write_all(state: &Path, address: &str, shim: &Path, cni_folder: &Path) -> Result<()> {
    let (state_text, shim, cni) = (
        state.to_string_lossy(),
        shim.to_string_lossy(),
        cni_folder.to_string_lossy(),
    );
    let values = [
        ("STATE", &*state_text),
        ("ADDRESS", address),
        ("SHIM", &*shim),
        ("CNI_FOLDER", &*cni),
        ("PAUSE", PAUSE_IMAGE),
    ];
    for (file, template) in [
        ("cni/10-pods.conflist", CNI),
        ("containerd.toml", CONTAINERD),
        ("kubelet.yaml", KUBELET),
        ("Corefile", COREFILE),
        ("resolv.conf", RESOLV),
    ] {
        write(&state.join(file), fill(file, template, &values)?)?;
    }
    Ok(())
}
