//! Installs the operator's manifests.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use mcp_cluster::{Cache, Helm, Kubectl, RealNode, image, repository};

use crate::artifacts::OPERATOR_IMAGE;
use crate::wait::eventually;

/// How long the operator may take from nothing to ready; it compiles its plugins first.
const READY: &str = "--timeout=180s";

/// Values of the chart for a cluster on one machine: the image is on the node, and the sample's registry is allowed. What
/// `deploy/overlays/local` says to kustomize.
pub const LOCAL_VALUES: [&str; 6] = [
    "--set",
    "image.repository=docker.io/local/mcp-operator",
    "--set",
    "image.tag=dev",
    "--set",
    "plugins.validation.settings.allowedRegistries={docker.io/local}",
];

/// How an operator is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installer {
    /// `kubectl apply --kustomize` of definitions and `deploy/overlays/local`.
    Kustomize,
    /// `helm install` of `deploy/chart`, with [`LOCAL_VALUES`].
    Helm,
}

/// How long the API server may take to serve the definitions.
const ESTABLISHED: Duration = Duration::from_mins(1);

/// The custom resource definitions.
///
/// # Errors
/// When the cluster refuses them.
pub fn install_definitions(kubectl: &Kubectl) -> Result<()> {
    apply(kubectl, "crds")?;
    let wait = [
        "wait",
        "--for=condition=Established",
        "crd/mcpservers.mcp.litellm.ai",
        "crd/mcpplugins.mcp.litellm.ai",
    ];
    // kubectl does not wait for the first condition of an object, but calls it an error that there is none.
    eventually("the definitions are established", ESTABLISHED, || {
        kubectl.run(&wait).map(drop)
    })
}

/// A definition of somebody else, from its file.
///
/// # Errors
/// When the cluster refuses it.
pub fn install_definition(kubectl: &Kubectl, file: &Path) -> Result<()> {
    let file = file.to_string_lossy();
    kubectl
        .run(&["apply", "--server-side", "--filename", &file])
        .map(drop)
}

/// Everything else: for an operator outside of the cluster, without pods of its own.
///
/// # Errors
/// When the cluster refuses it.
pub fn install_plugins(kubectl: &Kubectl) -> Result<()> {
    apply(kubectl, "deploy/overlays/local")?;
    kubectl
        .run(&[
            "scale",
            "deployment/mcp-operator-controller-manager",
            "--namespace=mcp-operator-system",
            "--replicas=0",
        ])
        .map(drop)
}

/// Takes away again what [`install_plugins`] made.
///
/// # Errors
/// When the cluster refuses it.
pub fn uninstall_plugins(kubectl: &Kubectl) -> Result<()> {
    delete(kubectl, "deploy/overlays/local")
}

/// Takes away the definitions, and with them everything that they define.
///
/// # Errors
/// When the cluster refuses it.
pub fn uninstall_definitions(kubectl: &Kubectl) -> Result<()> {
    delete(kubectl, "crds")
}

/// Gives the node the operator's image as it is shipped, by the name that `deploy/overlays/local` has.
///
/// # Errors
/// When it is no archive of an image.
pub fn load_operator_image(node: &RealNode, archive: &Path) -> Result<()> {
    let name = image::name_of(archive)?;
    node.load_image(archive)?;
    node.tag_image(&name, OPERATOR_IMAGE)
}

/// Images, definitions and the operator itself, until it is ready.
///
/// # Errors
/// When something is refused or does not become ready.
pub fn install_into_node(node: &RealNode, images: &[PathBuf], installer: Installer) -> Result<()> {
    for archive in images {
        node.load_image(archive)?;
    }
    match installer {
        Installer::Kustomize => {
            install_definitions(node.kubectl())?;
            apply(node.kubectl(), "deploy/overlays/local")?;
        }
        Installer::Helm => {
            let helm = Helm::build(&Cache::open()?, node.kubectl())?;
            let home = ["--create-namespace", "--wait", "--timeout=240s"];
            helm.release(
                "install",
                "mcp-operator",
                "mcp-operator-system",
                &Helm::chart(),
                &[&LOCAL_VALUES[..], &home].concat(),
            )?;
        }
    }
    node.kubectl().run(&[
        "rollout",
        "status",
        "deployment/mcp-operator-controller-manager",
        "--namespace=mcp-operator-system",
        READY,
    ])?;
    node.kubectl()
        .run(&[
            "wait",
            "--for=condition=Ready",
            "mcpplugins",
            "--all",
            READY,
        ])
        .map(drop)
}

fn delete(kubectl: &Kubectl, folder: &str) -> Result<()> {
    let folder: PathBuf = repository().join(folder);
    kubectl
        .run(&[
            "delete",
            "--ignore-not-found",
            "--kustomize",
            &folder.to_string_lossy(),
        ])
        .map(drop)
}

fn apply(kubectl: &Kubectl, folder: &str) -> Result<()> {
    let folder: PathBuf = repository().join(folder);
    kubectl
        .run(&[
            "apply",
            "--server-side",
            "--force-conflicts",
            "--kustomize",
            &folder.to_string_lossy(),
        ])
        .map(drop)
}
