//! Each recipe becomes Ready, and a tool of it is called through LiteLLM, which knows it by the name of its Service.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mcp_cluster::{Cache, Kubectl, LiteLlm, repository};
use mcp_e2e::{Environment, eventually};
use serde_json::json;

use crate::SOON;

/// Each recipe with its server, and a tool that adds two numbers.
const RECIPES: [(&str, &str, &str, &str); 6] = [
    ("python", "tools", "python", "add"),
    ("npm", "tools", "npm", "get-sum"),
    ("stateful", "tools", "stateful", "add"),
    ("hosts", "tools", "hosts", "add"),
    ("credentials", "tenants", "secured", "add"),
    ("private-registry", "tools", "private", "add"),
];

#[test]
fn each_recipe_becomes_a_tool() -> Result<()> {
    let environment = Environment::open()?;
    let kubectl = &environment.kubectl;
    let litellm = LiteLlm::install(&Cache::open()?)?;
    for namespace in ["tools", "tenants"] {
        kubectl.run(&["create", "namespace", namespace])?;
        let restricted = "pod-security.kubernetes.io/enforce=restricted";
        kubectl.run(&["label", "namespace", namespace, restricted])?;
    }
    let secret = [
        "create",
        "secret",
        "generic",
        "secured-token",
        "--namespace=tenants",
    ];
    kubectl.run(&[&secret[..], &["--from-literal=token=token-of-secured"]].concat())?;
    let registry = [
        "create",
        "secret",
        "docker-registry",
        "acme",
        "--namespace=tools",
    ];
    let login = [
        "--docker-server=docker.io",
        "--docker-username=a",
        "--docker-password=b",
    ];
    kubectl.run(&[&registry[..], &login].concat())?;
    let folder = repository().join("deploy/samples/recipes");
    ensure!(
        fs::read_dir(&folder)?.count() == RECIPES.len(),
        "each file of {} is tested",
        folder.display()
    );
    kubectl.run(&["apply", "--filename", &folder.to_string_lossy()])?;
    for (_, namespace, name, _) in RECIPES {
        eventually(&format!("{name} is ready"), SOON, || {
            let server = kubectl.json(&["get", "mcpserver", name, "--namespace", namespace])?;
            ensure!(
                server["status"]["phase"] == "Ready",
                "{}",
                server["status"]["conditions"]
            );
            Ok(())
        })?;
    }
    for (_, namespace, name, tool) in RECIPES {
        let server = kubectl.json(&["get", "mcpserver", name, "--namespace", namespace])?;
        let known = server["status"]["litellm"]["name"]
            .as_str()
            .context("it has no name")?;
        let tool = format!("{known}-{tool}");
        // A connection may still find a pod of LiteLLM that has just gone.
        eventually(&format!("{tool} answers"), SOON, || {
            let sum = litellm.call(kubectl, &tool, &json!({ "a": 40, "b": 2 }))?;
            ensure!(sum.contains("42"), "{sum}");
            Ok(())
        })?;
        let pods = kubectl.json(&["get", "pods", "--namespace", namespace, &of(name)])?;
        for pod in pods["items"].as_array().into_iter().flatten() {
            let container = &pod["status"]["containerStatuses"][0];
            ensure!(container["restartCount"] == 0, "{container}");
            // No registry asks on this node: that the kubelet has what it would answer with is what can be seen.
            let pull = &pod["spec"]["imagePullSecrets"];
            let wanted = json!([{ "name": "acme" }]);
            ensure!(name != "private" || *pull == wanted, "{pull}");
        }
    }
    calls_reach_all_pods(kubectl, &litellm)
}

/// LiteLLM is one client: what is not told to stick to one pod reaches both.
fn calls_reach_all_pods(kubectl: &Kubectl, litellm: &LiteLlm) -> Result<()> {
    let who = || -> Result<BTreeMap<String, usize>> {
        let answers = litellm.call_often(kubectl, 60, "tools_python-whoami", &json!({}))?;
        let mut pods = BTreeMap::new();
        for answer in answers {
            *pods.entry(answer).or_default() += 1;
        }
        Ok(pods)
    };
    let pods = who()?;
    ensure!(
        pods.len() == 2 && pods.values().all(|calls| *calls >= 20),
        "{pods:?}"
    );
    let sticky = json!({ "spec": { "sessions": "Sticky" } }).to_string();
    let patch = [
        "patch",
        "mcpserver",
        "python",
        "--namespace=tools",
        "--type=merge",
        "--patch",
    ];
    kubectl.run(&[&patch[..], &[&sticky]].concat())?;
    // As soon as the node's rules follow.
    eventually("one pod answers", Duration::from_mins(1), || {
        let pods = who()?;
        ensure!(pods.len() == 1, "{pods:?}");
        Ok(())
    })
}

fn of(server: &str) -> String {
    format!("--selector=mcp.litellm.ai/server={server}")
}
