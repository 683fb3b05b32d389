//! A whole Kubernetes with one real node: kubelet, containerd and real pods, in namespaces of its own, so that nothing
//! of it is left when it ends. Linux, root.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::{Cache, Lock, make_folder, remove_folder};
use crate::command::capture;
use crate::components::Component;
use crate::image;
use crate::kubectl::Kubectl;
use crate::machine;
use crate::namespaces::{Holder, Namespaces};
use crate::node_files;
use crate::ports::free_port;
use crate::servers::{POD_RANGE, SERVICE_RANGE, Servers, restart, wait_for_node};
use crate::simulated_node;
use crate::supervisor::{Program, Supervisor};
use crate::tools::{Tools, control_plane_tools, node_tools};

/// The machine's end of its cable to the node, and the address of the other one.
const MACHINE: &str = "mcpop-host";
const NODE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 199, 0, 2);
const NODE: &str = "node0";
/// Addresses that no real pod has.
const SIMULATED_POD_RANGE: &str = "10.245.0.0/16";
/// How long one of the node's programs may take to start.
const START: Duration = Duration::from_mins(2);

/// A running cluster with a real node; it stops when this is dropped, and when this program dies.
pub struct RealNode {
    supervisor: Supervisor,
    kubectl: Kubectl,
    folder: PathBuf,
    control_plane: Tools,
    tools: Tools,
    inside: Namespaces,
    // Dropped in this order: the programs, what they ran in, what that leaves on the machine.
    _holder: Holder,
    _machine: MachineSide,
    _lock: Lock,
}

impl RealNode {
    /// Where the node finds this machine.
    pub(crate) const MACHINE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 199, 0, 1);

    /// What the node's programs keep.
    pub(crate) fn folder(cache: &Cache) -> PathBuf {
        cache.root().join("state/real-node")
    }

    /// Builds what is not built yet and starts the cluster.
    ///
    /// # Errors
    /// When the machine cannot do it, or something cannot be built or does not start, with the end of its log.
    pub fn start(cache: &Cache) -> Result<Self> {
        machine::ensure_node_packages()?;
        let (control_plane, tools) = (control_plane_tools(cache)?, node_tools(cache)?);
        let Some(lock) = cache.try_lock("real-node")? else {
            bail!("a cluster with a real node already runs; `cargo xtask down` stops it");
        };
        let folder = Self::folder(cache);
        MachineSide::clean_up();
        remove_folder(&folder)?;
        for part in ["ctr", "cni", "kubelet", "images", "registries"] {
            make_folder(&folder.join(part))?;
        }
        let machine = MachineSide;
        let holder = Holder::new()?;
        let inside = holder.inside().clone();
        connect(&inside)?;
        let mut supervisor = Supervisor::new(folder.clone(), Some(inside.clone()));
        let kubectl = servers(control_plane.clone(), &folder).start(&mut supervisor)?;
        let mut node = Self {
            supervisor,
            kubectl,
            folder,
            control_plane,
            tools,
            inside,
            _holder: holder,
            _machine: machine,
            _lock: lock,
        };
        node.start_node()?;
        Ok(node)
    }

    /// `kubectl` as the administrator.
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// The folder with all logs.
    pub fn logs(&self) -> &Path {
        &self.folder
    }

    /// Gives the node an image: an archive as `docker save` writes it.
    ///
    /// # Errors
    /// When the archive cannot be imported.
    pub fn load_image(&self, archive: &Path) -> Result<()> {
        let archive = archive
            .to_str()
            .with_context(|| format!("{} is no UTF-8", archive.display()))?;
        self.ctr(&["--namespace=k8s.io", "images", "import", archive])
            .map(drop)
    }

    /// Gives an image that the node has one more name.
    ///
    /// # Errors
    /// When the node has none of this name.
    pub fn tag_image(&self, name: &str, other: &str) -> Result<()> {
        self.ctr(&[
            "--namespace=k8s.io",
            "images",
            "tag",
            "--force",
            name,
            other,
        ])
        .map(drop)
    }

    /// Has all pods that come now run on a simulated node: more than this machine could run.
    ///
    /// # Errors
    /// When that does not start.
    pub fn simulate_further_pods(&mut self) -> Result<()> {
        let (supervisor, port) = (&mut self.supervisor, free_port()?);
        let (kubectl, tools) = (&self.kubectl, &self.control_plane);
        simulated_node::join(supervisor, kubectl, tools, port, SIMULATED_POD_RANGE)?;
        kubectl.run(&["cordon", NODE]).map(drop)
    }

    /// Restarts one of the programs, or starts again one that was killed.
    ///
    /// # Errors
    /// When it is none of this cluster or does not start.
    pub fn restart(&mut self, component: Component) -> Result<()> {
        restart(&mut self.supervisor, &self.kubectl, component)
    }

    /// Ends one of the programs at once, as a crash would.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self, component: Component) -> Result<()> {
        self.supervisor.kill(component)
    }

    fn start_node(&mut self) -> Result<()> {
        let cni = machine::cni_folder()
            .context("the machine lacks the plugins of the container network")?;
        let shim = self.tools.path("containerd-shim-runc-v2");
        node_files::write_all(&self.folder, &NODE_ADDRESS.to_string(), &shim, cni)?;
        self.bind_files()?;
        self.supervisor.start(
            self.program(Component::Containerd)
                .arg("--config")
                .arg(self.folder.join("containerd.toml")),
        )?;
        let (ctr, socket, inside) = (self.tools.path("ctr"), self.socket(), self.inside.clone());
        self.supervisor.wait(
            Component::Containerd,
            "the start of containerd",
            START,
            || {
                capture(
                    inside
                        .command(&ctr)
                        .arg("--address")
                        .arg(&socket)
                        .arg("version"),
                )
                .is_ok()
            },
        )?;
        let pause = self.folder.join("images/pause.tar");
        image::pause(node_files::PAUSE_IMAGE, &pause)?;
        self.load_image(&pause)?;
        self.supervisor.start(self.kubelet())?;
        self.supervisor.start(self.kube_proxy())?;
        self.supervisor.start(
            self.program(Component::CoreDns)
                .arg("-conf")
                .arg(self.folder.join("Corefile")),
        )?;
        wait_for_node(
            &mut self.supervisor,
            &self.kubectl,
            NODE,
            Component::Kubelet,
        )
    }

    /// In the node's own mount namespace: its name server, and no folder of a container runtime of the machine.
    fn bind_files(&self) -> Result<()> {
        let resolv = self.folder.join("resolv.conf");
        let target = std::fs::canonicalize("/etc/resolv.conf")
            .context("the machine has no /etc/resolv.conf")?;
        self.inside.run(
            "mount",
            &[
                "--bind",
                &resolv.to_string_lossy(),
                &target.to_string_lossy(),
            ],
        )?;
        make_folder(Path::new("/run/containerd"))?;
        self.inside
            .run("mount", &["-t", "tmpfs", "tmpfs", "/run/containerd"])
            .map(drop)
    }

    fn program(&self, component: Component) -> Program {
        // runc and iptables are where an ordinary user's PATH does not look.
        let path = format!(
            "{}:/usr/local/sbin:/usr/sbin:/sbin",
            std::env::var("PATH").unwrap_or_default()
        );
        Program::new(component, self.tools.path(&component.to_string())).env("PATH", path)
    }

    fn kubelet(&self) -> Program {
        self.program(Component::Kubelet)
            .file("config", &self.folder.join("kubelet.yaml"))
            .file("kubeconfig", self.kubectl.kubeconfig())
            .file("root-dir", &self.folder.join("kubelet"))
            .file("cert-dir", &self.folder.join("kubelet/pki"))
            .arg(format!("--hostname-override={NODE}"))
            .arg(format!("--node-ip={NODE_ADDRESS}"))
    }

    fn kube_proxy(&self) -> Program {
        self.program(Component::KubeProxy)
            .file("kubeconfig", self.kubectl.kubeconfig())
            .arg("--proxy-mode=iptables")
            .arg(format!("--cluster-cidr={POD_RANGE}"))
            .arg(format!("--hostname-override={NODE}"))
            // The machine's own setting is not ours to change.
            .arg("--conntrack-max-per-core=0")
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("ctr/containerd.sock")
    }

    fn ctr(&self, args: &[&str]) -> Result<String> {
        capture(
            self.inside
                .command(&self.tools.path("ctr"))
                .arg("--address")
                .arg(self.socket())
                .args(args),
        )
    }
}

fn servers(tools: Tools, folder: &Path) -> Servers {
    Servers {
        tools,
        folder: folder.to_owned(),
        address: NODE_ADDRESS,
        // Fixed, since nobody else listens in this network namespace.
        api_port: 6443,
        etcd_port: 2379,
        etcd_peer_port: 2380,
        audit: false,
        api_server_args: Vec::new(),
    }
}

/// Lays the cable, and tells the machine that Services and pods are behind it.
fn connect(inside: &Namespaces) -> Result<()> {
    let ip = |args: &[&str]| capture(Command::new("ip").args(args));
    let first = inside.first_process().as_raw_nonzero().to_string();
    let (node, machine) = (
        NODE_ADDRESS.to_string(),
        RealNode::MACHINE_ADDRESS.to_string(),
    );
    ip(&[
        "link", "add", MACHINE, "type", "veth", "peer", "name", "eth0", "netns", &first,
    ])?;
    ip(&["address", "add", &format!("{machine}/30"), "dev", MACHINE])?;
    ip(&["link", "set", MACHINE, "up"])?;
    inside.run("ip", &["link", "set", "lo", "up"])?;
    inside.run(
        "ip",
        &["address", "add", &format!("{node}/30"), "dev", "eth0"],
    )?;
    inside.run("ip", &["link", "set", "eth0", "up"])?;
    inside.run("ip", &["route", "add", "default", "via", &machine])?;
    inside.run("sysctl", &["-q", "-w", "net.ipv4.ip_forward=1"])?;
    for range in [SERVICE_RANGE, POD_RANGE] {
        ip(&["route", "replace", range, "via", &node])?;
    }
    Ok(())
}

/// What a cluster leaves on the machine: its end of the cable, and the cgroups of its pods.
struct MachineSide;

impl MachineSide {
    /// Also for a cluster that was killed before it could clean up. What is not there is no error.
    fn clean_up() {
        let _ = capture(Command::new("ip").args(["link", "delete", MACHINE]));
        for cgroup in pod_cgroups() {
            // Deepest first; a cgroup that is still in use stays, and is used again.
            let _ = capture(
                Command::new("find")
                    .arg(cgroup)
                    .args(["-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]),
            );
        }
    }
}

impl Drop for MachineSide {
    fn drop(&mut self) {
        Self::clean_up();
    }
}

fn pod_cgroups() -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let controllers = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("kubepods"));
    std::iter::once(root.join("kubepods"))
        .chain(controllers)
        .filter(|path| path.is_dir())
        .collect()
}
