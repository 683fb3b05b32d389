//! The two ways of installing the operator, on a node that runs its image: what they promise, and what they leave behind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_cluster::{Cache, Helm, Kubectl, repository};
use mcp_e2e::{Environment, LOCAL_VALUES, eventually, install_definitions};
use serde_json::json;

const HOME: &str = "mcp-operator-system";
const IN_HOME: &str = "--namespace=mcp-operator-system";
const OPERATOR: &str = "deployment/mcp-operator-controller-manager";
const TENANT: &str = "tools";
/// Kinds of what an installation has outside of its namespace.
const CLUSTER_WIDE: &str = "clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations,\
    validatingadmissionpolicies,validatingadmissionpolicybindings,mcpplugins,namespaces";

struct World {
    environment: Environment,
    helm: Helm,
}

impl World {
    fn open() -> Result<Self> {
        let environment = Environment::open()?;
        let helm = Helm::build(&Cache::open()?, &environment.kubectl)?;
        let world = Self { environment, helm };
        world.kubectl().run(&["create", "namespace", TENANT])?;
        let restricted = "pod-security.kubernetes.io/enforce=restricted";
        world
            .kubectl()
            .run(&["label", "namespace", TENANT, restricted])?;
        Ok(world)
    }

    fn kubectl(&self) -> &Kubectl {
        &self.environment.kubectl
    }

    fn chart(&self, verb: &str, release: &str, namespace: &str, more: &[&str]) -> Result<String> {
        let wait = ["--wait", "--timeout=240s"];
        let more = [&LOCAL_VALUES[..], &wait, more].concat();
        self.helm
            .release(verb, release, namespace, &Helm::chart(), &more)
    }

    /// Both replicas serve, and all plugins are in force.
    fn is_up(&self) -> Result<()> {
        let rollout = ["rollout", "status", OPERATOR, IN_HOME, "--timeout=180s"];
        self.kubectl().run(&rollout)?;
        let found = self.kubectl().json(&["get", OPERATOR, IN_HOME])?;
        ensure!(found["status"]["readyReplicas"] == 2, "{}", found["status"]);
        let wait = ["wait", "--for=condition=Ready", "mcpplugins", "--all"];
        self.kubectl()
            .run(&[&wait[..], &["--timeout=60s"]].concat())
            .map(drop)
    }

    /// A server that is applied serves, and goes again with all that was made of it.
    fn a_server_comes_and_goes(&self) -> Result<()> {
        let server = json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": "weather", "namespace": TENANT },
            "spec": {
                "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" },
                "resources": { "limits": { "cpu": "100m", "memory": "64Mi" } },
                "litellm": { "autoRegister": false },
            },
        });
        eventually("the webhook is reached", Duration::from_secs(30), || {
            self.kubectl().apply(&server.to_string())
        })?;
        self.kubectl().run(&[
            "wait",
            "mcpserver/weather",
            "--namespace=tools",
            "--for=condition=Ready",
            "--timeout=120s",
        ])?;
        let namespace = "--namespace=tools";
        self.kubectl()
            .run(&["delete", "mcpserver", "weather", namespace])?;
        eventually("its objects are gone", Duration::from_mins(1), || {
            let left = "deployments,services,poddisruptionbudgets,pods";
            let left = self
                .kubectl()
                .run(&["get", left, namespace, "--output=name"])?;
            ensure!(left.is_empty(), "{left}");
            Ok(())
        })
    }

    /// Of an installation that was taken away, nothing is there but the definitions.
    fn only_definitions_are_left(&self) -> Result<()> {
        let found = self
            .kubectl()
            .run(&["get", CLUSTER_WIDE, "--output=name"])?;
        let ours: Vec<&str> = found.lines().filter(|line| line.contains("mcp")).collect();
        ensure!(ours.is_empty(), "{ours:?}");
        let kinds = self
            .kubectl()
            .run(&["get", "customresourcedefinitions", "--output=name"])?;
        let ours = kinds
            .lines()
            .filter(|line| line.ends_with(".mcp.litellm.ai"));
        ensure!(ours.count() == 2, "{kinds}");
        Ok(())
    }

    fn apply_overlay(&self) -> Result<()> {
        let overlay = repository().join("deploy/overlays/local");
        let overlay = overlay.to_string_lossy();
        let apply = ["apply", "--server-side", "--kustomize", &overlay];
        self.kubectl().run(&apply).map(drop)
    }

    fn delete_home(&self) -> Result<()> {
        let delete = ["delete", "namespace", HOME, "--timeout=120s"];
        self.kubectl().run(&delete).map(drop)
    }
}

#[test]
fn by_helm_and_by_kustomize_it_runs_and_leaves_only_its_definitions() -> Result<()> {
    let world = World::open()?;
    by_helm(&world)?;
    by_kustomize(&world)?;
    from_kustomize_to_helm(&world)
}

fn by_helm(world: &World) -> Result<()> {
    println!("helm install");
    world.chart("install", "mcp-operator", HOME, &["--create-namespace"])?;
    world.is_up()?;
    let refused = world.chart("install", "other", "default", &[]);
    let refused = format!("{:#}", refused.unwrap_err());
    ensure!(
        refused.contains(
            "the cluster has an operator in the namespace mcp-operator-system, and can have one only"
        ),
        "{refused}"
    );
    println!("helm test");
    world
        .helm
        .run(&["test", "mcp-operator", "--namespace", HOME])?;
    world.a_server_comes_and_goes()?;

    println!("helm upgrade");
    let option = ["--set", "options.registry-resync-seconds=30"];
    world.chart("upgrade", "mcp-operator", HOME, &option)?;
    world.is_up()?;
    let definition = world.kubectl().run(&[
        "get",
        "customresourcedefinition",
        "mcpservers.mcp.litellm.ai",
        "--show-managed-fields",
        "--output=jsonpath={.metadata.managedFields[*].manager}",
    ])?;
    ensure!(
        definition.contains("mcp-operator-crds"),
        "the upgrade applies the definitions: {definition}"
    );
    println!("helm rollback");
    let back = ["rollback", "mcp-operator", "1", "--namespace", HOME];
    world
        .helm
        .run(&[&back[..], &["--wait", "--timeout=240s"]].concat())?;
    world.is_up()?;
    world.a_server_comes_and_goes()?;

    println!("helm uninstall");
    let gone = ["uninstall", "mcp-operator", "--namespace", HOME];
    world
        .helm
        .run(&[&gone[..], &["--wait", "--timeout=120s"]].concat())?;
    world.delete_home()?;
    world.only_definitions_are_left()
}

fn by_kustomize(world: &World) -> Result<()> {
    println!("kubectl apply -k");
    install_definitions(world.kubectl())?;
    let overlay = repository().join("deploy/overlays/local");
    let overlay = overlay.to_string_lossy();
    world.apply_overlay()?;
    world.is_up()?;
    world.a_server_comes_and_goes()?;
    println!("kubectl delete -k");
    world
        .kubectl()
        .run(&["delete", "--kustomize", &overlay, "--timeout=120s"])?;
    world.only_definitions_are_left()
}

/// As deploy/UPGRADE.md has it: what kustomize made becomes a release, and nothing goes in between.
fn from_kustomize_to_helm(world: &World) -> Result<()> {
    println!("kubectl apply -k, then helm install --take-ownership");
    world.apply_overlay()?;
    world.is_up()?;
    let uid = [
        "get",
        OPERATOR,
        IN_HOME,
        "--output=jsonpath={.metadata.uid}",
    ];
    let before = world.kubectl().run(&uid)?;
    let takes = ["--take-ownership", "--force-conflicts"];
    world.chart("install", "mcp-operator", HOME, &takes)?;
    world.is_up()?;
    ensure!(world.kubectl().run(&uid)? == before, "it was made anew");
    // Of what is in the pods, kubectl is a manager as before.
    let changed = [
        "--force-conflicts",
        "--set",
        "options.registry-resync-seconds=30",
    ];
    world.chart("upgrade", "mcp-operator", HOME, &changed)?;
    world.is_up()?;
    ensure!(world.kubectl().run(&uid)? == before, "it was made anew");
    world.a_server_comes_and_goes()?;
    let gone = ["uninstall", "mcp-operator", "--namespace", HOME];
    world
        .helm
        .run(&[&gone[..], &["--wait", "--timeout=120s"]].concat())?;
    world.delete_home()?;
    world.only_definitions_are_left()
}
