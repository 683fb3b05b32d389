//! What an operator and an author need to be let into a registry.

use std::fs::write;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mcp_cluster::{Kubectl, OciRegistry};
use serde_json::json;

/// The operator's own namespace, where it reads both from.
const OPERATOR: &str = "mcp-operator-system";

/// Writes what `docker login` would write into a file, for the user of this registry.
///
/// # Errors
/// When it cannot be written.
pub fn write_docker_config(file: &Path, registry: &OciRegistry, password: &str) -> Result<()> {
    let login = STANDARD.encode(format!("{}:{password}", OciRegistry::USER));
    let config = json!({ "auths": { registry.host(): { "auth": login } } });
    write(file, config.to_string()).with_context(|| format!("cannot write {}", file.display()))
}

/// Makes a pull secret for the operator of such a file.
///
/// # Errors
/// When the API server refuses it.
pub fn create_pull_secret(kubectl: &Kubectl, name: &str, docker_config: &Path) -> Result<()> {
    let from = format!("--from-file=.dockerconfigjson={}", docker_config.display());
    let create = ["create", "secret", "generic", name, "--namespace", OPERATOR];
    let of = ["--type=kubernetes.io/dockerconfigjson", &from];
    kubectl.run(&[&create[..], &of].concat()).map(drop)
}

/// Makes the ConfigMap `registry-ca` for the operator, with the registry's authority in `ca.crt`.
///
/// # Errors
/// When the API server refuses it.
pub fn create_registry_ca(kubectl: &Kubectl, registry: &OciRegistry) -> Result<()> {
    let from = format!("--from-file={}", registry.ca_file().display());
    let create = ["create", "configmap", "registry-ca"];
    let of = ["--namespace", OPERATOR, &from];
    kubectl.run(&[&create[..], &of].concat()).map(drop)
}
