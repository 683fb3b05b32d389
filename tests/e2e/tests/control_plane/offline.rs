//! `render` and `check`, beside the cluster that they speak of.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use mcp_cluster::repository;
use mcp_e2e::eventually;
use serde_json::{Value, json};

use crate::world::{SOON, World, environment};

const KINDS: &str = "serviceaccount,configmap,service,poddisruptionbudget,deployment,horizontalpodautoscaler,networkpolicy";

/// The program without a cluster, with the policy of this one.
fn offline(world: &World, command: &str, manifest: &str) -> Result<(String, String, Option<i32>)> {
    let names = [
        "get",
        "mcpplugin",
        "validation",
        "compliance",
        "tenancy",
        "--output=yaml",
    ];
    // A namespace among the manifests is what `check` and `render` know of it.
    let namespace = world
        .kubectl
        .run(&["get", "namespace", &world.namespace, "--output=yaml"])?;
    let manifests = format!("{manifest}\n---\n{namespace}");
    offline_by(&world.kubectl.run(&names)?, command, &manifests)
}

/// The same, with another policy.
fn offline_by(
    policy: &str,
    command: &str,
    manifest: &str,
) -> Result<(String, String, Option<i32>)> {
    let file = tempfile::NamedTempFile::with_suffix(".yaml")?;
    std::fs::write(file.path(), policy)?;
    let environment = environment();
    let mut child = Command::new(&environment.artifacts.operator)
        .args([command, "--filename", "-", "--plugins"])
        .arg(file.path())
        .arg("--builtin-plugins")
        .arg(&environment.artifacts.plugins)
        .arg("--cache-dir")
        .arg(environment.logs.join("components"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().context("no input")?;
    input.write_all(manifest.as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    Ok((
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
        output.status.code(),
    ))
}

/// The manifests of the golden files, as users of this cluster would write them.
fn manifests(world: &World) -> Result<Vec<Value>> {
    let folder = repository().join("host/operator/tests/offline/servers");
    let mut files: Vec<PathBuf> = folder
        .read_dir()?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    files.sort();
    let mut manifests = Vec::new();
    for file in files {
        let path = file.to_str().context("a path is no text")?;
        let mut manifest = world.kubectl.json(&[
            "create",
            "--dry-run=client",
            "--validate=false",
            "--filename",
            path,
        ])?;
        let name = file.file_stem().and_then(|name| name.to_str());
        manifest["metadata"] = json!({ "name": name, "namespace": world.namespace, "labels": manifest["metadata"]["labels"] });
        manifest["spec"]["image"]["repository"] = "docker.io/local/mcp-weather".into();
        manifest["spec"]["litellm"]["autoRegister"] = false.into();
        if manifest["spec"]["resources"]["limits"].is_null() {
            manifest["spec"]["resources"] =
                json!({ "limits": { "cpu": "500m", "memory": "64Mi" } });
        }
        manifests.push(manifest);
    }
    Ok(manifests)
}

#[test]
fn what_is_rendered_is_what_was_applied() -> Result<()> {
    let world = World::allowed(
        "rendered",
        &[
            ("secret-keys", "mcp/*,github/*"),
            ("iam-roles", "*"),
            ("access-groups", "litellm-*"),
            ("tracing-namespaces", "monitoring"),
        ],
    );
    let manifests = manifests(&world)?;
    ensure!(manifests.len() > 10);
    for manifest in &manifests {
        world.apply(manifest)?;
    }
    for manifest in &manifests {
        let name = manifest["metadata"]["name"].as_str().context("no name")?;
        let mut stored = world.get("mcpserver", name)?;
        let (rendered, errors, code) = offline(&world, "render", &stored.to_string())?;
        ensure!((errors.as_str(), code) == ("", Some(0)), "{name}: {errors}");
        eventually(name, SOON, || is_applied(&world, name, &rendered))?;

        // What the user wrote becomes the same; only the uid is not known.
        stored["metadata"]["uid"].take();
        let without_uid = offline(&world, "render", &stored.to_string())?.0;
        ensure!(
            offline(&world, "render", &manifest.to_string())?.0 == without_uid,
            "{name}"
        );
        ensure!(rendered.matches("uid: ").count() == rendered.matches("kind: MCPServer").count());
        ensure!(!without_uid.contains("ownerReferences"));
    }
    Ok(())
}

/// As the operator's own apply, it would change nothing: neither a value nor who owns which field.
fn is_applied(world: &World, server: &str, rendered: &str) -> Result<()> {
    let selector = format!("--selector=mcp.litellm.ai/server={server}");
    let live = world.kubectl.json(&[
        "get",
        KINDS,
        "--namespace",
        &world.namespace,
        &selector,
        "--show-managed-fields",
    ])?;
    let args = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "--field-manager=mcp-operator",
        "--show-managed-fields",
        "--output=json",
        "--filename",
        "-",
    ];
    // Other tests install and remove the APIs of these two.
    let is_served = |document: &&str| {
        !document.contains("\nkind: ExternalSecret\n")
            && !document.contains("\nkind: ServiceMonitor\n")
    };
    let rendered: Vec<&str> = rendered.split("---\n").filter(is_served).collect();
    let applied: Value =
        serde_json::from_str(&world.kubectl.pipe(&args, &rendered.join("---\n"))?)?;
    let (live, applied) = (owned(&live), owned(&applied));
    ensure!(
        live.len() == applied.len(),
        "{} objects, {} rendered",
        live.len(),
        applied.len()
    );
    for applied in applied {
        ensure!(live.contains(&applied), "{applied} is not among {live:?}");
    }
    Ok(())
}

/// The objects of a list, without what others write.
fn owned(list: &Value) -> Vec<Value> {
    let items = list["items"].as_array().into_iter().flatten();
    items
        .map(|item| {
            let mut item = item.clone();
            let managed = item["metadata"]["managedFields"].take();
            let ours =
                managed.as_array().into_iter().flatten().find(|entry| {
                    entry["manager"] == "mcp-operator" && entry["operation"] == "Apply"
                });
            item["metadata"]["managedFields"] =
                ours.map_or(Value::Null, |entry| entry["fieldsV1"].clone());
            item["metadata"]["resourceVersion"].take();
            item["status"].take();
            item
        })
        .collect()
}

#[test]
fn what_is_checked_is_told_in_the_words_of_the_real_one() -> Result<()> {
    let world = World::new("checked");
    let mut different = Vec::new();
    let names = json!([{ "name": "A" }, { "name": "A" }]);
    for spec in [
        json!({ "port": 0 }),
        // Of replicas that are no number, the API server's scale subresource has words of its own, which `check` has not.
        json!({ "port": 70000 }),
        json!({ "port": 4_000_000_000_u32 }),
        json!({ "replicas": 0 }),
        json!({ "transport": "stdio", "path": "mcp" }),
        json!({ "transport": 5 }),
        json!({ "path": "mcp", "port": 0 }),
        json!({ "image": { "tag": 5, "repository": "", "digest": "sha256:1" } }),
        json!({ "image": { "repository": null } }),
        json!({ "image": "docker.io/local/mcp-weather" }),
        json!({ "config": [] }),
        json!({ "config": { "": 1, ("a".repeat(254)): "b" } }),
        json!({ "args": [1, {}] }),
        json!({ "env": names, "secrets": [{ "awsSecretKey": "x" }] }),
        json!({ "env": [{ "name": "1" }, { "name": "B", "value": "x", "valueFrom": {} }] }),
        json!({ "secrets": [{ "name": "a".repeat(254), "awsSecretKey": "x" }] }),
        json!({ "resources": { "limits": { "cpu": "much", "memory": [] } } }),
        json!({ "observability": { "tracing": { "samplingRate": 2, "jaegerEndpoint": "jaeger" } } }),
        json!({ "podDisruptionBudget": { "minAvailable": true, "maxUnavailable": "half" } }),
        json!({ "podDisruptionBudget": { "minAvailable": 1, "maxUnavailable": 1 } }),
        json!({ "autoscaling": { "minReplicas": 3, "maxReplicas": 2 } }),
        json!({ "autoscaling": {} }),
        json!({ "path": format!("/{}", "a".repeat(256)), "args": vec!["a"; 257] }),
        json!({ "resources": { "limits": (0..17).map(|i| (format!("a{i}"), json!(1))).collect::<serde_json::Map<_, _>>() } }),
        json!({ "image": { "tag": "a:b", "repository": "a:b@c" }, "replicas": 1001 }),
        json!({ "networkPolicy": { "egress": [{ "cidr": "169.254.169.254/32", "ports": [0] }] } }),
        json!({ "networkPolicy": { "egress": [{ "cidr": "169.254.169.254/32" }, { "cidr": "0.0.0.0/0" }, { "cidr": "ten" }] } }),
        json!({ "secrets": [{ "name": "a", "awsSecretKey": "team-b/token" }], "aws": { "iamRole": "arn:aws:iam::1:role/x" } }),
        json!({ "replica": 2, "image": { "tags": "1" } }),
        json!({ "image": { "tag": "latest" }, "resources": { "limits": null }, "secrets": [{ "name": "token" }] }),
    ] {
        different.extend(other_words(&world, &world.server("a", spec))?);
    }
    different.extend(other_words(
        &world,
        &world.server(&"a".repeat(51), json!({})),
    )?);
    let mut manifest = world.server("a", json!({}));
    manifest["metadata"]["label"] = json!({});
    manifest["sepc"] = manifest["spec"].take();
    different.extend(other_words(&world, &manifest)?);
    manifest
        .as_object_mut()
        .context("no object")?
        .retain(|name, _| name != "spec" && name != "sepc");
    manifest["metadata"] = json!({ "name": "a", "namespace": world.namespace });
    different.extend(other_words(&world, &manifest)?);

    ensure!(different.is_empty(), "{}", different.join("\n\n"));

    let manifest = world.server("a", json!({}));
    let (out, errors, code) = offline(&world, "check", &manifest.to_string())?;
    ensure!(
        (out.as_str(), errors.as_str(), code)
            == (
                "mcpserver.mcp.litellm.ai/a admitted by compliance, tenancy, validation\n",
                "",
                Some(0)
            ),
        "{out}{errors}"
    );
    world.apply(&manifest).map(drop)
}

/// What `check` and kubectl say, if it is not the same. Of several errors, the order is the API server's own.
fn other_words(world: &World, manifest: &Value) -> Result<Option<String>> {
    let refused = world.refused(manifest);
    let (_, told, code) = offline(world, "check", &manifest.to_string())?;
    let expected = if refused.contains("(BadRequest)") {
        2
    } else {
        1
    };
    let lines = |text: &str| -> BTreeSet<String> {
        let starts = ["The MCPServer", "Error from server"];
        let from = starts.iter().filter_map(|start| text.find(start)).min();
        let lines = text[from.unwrap_or(0)..].lines();
        lines.map(|line| line.trim_end().to_owned()).collect()
    };
    let is_same = code == Some(expected) && lines(&told) == lines(&refused);
    Ok((!is_same).then(|| format!("check: {code:?} {told}\nkubectl: {refused}")))
}

/// A plugin that fails is nobody's mistake in a manifest.
#[test]
fn a_plugin_that_fails_leaves_the_question_open() -> Result<()> {
    let world = World::new("unanswered");
    let file = environment()
        .artifacts
        .fixtures
        .join("mcp_plugin_fixture.wasm");
    let policy = |failure_policy: &str| {
        let spec = json!({
            "source": { "file": file }, "settings": { "validate": "panic" }, "failurePolicy": failure_policy,
        });
        let metadata = json!({ "name": "panicking" });
        json!({ "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": metadata, "spec": spec })
            .to_string()
    };
    let manifest = world.server("a", json!({})).to_string();
    for command in ["check", "render"] {
        let (out, told, code) = offline_by(&policy("Fail"), command, &manifest)?;
        ensure!((out.as_str(), code) == ("", Some(2)), "{out}{told}");
        let expected = "error: STDIN: MCPServer a: the request may be in order, but could not be judged: plugin panicking: ";
        ensure!(
            told.starts_with(expected) && told.lines().count() == 1,
            "{told}"
        );
    }
    // It is the object that makes it panic.
    let (_, told, code) = offline_by(&policy("Ignore"), "check", &manifest)?;
    ensure!(
        code == Some(2)
            && told.contains("plugin panicking: ")
            && told.contains("failurePolicy Ignore covers"),
        "{told}"
    );
    Ok(())
}
