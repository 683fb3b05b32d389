//! A webhook that serves only the API server, and an API server that says who it is.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use mcp_cluster::{Cache, Component};
use mcp_e2e::{Environment, Operator};
use serde_json::{Value, json};

use crate::world::World;

const NAME: &str = "client-certificate";
/// Common name of the certificate that the API server already has as a client, of kubelets.
const CLIENT: &str = "kube-apiserver-kubelet-client";

/// The configuration that deploy/OPERATIONS.md shows.
fn configure(folder: &Path, kubeconfig: &Path) -> Result<()> {
    let plugin = |name: &str| {
        json!({ "name": name, "configuration": {
            "apiVersion": "apiserver.config.k8s.io/v1", "kind": "WebhookAdmissionConfiguration", "kubeConfigFile": kubeconfig,
        } })
    };
    let plugins = ["ValidatingAdmissionWebhook", "MutatingAdmissionWebhook"].map(plugin);
    let configuration = json!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration", "plugins": plugins,
    });
    write(&folder.join("admission.json"), &configuration)
}

/// The users of webhooks: all of them are this client, or nobody.
fn present(kubeconfig: &Path, certificate: Option<&Path>) -> Result<()> {
    let users: Vec<Value> = certificate
        .into_iter()
        .map(|folder| {
            let file = |name: &str| folder.join(name);
            json!({ "name": "*", "user": { "client-certificate": file("kubelet-client.crt"), "client-key": file("kubelet-client.key") } })
        })
        .collect();
    write(
        kubeconfig,
        &json!({ "apiVersion": "v1", "kind": "Config", "users": users }),
    )
}

fn write(file: &Path, content: &Value) -> Result<()> {
    fs::write(file, content.to_string()).with_context(|| format!("cannot write {}", file.display()))
}

#[test]
fn an_api_server_with_a_client_certificate_is_served_and_one_without_is_not() -> Result<()> {
    let folder = Environment::open()?.logs;
    let kubeconfig = folder.join("webhooks.kubeconfig");
    let cluster = Cache::open()?
        .root()
        .join("state")
        .join(format!("test-{NAME}"));
    configure(&folder, &kubeconfig)?;
    present(&kubeconfig, Some(&cluster))?;
    let file = folder.join("admission.json");
    let argument = format!("--admission-control-config-file={}", file.display());
    let mut world = World::start_with(NAME, &[&argument])?;
    let ca = cluster.join("ca.crt");
    let options = [
        "--webhook-client-ca",
        &ca.to_string_lossy(),
        "--webhook-client-names",
        CLIENT,
    ];
    let config = world.kubectl().kubeconfig().to_owned();
    let _operator = Operator::start_with(&world.own.environment, NAME, &config, &options)?;
    world.apply(1)?;
    world.converged(1)?;
    // A rule is asked, and not merely nobody.
    let image =
        json!({ "image": { "repository": "docker.io/local/mcp-weather", "tag": "latest" } });
    let error = world
        .apply_with(1..2, &image)
        .err()
        .context("it was accepted")?;
    ensure!(format!("{error:#}").contains("spec.image.tag"), "{error:#}");

    present(&kubeconfig, None)?;
    world.own.servers.restart(Component::ApiServer)?;
    let error = world
        .apply_with(2..3, &json!({}))
        .err()
        .context("it was accepted")?;
    let error = format!("{error:#}");
    ensure!(
        error.contains("failed calling webhook") && error.contains("certificate"),
        "{error}"
    );
    Ok(())
}
