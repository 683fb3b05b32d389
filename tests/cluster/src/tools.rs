//! Kubernetes itself, built from the Go modules that `tests/control-plane` and `tests/node` pin, and what charts are installed
//! and judged with, from `tests/chart`; a registry from `tests/registry`, an autoscaler from `tests/vpa`, what judges objects by
//! policies from `tests/gatekeeper`, and what signs artifacts from `tests/cosign`.
//!
//! These `go.mod` files have no code of this project: they name the programs as tools, and `go.sum` makes the build the
//! same everywhere. There are several because containerd and coredns would move the control plane's versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cache::{Cache, content_key, make_folder, read, remove_folder, repository, write};
use crate::command::{capture, run_logged};
use crate::machine;
use crate::progress::Progress;

/// The programs of the control plane: name and Go package.
const CONTROL_PLANE: &[(&str, &str)] = &[
    ("etcd", "go.etcd.io/etcd/server/v3"),
    ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    (
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
    ),
    ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    ("kwok", "sigs.k8s.io/kwok/cmd/kwok"),
];

/// The programs of a node that runs pods: name and Go package.
const NODE: &[(&str, &str)] = &[
    ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
    ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
    (
        "containerd",
        "github.com/containerd/containerd/v2/cmd/containerd",
    ),
    (
        "containerd-shim-runc-v2",
        "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
    ),
    ("ctr", "github.com/containerd/containerd/v2/cmd/ctr"),
    ("coredns", "github.com/coredns/coredns"),
];

/// What charts need: name and Go package.
const CHART: &[(&str, &str)] = &[
    ("helm", "helm.sh/helm/v4/cmd/helm"),
    (
        "kubeconform",
        "github.com/yannh/kubeconform/cmd/kubeconform",
    ),
];

/// A registry of artifacts: name and Go package.
const REGISTRY: &[(&str, &str)] = &[(
    "registry",
    "github.com/distribution/distribution/v3/cmd/registry",
)];

/// What judges objects by policies: name and Go package.
const POLICY: &[(&str, &str)] = &[(
    "gator",
    "github.com/open-policy-agent/gatekeeper/v3/cmd/gator",
)];

/// What signs artifacts: name and Go package.
const SIGNING: &[(&str, &str)] = &[("cosign", "github.com/sigstore/cosign/v3/cmd/cosign")];

/// The part of the VerticalPodAutoscaler that changes pods: name and Go package.
const VERTICAL_POD_AUTOSCALER: &[(&str, &str)] = &[(
    "admission-controller",
    "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/admission-controller",
)];

/// Its definitions, in the module and beside the program.
pub(crate) const VERTICAL_POD_AUTOSCALER_DEFINITIONS: &str = "vpa-v1-crd-gen.yaml";

/// What kwok does to nodes and pods: without its own stages it refuses to start, and its binary has none.
const KWOK_STAGES: &[&str] = &[
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
];

/// The file with kwok's stages, beside its binary.
const KWOK_STAGES_FILE: &str = "kwok-stages.yaml";

/// A folder with built programs.
#[derive(Debug, Clone)]
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// The path of a program.
    pub fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }

    /// The file with kwok's stages.
    pub(crate) fn kwok_stages(&self) -> PathBuf {
        self.folder.join(KWOK_STAGES_FILE)
    }
}

/// etcd, the API server, its controllers, the scheduler, kubectl and kwok; built when they are not there yet.
///
/// # Errors
/// When Go is missing or a build fails.
pub fn control_plane_tools(cache: &Cache) -> Result<Tools> {
    let module = Module::open("control-plane", CONTROL_PLANE)?;
    let tools = module.build(cache)?;
    write_kwok_stages(&module, &tools)?;
    Ok(tools)
}

/// kubelet, kube-proxy, containerd and coredns; built when they are not there yet.
///
/// # Errors
/// When Go is missing or a build fails.
pub fn node_tools(cache: &Cache) -> Result<Tools> {
    Module::open("node", NODE)?.build(cache)
}

/// helm and kubeconform; built when they are not there yet.
///
/// # Errors
/// When Go is missing or a build fails.
pub fn chart_tools(cache: &Cache) -> Result<Tools> {
    Module::open("chart", CHART)?.build(cache)
}

/// The registry of the CNCF's distribution; built when it is not there yet.
///
/// # Errors
/// When Go is missing or a build fails.
pub(crate) fn registry_tools(cache: &Cache) -> Result<Tools> {
    Module::open("registry", REGISTRY)?.build(cache)
}

/// gator, which is built when it is not there yet; and the folder with the sources of Gatekeeper, which has policies.
///
/// # Errors
/// When Go is missing or a build fails.
pub fn policy_tools(cache: &Cache) -> Result<(Tools, PathBuf)> {
    let module = Module::open("gatekeeper", POLICY)?;
    let tools = module.build(cache)?;
    machine::ensure_go()?;
    let sources = sources(&module.folder, "github.com/open-policy-agent/gatekeeper/v3")?;
    Ok((tools, sources))
}

/// cosign; built when it is not there yet.
///
/// # Errors
/// When Go is missing or a build fails.
pub fn signing_tools(cache: &Cache) -> Result<Tools> {
    Module::open("cosign", SIGNING)?.build(cache)
}

/// The VerticalPodAutoscaler's admission controller, and beside it the definitions of its kinds; built when it is not there
/// yet.
///
/// # Errors
/// When Go is missing or a build fails.
pub(crate) fn vertical_pod_autoscaler_tools(cache: &Cache) -> Result<Tools> {
    let module = Module::open("vpa", VERTICAL_POD_AUTOSCALER)?;
    let tools = module.build(cache)?;
    let definitions = tools.path(VERTICAL_POD_AUTOSCALER_DEFINITIONS);
    if !definitions.is_file() {
        machine::ensure_go()?;
        let sources = sources(&module.folder, "k8s.io/autoscaler/vertical-pod-autoscaler")?;
        let file = sources
            .join("deploy")
            .join(VERTICAL_POD_AUTOSCALER_DEFINITIONS);
        write(&definitions, read(&file)?)?;
    }
    Ok(tools)
}

/// The folder with the sources of a Go module that `tests/control-plane` pins.
///
/// # Errors
/// When Go is missing, or the module cannot be downloaded.
pub fn module_sources(module: &str) -> Result<PathBuf> {
    machine::ensure_go()?;
    sources(&repository().join("tests/control-plane"), module)
}

/// Whether [`control_plane_tools`] has nothing to build.
///
/// # Errors
/// When the checkout names no versions.
pub fn has_control_plane_tools(cache: &Cache) -> Result<bool> {
    Ok(Module::open("control-plane", CONTROL_PLANE)?.is_built(cache))
}

/// Whether [`node_tools`] has nothing to build.
///
/// # Errors
/// When the checkout names no versions.
pub fn has_node_tools(cache: &Cache) -> Result<bool> {
    Ok(Module::open("node", NODE)?.is_built(cache))
}

/// A folder with a `go.mod` of tools.
struct Module {
    name: &'static str,
    /// Name and Go package of each program.
    programs: &'static [(&'static str, &'static str)],
    folder: PathBuf,
    linker_flags: String,
    key: String,
}

impl Module {
    fn open(name: &'static str, programs: &'static [(&'static str, &'static str)]) -> Result<Self> {
        let folder = repository().join("tests").join(name);
        let module = read(&folder.join("go.mod"))?;
        let sums = read(&folder.join("go.sum"))?;
        let version = kubernetes_version(&String::from_utf8_lossy(&module));
        let linker_flags = linker_flags(version.as_deref());
        let key = content_key([module.as_slice(), sums.as_slice(), linker_flags.as_bytes()]);
        Ok(Self {
            name,
            programs,
            folder,
            linker_flags,
            key,
        })
    }

    fn tools(&self, cache: &Cache) -> Tools {
        let folder = cache.root().join("go").join(self.name).join(&self.key);
        Tools { folder }
    }

    fn is_built(&self, cache: &Cache) -> bool {
        let tools = self.tools(cache);
        let is_there = |(program, _): &(&str, &str)| tools.path(program).is_file();
        self.programs.iter().all(is_there)
    }

    fn build(&self, cache: &Cache) -> Result<Tools> {
        let tools = self.tools(cache);
        if self.is_built(cache) {
            return Ok(tools);
        }
        let _lock = cache.lock("go")?;
        machine::ensure_go()?;
        let what = format!("build {}", self.programs());
        Progress::new(1).step(&what, || self.build_all(&tools))?;
        Ok(tools)
    }

    /// Names of the programs, for people.
    fn programs(&self) -> String {
        let names: Vec<&str> = self.programs.iter().map(|(program, _)| *program).collect();
        names.join(", ")
    }

    /// All in one run of Go: while one program is linked, which takes one core, others are compiled. They are built beside
    /// their final names and renamed, so that a half-written program is never taken for a built one.
    fn build_all(&self, tools: &Tools) -> Result<()> {
        let unfinished = tools.path("unfinished");
        make_folder(&unfinished)?;
        let mut command = Command::new("go");
        command
            .current_dir(&self.folder)
            .env("CGO_ENABLED", "0")
            .args(["build", "-trimpath", "-ldflags", &self.linker_flags, "-o"])
            .arg(&unfinished)
            .args(self.programs.iter().map(|(_, package)| package));
        run_logged(&mut command, &tools.path("build.log"))?;
        for (program, package) in self.programs {
            let built = unfinished.join(built_name(package));
            let output = tools.path(program);
            fs::rename(&built, &output).with_context(|| {
                format!("cannot rename {} to {}", built.display(), output.display())
            })?;
        }
        remove_folder(&unfinished)
    }
}

/// How Go names the program of a package: as the last part of its path that is no version of the module.
fn built_name(package: &str) -> &str {
    let is_version = |part: &str| {
        part.strip_prefix('v')
            .is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let mut parts = package.rsplit('/');
    let named = parts.find(|part| !is_version(part));
    named.unwrap_or(package)
}

/// Without these the API server calls itself v0.0.0, and clients and CRDs that ask for a minimum version misbehave.
fn linker_flags(kubernetes: Option<&str>) -> String {
    let Some(version) = kubernetes else {
        return "-s -w".into();
    };
    let minor = version.split('.').nth(1).unwrap_or_default();
    let variable = "-X k8s.io/component-base/version";
    format!(
        "-s -w {variable}.gitVersion={version} {variable}.gitMajor=1 {variable}.gitMinor={minor}"
    )
}

fn kubernetes_version(go_mod: &str) -> Option<String> {
    go_mod.lines().find_map(|line| {
        let mut words = line
            .split_whitespace()
            .skip_while(|word| *word == "require");
        (words.next()? == "k8s.io/kubernetes").then(|| words.next().map(str::to_owned))?
    })
}

/// Copies the stages out of kwok's module once, so that starting a cluster needs no Go.
fn write_kwok_stages(module: &Module, tools: &Tools) -> Result<()> {
    let output = tools.kwok_stages();
    if output.is_file() {
        return Ok(());
    }
    machine::ensure_go()?;
    let kwok = sources(&module.folder, "sigs.k8s.io/kwok")?;
    let mut stages = String::new();
    for stage in KWOK_STAGES {
        let file = kwok.join("kustomize/stage").join(stage);
        stages.push_str(&String::from_utf8_lossy(&read(&file)?));
        stages.push_str("\n---\n");
    }
    write(&output, stages)
}

/// Where Go keeps the sources of a module that the `go.mod` of a folder pins; they come if nobody has built it here.
fn sources(folder: &Path, module: &str) -> Result<PathBuf> {
    let mut download = Command::new("go");
    download
        .current_dir(folder)
        .args(["mod", "download", module]);
    capture(&mut download)?;
    let mut list = Command::new("go");
    list.current_dir(folder)
        .args(["list", "-m", "-f", "{{.Dir}}", module]);
    let found = capture(&mut list)?;
    ensure!(
        !found.trim().is_empty(),
        "{} requires no {module}",
        folder.display()
    );
    Ok(PathBuf::from(found.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_both_forms_of_a_requirement() {
        let block = "require (\n\tk8s.io/kubelet v0.1.0 // indirect\n\tk8s.io/kubernetes v1.37.2 // indirect\n)";
        assert_eq!(kubernetes_version(block).as_deref(), Some("v1.37.2"));
        assert_eq!(
            kubernetes_version("require k8s.io/kubernetes v1.37.2").as_deref(),
            Some("v1.37.2")
        );
        assert_eq!(kubernetes_version("module x"), None);
    }

    #[test]
    fn programs_are_called_as_go_calls_them() {
        assert_eq!(built_name("go.etcd.io/etcd/server/v3"), "server");
        assert_eq!(built_name("k8s.io/kubernetes/cmd/kubelet"), "kubelet");
        let shim = "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2";
        assert_eq!(built_name(shim), "containerd-shim-runc-v2");
        assert_eq!(built_name("github.com/coredns/coredns"), "coredns");
    }

    #[test]
    fn every_tool_of_a_module_is_built() {
        for (module, programs) in [
            ("control-plane", CONTROL_PLANE),
            ("node", NODE),
            ("chart", CHART),
            ("registry", REGISTRY),
            ("vpa", VERTICAL_POD_AUTOSCALER),
            ("gatekeeper", POLICY),
            ("cosign", SIGNING),
        ] {
            let text =
                fs::read_to_string(repository().join("tests").join(module).join("go.mod")).unwrap();
            for (_, package) in programs {
                assert!(
                    text.contains(&format!("\t{package}\n")),
                    "{package} is no tool of {module}"
                );
            }
        }
    }
}
