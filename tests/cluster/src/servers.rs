//! etcd, the API server, its controllers and the scheduler: how they are started, alike on loopback and on a node.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::cache::{make_folder, write};
use crate::components::Component;
use crate::kubectl::Kubectl;
use crate::pki;
use crate::supervisor::{Program, Supervisor};
use crate::tools::Tools;

/// The addresses of Services.
pub(crate) const SERVICE_RANGE: &str = "10.96.0.0/16";
/// The first of them: the API server, as pods see it.
pub(crate) const SERVICE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
/// The addresses of pods.
pub(crate) const POD_RANGE: &str = "10.244.0.0/16";

/// How long a server may take: long, because a busy machine is no error, and a server that ends is seen at once.
const START: Duration = Duration::from_mins(2);

/// The tests do nothing but wait for these servers, so that their own limits would only make tests slower.
const CLIENT_LIMITS: [&str; 2] = ["--kube-api-qps=500", "--kube-api-burst=1000"];

/// Every request is noted, with who made it and what for, but not its content.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";

/// Where the servers listen and what they write.
pub(crate) struct Servers {
    pub(crate) tools: Tools,
    pub(crate) folder: PathBuf,
    pub(crate) address: Ipv4Addr,
    pub(crate) api_port: u16,
    pub(crate) etcd_port: u16,
    pub(crate) etcd_peer_port: u16,
    pub(crate) audit: bool,
    pub(crate) api_server_args: Vec<String>,
}

impl Servers {
    /// Starts all four and waits until the API server answers and the controllers work.
    pub(crate) fn start(&self, supervisor: &mut Supervisor) -> Result<Kubectl> {
        make_folder(&self.folder)?;
        let token = pki::write_all(&self.folder, self.address, SERVICE_ADDRESS)?;
        let kubeconfig = self.kubeconfig();
        let server = format!("https://{}:{}", self.address, self.api_port);
        pki::write_kubeconfig(&kubeconfig, &server, &self.folder.join("ca.crt"), &token)?;
        let kubectl = Kubectl::new(self.tools.path("kubectl"), kubeconfig);

        supervisor.start(self.etcd())?;
        supervisor.wait_for_log(Component::Etcd, "serving client traffic", START)?;
        if self.audit {
            write(&self.folder.join("audit-policy.yaml"), AUDIT_POLICY)?;
        }
        supervisor.start(self.api_server())?;
        wait_for_api_server(supervisor, &kubectl)?;
        supervisor.start(self.controller_manager())?;
        supervisor.start(self.scheduler())?;
        // The last thing a namespace needs before pods can be made in it.
        supervisor.wait(
            Component::ControllerManager,
            "the default service account",
            START,
            || {
                kubectl
                    .run(&["get", "serviceaccount", "default", "--namespace=default"])
                    .is_ok()
            },
        )?;
        Ok(kubectl)
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    pub(crate) fn audit_log(&self) -> Option<PathBuf> {
        self.audit.then(|| self.folder.join("audit.log"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn etcd(&self) -> Program {
        let client = format!("http://127.0.0.1:{}", self.etcd_port);
        let peer = format!("http://127.0.0.1:{}", self.etcd_peer_port);
        Program::new(Component::Etcd, self.tools.path("etcd"))
            .file("data-dir", &self.file("etcd"))
            // The data need not outlive the machine.
            .arg("--unsafe-no-fsync")
            .arg(format!("--listen-client-urls={client}"))
            .arg(format!("--advertise-client-urls={client}"))
            .arg(format!("--listen-peer-urls={peer}"))
            .arg(format!("--initial-advertise-peer-urls={peer}"))
            .arg(format!("--initial-cluster=default={peer}"))
    }

    fn api_server(&self) -> Program {
        let mut program = Program::new(Component::ApiServer, self.tools.path("kube-apiserver"))
            .arg(format!(
                "--etcd-servers=http://127.0.0.1:{}",
                self.etcd_port
            ))
            .arg(format!("--bind-address={}", self.address))
            .arg(format!("--advertise-address={}", self.address))
            .arg(format!("--secure-port={}", self.api_port))
            .file("tls-cert-file", &self.file("apiserver.crt"))
            .file("tls-private-key-file", &self.file("apiserver.key"))
            .file("client-ca-file", &self.file("ca.crt"))
            .file("token-auth-file", &self.file("tokens.csv"))
            .arg("--authorization-mode=Node,RBAC")
            .arg(format!("--service-cluster-ip-range={SERVICE_RANGE}"))
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .file(
                "service-account-key-file",
                &self.file("service-accounts.pub"),
            )
            .file(
                "service-account-signing-key-file",
                &self.file("service-accounts.key"),
            )
            .file(
                "kubelet-client-certificate",
                &self.file("kubelet-client.crt"),
            )
            .file("kubelet-client-key", &self.file("kubelet-client.key"))
            .arg("--kubelet-preferred-address-types=InternalIP");
        if self.address.is_loopback() {
            // The `kubernetes` Service may not point at loopback, and the server ends when it cannot publish itself.
            program = program.arg("--endpoint-reconciler-type=none");
        }
        if let Some(log) = self.audit_log() {
            program = program
                .file("audit-policy-file", &self.file("audit-policy.yaml"))
                .file("audit-log-path", &log)
                // Its own is 100 MB, after which it begins another file.
                .arg("--audit-log-maxsize=100000");
        }
        self.api_server_args.iter().fold(program, Program::arg)
    }

    fn controller_manager(&self) -> Program {
        self.client(Component::ControllerManager)
            .file(
                "service-account-private-key-file",
                &self.file("service-accounts.key"),
            )
            .file("root-ca-file", &self.file("ca.crt"))
            .arg("--use-service-account-credentials")
            // Its own is 15 seconds, for which tests would only wait.
            .arg("--horizontal-pod-autoscaler-sync-period=5s")
    }

    fn scheduler(&self) -> Program {
        self.client(Component::Scheduler)
    }

    fn client(&self, component: Component) -> Program {
        let program = Program::new(component, self.tools.path(&component.to_string()))
            .file("kubeconfig", &self.kubeconfig())
            .arg("--leader-elect=false")
            .arg("--secure-port=0");
        CLIENT_LIMITS.into_iter().fold(program, Program::arg)
    }
}

/// Waits until the API server answers that it is ready.
fn wait_for_api_server(supervisor: &mut Supervisor, kubectl: &Kubectl) -> Result<()> {
    supervisor.wait(
        Component::ApiServer,
        "the start of the API server",
        START,
        || kubectl.server_is_ready(),
    )
}

/// Restarts a server and waits until the API server is ready, unless it or its store is meant to be down.
pub(crate) fn restart(
    supervisor: &mut Supervisor,
    kubectl: &Kubectl,
    component: Component,
) -> Result<()> {
    supervisor.restart(component)?;
    if supervisor.runs(Component::Etcd) && supervisor.runs(Component::ApiServer) {
        wait_for_api_server(supervisor, kubectl)?;
    }
    Ok(())
}

/// Waits until a node is ready.
pub(crate) fn wait_for_node(
    supervisor: &mut Supervisor,
    kubectl: &Kubectl,
    node: &str,
    component: Component,
) -> Result<()> {
    let condition = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
    supervisor.wait(component, &format!("the node {node}"), START, || {
        kubectl
            .run(&["get", "node", node, "--output", condition])
            .is_ok_and(|status| status == "True")
    })
}

/// Removes the data of a stopped cluster and keeps its logs.
pub(crate) fn remove_data(folder: &Path) -> Result<()> {
    crate::cache::remove_folder(&folder.join("etcd"))
}
