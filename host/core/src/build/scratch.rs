//! Empty folders to write in: `spec.emptyDirs`.

use k8s_openapi::api::core::v1::{EmptyDirVolumeSource, Volume, VolumeMount};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use mcp_operator_api::v1alpha1::EmptyDir;
use sha2::{Digest, Sha256};

/// Name of the volume that the plugin `compliance` mounts at `/tmp`.
const TMP_VOLUME: &str = "tmp";
/// Volumes for which the Cluster Autoscaler need not keep a node. Without it, each pod with an empty folder holds its node.
pub(super) const SAFE_TO_EVICT: &str =
    "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";

pub(super) fn volumes(folders: &[EmptyDir]) -> impl Iterator<Item = Volume> {
    sorted(folders).map(|folder| Volume {
        name: name(folder),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: Some(Quantity(folder.size_limit.0.clone())),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    })
}

pub(super) fn mounts(folders: &[EmptyDir]) -> impl Iterator<Item = VolumeMount> {
    sorted(folders).map(|folder| VolumeMount {
        name: name(folder),
        mount_path: folder.mount_path.clone(),
        ..VolumeMount::default()
    })
}

/// Value of [`SAFE_TO_EVICT`]: what is in these folders is worth nothing without the pod.
pub(super) fn safe_to_evict(folders: &[EmptyDir]) -> String {
    let names = sorted(folders).map(name);
    [TMP_VOLUME.to_owned()]
        .into_iter()
        .chain(names)
        .collect::<Vec<_>>()
        .join(",")
}

/// Another order of the list replaces no pods.
fn sorted(folders: &[EmptyDir]) -> impl Iterator<Item = &EmptyDir> {
    let mut sorted: Vec<&EmptyDir> = folders.iter().collect();
    sorted.sort_by(|a, b| a.mount_path.cmp(&b.mount_path));
    sorted.into_iter()
}

/// By the path, for the same reason.
fn name(folder: &EmptyDir) -> String {
    let digest = Sha256::digest(folder.mount_path.as_bytes());
    format!("dir-{}", hex::encode(&digest[..5]))
}
