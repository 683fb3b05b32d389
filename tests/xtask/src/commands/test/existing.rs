//! Tests on a cluster of somebody's own: what can run there does, and is taken away again.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mcp_cluster::{Cache, Cluster, Existing, Kubectl, ensure_rust_targets};
use mcp_e2e::{
    Artifacts, Environment, Operator, Part, eventually, install_definitions, install_plugins,
    uninstall_definitions, uninstall_plugins,
};
use serde_json::json;

use super::left_out::{Lacks, left_out};
use super::report::Report;

const ROW: &str = "own cluster: objects";
/// How long the probe's pod may take: its image is on the node or nowhere.
const PROBE: &str = "--timeout=30s";
const PROBE_NAMESPACE: &str = "mcp-test-probe";
/// What the tests make outside of namespaces is named as their namespace is.
const CLUSTER_WIDE: &str =
    "validatingadmissionpolicies,validatingadmissionpolicybindings,validatingwebhookconfigurations";
/// The same, of an API that a cluster need not have.
const CLUSTER_WIDE_OPTIONAL: &str = "mutatingadmissionpolicies,mutatingadmissionpolicybindings";

pub(super) fn run(
    kubeconfig: &Path,
    webhook_host: IpAddr,
    filter: Option<&str>,
    report: &mut Report,
) -> Result<()> {
    report.plan("build");
    report.plan(ROW);
    let cluster = Cluster::Existing(Existing::open(kubeconfig)?);
    let kubectl = cluster.kubectl();
    refuse_used(kubectl)?;
    ensure_rust_targets()?;
    let cache = Cache::open()?;
    let artifacts = report.run("build", |_| Artifacts::build(&cache, &Part::ALL))?;
    let logs = cache.folder("logs/own-cluster")?;
    let environment = Environment {
        webhook_host,
        ..Environment::new(kubectl.clone(), artifacts, logs)
    };
    let before = namespaces(kubectl)?;
    let tested = report.run(ROW, |counts| {
        prepare(&environment)?;
        let lacks = what_it_lacks(&environment)?;
        let skipped = left_out(&lacks);
        say_what_is_left_out(&environment, &lacks)?;
        let skip = skipped.iter().flat_map(|test| ["--skip", *test]);
        let arguments: Vec<&str> = filter.into_iter().chain(skip).collect();
        super::e2e("control_plane", &arguments, &environment, counts)
    });
    eprintln!("taking away again what was made in the cluster");
    let cleaned = clean_up(kubectl, &before).context("not everything was taken away again");
    tested.and(cleaned)
}

/// The tests replace what an operator needs, and take it away in the end.
fn refuse_used(kubectl: &Kubectl) -> Result<()> {
    let used = kubectl.run(&[
        "get",
        "customresourcedefinitions/mcpservers.mcp.litellm.ai",
        "namespaces/mcp-operator-system",
        "--ignore-not-found",
        "--output=name",
    ])?;
    if !used.is_empty() {
        bail!(
            "the cluster has {}: tests would take them away, use a cluster without the operator",
            used.split_whitespace().collect::<Vec<_>>().join(" and ")
        );
    }
    Ok(())
}

/// Installs everything but an operator, and tries once whether one can be called.
fn prepare(environment: &Environment) -> Result<()> {
    install_definitions(&environment.kubectl)?;
    install_plugins(&environment.kubectl)?;
    let called = Operator::start(environment, "own-cluster-probe");
    called.map(drop).with_context(|| {
        format!(
            "no operator can run for this cluster; if its API server cannot reach {}, give an address of this machine that it can reach with `--webhook-host`",
            environment.webhook_host
        )
    })
}

/// What tests need and this cluster does not have. An audit log may be there, but not for us.
fn what_it_lacks(environment: &Environment) -> Result<Vec<Lacks>> {
    let kubectl = &environment.kubectl;
    let mut lacks = vec![Lacks::AuditLog, Lacks::OwnApiServer];
    let simulated = kubectl.run(&[
        "get",
        "nodes",
        r"--output=jsonpath={.items[*].metadata.annotations.kwok\.x-k8s\.io/node}",
    ])?;
    if simulated.is_empty() {
        lacks.push(Lacks::SimulatedNodes);
        if !pods_serve(kubectl)? {
            lacks.push(Lacks::SampleImage);
        }
    }
    Ok(lacks)
}

/// Whether a pod with the image of the sample server becomes ready.
fn pods_serve(kubectl: &Kubectl) -> Result<bool> {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": PROBE_NAMESPACE, "labels": { "test": PROBE_NAMESPACE } },
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "probe", "namespace": PROBE_NAMESPACE },
        "spec": { "containers": [{ "name": "mcp", "image": Artifacts::SERVER_IMAGE, "imagePullPolicy": "IfNotPresent" }] },
    });
    kubectl.apply(&namespace.to_string())?;
    // The account that pods run as is made a moment after its namespace.
    eventually("a pod is accepted", Duration::from_secs(30), || {
        kubectl.apply(&pod.to_string())
    })?;
    let namespace = format!("--namespace={PROBE_NAMESPACE}");
    let ready = [
        "wait",
        "pod/probe",
        &namespace,
        "--for=condition=Ready",
        PROBE,
    ];
    Ok(kubectl.run(&ready).is_ok())
}

fn say_what_is_left_out(environment: &Environment, lacks: &[Lacks]) -> Result<()> {
    eprintln!("left out on a cluster of your own:");
    eprintln!("- unit tests: `cargo xtask test --only unit`");
    eprintln!("- LiteLLM, and pods that it calls: they need the real node of `cargo xtask test`");
    eprintln!(
        "- what ends, starts or slows down API servers: the programs lifecycle, registration and faults"
    );
    for lack in lacks {
        eprintln!(
            "- {lack}: {}",
            left_out(std::slice::from_ref(lack)).join(", ")
        );
    }
    if lacks.contains(&Lacks::SampleImage) {
        let archive = environment.artifacts.server_image(&environment.logs)?;
        eprintln!(
            "  with the image on its nodes they run; for kind: `kind load image-archive {}`",
            archive.display()
        );
    }
    Ok(())
}

/// Names of the namespaces that tests have, as their label says.
fn namespaces(kubectl: &Kubectl) -> Result<Vec<String>> {
    let found = kubectl.run(&[
        "get",
        "namespaces",
        "--selector=test",
        "--output=jsonpath={.items[*].metadata.name}",
    ])?;
    Ok(found.split_whitespace().map(str::to_owned).collect())
}

/// Deletes what was made, and waits until it is gone.
fn clean_up(kubectl: &Kubectl, before: &[String]) -> Result<()> {
    let made: Vec<String> = namespaces(kubectl)?
        .into_iter()
        .filter(|namespace| !before.contains(namespace))
        .collect();
    let names: Vec<&str> = made.iter().map(String::as_str).collect();
    if !names.is_empty() {
        let gone = "--ignore-not-found";
        kubectl.run(&[&["delete", CLUSTER_WIDE, gone], &names[..]].concat())?;
        // The API is not served by every cluster, and then there is nothing to delete.
        let _ = kubectl.run(&[&["delete", CLUSTER_WIDE_OPTIONAL, gone], &names[..]].concat());
        kubectl.run(&[&["delete", "namespaces", gone, "--wait=false"], &names[..]].concat())?;
    }
    // The webhooks' configurations go with the definitions; as long as they are there, a deletion may ask the webhook.
    uninstall_plugins(kubectl)?;
    uninstall_definitions(kubectl)?;
    for name in names {
        let namespace = format!("namespace/{name}");
        kubectl.run(&["wait", &namespace, "--for=delete", "--timeout=180s"])?;
    }
    Ok(())
}
