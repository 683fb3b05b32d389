//! The whole way, on a node that runs containers: apply, serve, register, call; delete, and nothing is left.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_cluster::{Cache, LiteLlm, repository, rolled_out};
use mcp_e2e::{Environment, eventually};
use serde_json::{Value, json};

#[test]
fn a_manifest_becomes_a_tool_in_litellm_and_goes_again() -> Result<()> {
    let environment = Environment::open()?;
    let kubectl = &environment.kubectl;
    let litellm = LiteLlm::install(&Cache::open()?)?;
    let sample = repository()
        .join("deploy/samples/weather.yaml")
        .to_string_lossy()
        .into_owned();
    assert!(
        litellm.tools(kubectl)?.is_empty(),
        "nothing is registered yet"
    );

    // Pods are only admitted there as the compliance plugin makes them.
    kubectl.run(&["create", "namespace", "tools"])?;
    let restricted = "pod-security.kubernetes.io/enforce=restricted";
    kubectl.run(&["label", "namespace", "tools", restricted])?;
    kubectl.run(&["apply", "--filename", &sample])?;
    kubectl.run(&[
        "wait",
        "mcpserver/weather",
        "--namespace=tools",
        "--for=condition=DeploymentReady",
        "--timeout=60s",
    ])?;
    kubectl.run(&[
        "wait",
        "mcpserver/weather",
        "--namespace=tools",
        "--for=condition=Ready",
        "--timeout=240s",
    ])?;

    let server = kubectl.json(&["get", "mcpserver", "weather", "--namespace=tools"])?;
    assert_eq!(server["status"]["phase"], "Ready");
    assert_eq!(server["status"]["ready"], "2/2");
    assert_eq!(server["status"]["litellm"]["name"], "tools_weather");

    // A connection may still find a pod that has just gone.
    let soon = Duration::from_secs(30);
    eventually("LiteLLM offers the tools", soon, || {
        let tools = litellm.tools(kubectl)?;
        ensure!(
            tools == ["tools_weather-add", "tools_weather-whoami"],
            "{tools:?}"
        );
        Ok(())
    })?;
    assert_eq!(
        litellm.call(kubectl, "tools_weather-add", &json!({ "a": 40, "b": 2 }))?,
        "42"
    );
    let who = litellm.call(kubectl, "tools_weather-whoami", &json!({}))?;
    assert!(
        who.contains(r#""greeting":"hello""#),
        "the configuration reaches the server: {who}"
    );

    // Pods that were admitted under Pod Security `restricted` would start anywhere.
    let pods = kubectl.json(&["get", "pods", "--namespace=tools"])?;
    let security = &pods["items"][0]["spec"]["containers"][0]["securityContext"];
    assert_eq!(security["readOnlyRootFilesystem"], true);
    assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));

    kubectl.run(&["delete", "--filename", &sample])?;
    eventually("the objects are gone", Duration::from_mins(1), || {
        let left = kubectl.run(&[
            "get",
            "deployments,services,poddisruptionbudgets,pods",
            "--namespace=tools",
            "--output=name",
        ])?;
        ensure!(left.is_empty(), "{left}");
        Ok(())
    })?;
    eventually("the proxy is rolled", Duration::from_secs(30), || {
        let map = kubectl.json(&[
            "get",
            "configmap",
            "litellm-mcp-servers",
            "--namespace=litellm",
        ])?;
        ensure!(map["data"]["mcp_servers.yaml"] == "{}\n", "{map}");
        Ok(())
    })?;
    eventually("the tools are gone", Duration::from_mins(4), || {
        rolled_out(kubectl)?;
        let tools = litellm.tools(kubectl)?;
        ensure!(tools.is_empty(), "{tools:?}");
        Ok(())
    })
}

#[test]
fn three_mistakes_are_told_in_one_answer() -> Result<()> {
    let environment = Environment::open()?;
    let sample = repository().join("deploy/samples/denied.yaml");
    let mut manifest = std::fs::read_to_string(sample)?;
    manifest = manifest.replace("namespace: tools", "namespace: default");
    let refused = environment
        .kubectl
        .pipe(&["apply", "--filename", "-"], &manifest)
        .unwrap_err()
        .to_string();
    for cause in [
        "* spec.image.tag: ",
        "* spec.resources.limits: ",
        "* spec.secrets[0].awsSecretKey: ",
    ] {
        assert!(refused.contains(cause), "{refused}");
    }
    assert_eq!(refused.matches("\n* ").count(), 3, "{refused}");
    Ok(())
}

/// LiteLLM does not start with a file that it does not understand: every form that we write goes through its own loader,
/// and it knows everything that the file says.
#[test]
fn litellm_itself_loads_every_golden_file() -> Result<()> {
    let litellm = LiteLlm::install(&Cache::open()?)?;
    let golden = repository().join("plugins/litellm-configmap/tests/golden");
    let mut files = std::fs::read_dir(golden)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.sort();
    assert!(files.len() >= 13, "{files:?}");
    for (file, loaded) in files.iter().zip(litellm.load(&files)?) {
        let written: Value = serde_yaml_ng::from_str(&std::fs::read_to_string(file)?)?;
        let none = serde_json::Map::new();
        let servers = written["mcp_servers"].as_object().unwrap_or(&none);
        let expected: serde_json::Map<_, _> = servers
            .iter()
            .map(|(name, server)| (name.clone(), as_loaded(server)))
            .collect();
        assert_eq!(loaded, Value::Object(expected), "{}", file.display());
    }
    Ok(())
}

/// What LiteLLM should know of a server from its file.
fn as_loaded(written: &Value) -> Value {
    // Nothing is null, and not an empty text.
    let text = |field: &str| written[field].as_str().filter(|text| !text.is_empty());
    let variable = |field: &str| {
        let variable = text(field)?.strip_prefix("os.environ/").unwrap();
        Some(format!("value of {variable}"))
    };
    json!({
        "server_id": written["server_id"], "url": written["url"], "transport": written["transport"],
        "auth_type": written["auth_type"], "authentication_token": variable("authentication_token"),
        "client_id": variable("client_id"), "client_secret": variable("client_secret"),
        "oauth2_flow": written["oauth2_flow"], "token_url": written["token_url"], "scopes": written["scopes"],
        "description": text("description"),
        "access_groups": written["access_groups"], "allowed_tools": written["allowed_tools"],
        "mcp_info": written["mcp_info"],
        "rpm": written["rpm"], "max_concurrent_requests": written["max_concurrent_requests"],
        "timeout": written["timeout"].as_f64(), "instructions": written["instructions"],
        "allowed_params": written["allowed_params"],
        "protocol_version": written["mcp_info"]["protocol_version"].as_str().unwrap_or("auto"),
    })
}

/// Where a pod does not serve, the status says why in the words of the kubelet.
#[test]
fn a_pod_that_cannot_run_is_told() -> Result<()> {
    let environment = Environment::open()?;
    let kubectl = &environment.kubectl;
    kubectl.run(&["create", "namespace", "broken"])?;
    let server = |name: &str, tag: &str, port: &str| {
        json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": name, "namespace": "broken" },
            "spec": {
                "image": { "repository": "docker.io/local/mcp-weather", "tag": tag }, "replicas": 1,
                "env": [{ "name": "PORT", "value": port }],
                "resources": { "limits": { "cpu": "100m", "memory": "64Mi" } }, "litellm": { "autoRegister": false },
            },
        })
    };
    // The second does not understand its port.
    for (server, reason, message) in [
        (
            server("no-image", "9.9.9", "8080"),
            "ImagePullBackOff",
            "cannot pull image docker.io/local/mcp-weather:9.9.9",
        ),
        (
            server("crashing", "1.0.0", "none"),
            "CrashLoopBackOff",
            "ended with exit code",
        ),
    ] {
        kubectl.apply(&server.to_string())?;
        let name = server["metadata"]["name"].as_str().unwrap();
        eventually(reason, Duration::from_mins(3), || {
            let server = kubectl.json(&["get", "mcpserver", name, "--namespace=broken"])?;
            let conditions = server["status"]["conditions"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let told = conditions.iter().any(|condition| {
                condition["type"] == "Ready"
                    && condition["reason"] == reason
                    && condition["message"].to_string().contains(message)
            });
            ensure!(
                told && server["status"]["phase"] == "Failed",
                "{}",
                server["status"]
            );
            Ok(())
        })?;
    }
    kubectl.run(&["delete", "namespace", "broken"]).map(drop)
}

/// A pod of an older template restarts with exactly what it was made with, for as long as the rollout of its successor does
/// not come to its end (kubernetes/kubernetes#22368).
#[test]
fn kubernetes_22368_an_older_pod_restarts_with_its_own_configuration() -> Result<()> {
    let environment = Environment::open()?;
    let kubectl = &environment.kubectl;
    kubectl.run(&["create", "namespace", "older"])?;
    let namespace = "--namespace=older";
    let server = |tag: &str, config: Value| {
        json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": "a", "namespace": "older" },
            "spec": {
                "image": { "repository": "docker.io/local/mcp-weather", "tag": tag }, "replicas": 1,
                "config": config, "litellm": { "autoRegister": false },
                "resources": { "limits": { "cpu": "100m", "memory": "64Mi" } },
                "observability": { "healthProbes": {
                    "readiness": { "path": "/ready", "initialDelaySeconds": 0, "periodSeconds": 1 },
                } },
            },
        })
    };
    let ready = || {
        let wait = ["wait", "mcpserver/a", namespace, "--timeout=180s"];
        kubectl.run(&[&wait[..], &["--for=condition=DeploymentReady"]].concat())
    };
    // Names of the pods that serve.
    let serving = || -> Result<Vec<String>> {
        let pods = kubectl.json(&["get", "pods", namespace])?;
        let is_ready = |pod: &&Value| {
            let containers = pod["status"]["containerStatuses"].as_array();
            pod["metadata"]["deletionTimestamp"].is_null()
                && containers.is_some_and(|all| all.iter().all(|one| one["ready"] == true))
        };
        let pods = pods["items"].as_array().unwrap().iter().filter(is_ready);
        Ok(pods
            .map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned())
            .collect())
    };
    kubectl.apply(&server("1.0.0", json!({ "greeting": "hello", "mode": "safe" })).to_string())?;
    ready()?;
    let old = serving()?;
    ensure!(old.len() == 1, "{old:?}");

    let stuck = server("9.9.9", json!({ "greeting": "hi" }));
    kubectl.apply(&stuck.to_string())?;
    eventually("the new pod is stuck", Duration::from_mins(3), || {
        let server = kubectl.json(&["get", "mcpserver", "a", namespace])?;
        ensure!(server.to_string().contains("ImagePullBackOff"), "{server}");
        Ok(())
    })?;
    // As when its node is drained.
    kubectl.run(&["delete", "pod", &old[0], namespace])?;
    let mut next = Vec::new();
    eventually("an older pod serves again", Duration::from_mins(2), || {
        next = serving()?;
        ensure!(next.len() == 1 && next != old, "{next:?}");
        Ok(())
    })?;
    let pod = kubectl.json(&["get", "pod", &next[0], namespace])?;
    let variables = pod["spec"]["containers"][0]["env"].as_array().unwrap();
    let mode = variables.iter().find(|variable| variable["name"] == "MODE");
    let map = mode.unwrap()["valueFrom"]["configMapKeyRef"]["name"]
        .as_str()
        .unwrap();
    let map = kubectl.json(&["get", "configmap", map, namespace])?;
    assert_eq!(
        (&map["data"]["MODE"], &map["data"]["GREETING"]),
        (&json!("safe"), &json!("hello"))
    );

    // When it is mended, only what the new pods have is left.
    kubectl.apply(&server("1.0.0", json!({ "greeting": "hi" })).to_string())?;
    eventually("one configuration is left", Duration::from_mins(3), || {
        let selector = "--selector=mcp.litellm.ai/server=a";
        let maps = kubectl.json(&["get", "configmaps", selector, namespace])?;
        let maps = maps["items"].as_array().unwrap();
        ensure!(
            maps.len() == 1 && maps[0]["data"]["GREETING"] == "hi",
            "{maps:?}"
        );
        Ok(())
    })?;
    ready()?;
    kubectl.run(&["delete", "namespace", "older"]).map(drop)
}
