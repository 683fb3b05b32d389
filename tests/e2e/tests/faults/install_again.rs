//! The manifests, after an operator ran beside the cluster.

use anyhow::{Context, Result, ensure};
use mcp_cluster::repository;
use mcp_e2e::Operator;

use crate::world::World;

const CONFIGURATIONS: [&str; 2] = [
    "mutatingwebhookconfiguration",
    "validatingwebhookconfiguration",
];

/// The address of an operator beside the cluster stands where the Service belongs, and only one of them may be there.
#[test]
fn the_manifests_can_be_applied_again_by_the_command_that_the_page_names() -> Result<()> {
    let world = World::start("install-again")?;
    drop(Operator::start(&world.own.environment, "install-again")?);
    let base = repository().join("deploy/base");
    let apply = [
        "apply",
        "--server-side",
        "--kustomize",
        &base.to_string_lossy(),
    ];
    let forced = [&apply[..], &["--force-conflicts"]].concat();
    let error = world
        .kubectl()
        .run(&forced)
        .err()
        .context("it was accepted")?;
    ensure!(format!("{error:#}").contains("url"), "{error:#}");

    let page = std::fs::read_to_string(repository().join("deploy/INSTALL.md"))?;
    let command =
        "kubectl delete mutatingwebhookconfiguration,validatingwebhookconfiguration mcp-operator";
    ensure!(
        page.contains(command),
        "deploy/INSTALL.md does not name {command}"
    );
    let arguments: Vec<&str> = command.split(' ').skip(1).collect();
    world.kubectl().run(&arguments)?;
    world.kubectl().run(&forced)?;
    for kind in CONFIGURATIONS {
        let found = world.kubectl().json(&["get", kind, "mcp-operator"])?;
        for webhook in found["webhooks"].as_array().context("no webhooks")? {
            let client = &webhook["clientConfig"];
            ensure!(
                client["url"].is_null()
                    && client["service"]["name"] == "mcp-operator-webhook-service",
                "{client}"
            );
        }
    }
    Ok(())
}

/// What an installation had before there was a chart, as far as names go: its Deployment knows no lease.
const FORMER: &str = r#"{"apiVersion": "v1", "kind": "List", "items": [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mcp-operator-system"}},
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mcp-operator", "namespace": "mcp-operator-system"}},
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mcp-operator-webhook", "namespace": "mcp-operator-system"},
     "spec": {"selector": {"app.kubernetes.io/name": "mcp-operator"}, "ports": [{"port": 443}]}},
    {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "mcp-operator", "namespace": "mcp-operator-system"},
     "spec": {"replicas": 0, "selector": {"matchLabels": {"app.kubernetes.io/name": "mcp-operator"}},
      "template": {"metadata": {"labels": {"app.kubernetes.io/name": "mcp-operator"}},
       "spec": {"containers": [{"name": "operator", "image": "mcp-operator:0.1.0"}]}}}},
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "mcp-operator"}, "rules": []},
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "mcp-operator"},
     "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "mcp-operator"}},
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
     "metadata": {"name": "mcp-operator", "namespace": "mcp-operator-system"}, "rules": []},
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
     "metadata": {"name": "mcp-operator", "namespace": "mcp-operator-system"},
     "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "mcp-operator"},
     "subjects": [{"kind": "ServiceAccount", "name": "mcp-operator", "namespace": "mcp-operator-system"}]}
]}"#;

/// Names changed once: what had the former ones goes by the commands of the page, and the manifests are applied as always.
#[test]
fn an_installation_with_former_names_goes_by_the_commands_of_the_upgrade() -> Result<()> {
    let world = World::start("former-names")?;
    // The operator's cluster has the present manifests already, beside which the former objects stand.
    world.kubectl().apply(FORMER)?;
    let page = std::fs::read_to_string(repository().join("deploy/UPGRADE.md"))?;
    let commands: Vec<Vec<&str>> = page
        .lines()
        .filter_map(|line| line.strip_prefix("$ kubectl delete --ignore-not-found "))
        .map(|rest| rest.split(' ').collect())
        .collect();
    ensure!(commands.len() == 2, "deploy/UPGRADE.md: {commands:?}");
    for arguments in &commands {
        world
            .kubectl()
            .run(&[&["delete"], &arguments[..]].concat())?;
    }
    let base = repository().join("deploy/base");
    let base = base.to_string_lossy();
    let apply = ["apply", "--server-side", "--force-conflicts", "--kustomize"];
    world.kubectl().run(&[&apply[..], &[&base]].concat())?;

    let names = |kinds: &str| -> Result<Vec<String>> {
        let namespace = "--namespace=mcp-operator-system";
        let found = world
            .kubectl()
            .run(&["get", kinds, namespace, "--output=name"])?;
        let ours = found.lines().filter(|line| line.contains("/mcp-operator"));
        Ok(ours.map(str::to_owned).collect())
    };
    let left = names("deployments,serviceaccounts,services")?;
    ensure!(
        left == [
            "deployment.apps/mcp-operator-controller-manager",
            "serviceaccount/mcp-operator-controller-manager",
            "service/mcp-operator-metrics",
            "service/mcp-operator-webhook-service",
        ],
        "{left:?}"
    );
    let roles = names("clusterroles,clusterrolebindings")?;
    ensure!(
        roles.iter().all(|name| !name.ends_with("/mcp-operator")),
        "{roles:?}"
    );
    let role = world.kubectl().json(&[
        "get",
        "rolebinding",
        "mcp-operator",
        "--namespace=mcp-operator-system",
    ])?;
    ensure!(
        role["subjects"][0]["name"] == "mcp-operator-controller-manager",
        "{role}"
    );
    Ok(())
}
