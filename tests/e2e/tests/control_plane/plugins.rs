//! Plugins, put into force, broken, mended and taken away while everything runs.

use anyhow::{Context, Result, ensure};
use mcp_e2e::eventually;
use serde_json::{Value, json};

use crate::world::{OPERATOR, SOON, World, condition, environment};

fn from_map(name: &str) -> Value {
    json!({ "source": { "configMap": { "namespace": OPERATOR, "name": name } } })
}

#[test]
fn a_rule_of_ones_own_is_in_force_at_once_and_ends_with_its_plugin() -> Result<()> {
    let world = World::new("own-rule");
    let manifest = world.server("a", json!({}));
    world.kubectl.pipe(
        &["create", "--dry-run=server", "--filename", "-"],
        &manifest.to_string(),
    )?;

    world.config_map(
        "team",
        &environment()
            .artifacts
            .plugins
            .join("require_team_label.wasm"),
    )?;
    world.apply(&world.plugin("own-rule", from_map("team")))?;
    eventually("the rule is in force", SOON, || {
        let refused = world.kubectl.pipe(
            &["create", "--dry-run=server", "--filename", "-"],
            &manifest.to_string(),
        );
        ensure!(refused.is_err_and(|error| {
            error
                .to_string()
                .contains("metadata.labels[team]: Required value")
        }));
        Ok(())
    })?;
    let plugin = world.plugin_is("own-rule", "True", "InForce")?;
    assert_eq!(
        (&plugin["status"]["interfaces"], &plugin["status"]["name"]),
        (&json!("validator"), &json!("require-team-label"))
    );
    assert_eq!(plugin["status"]["rules"][0]["code"], "team-label");
    assert_eq!(plugin["status"]["contract"], "1.0.0");

    // A broken update: the last good one stays in force, and the condition says so.
    let good = plugin["status"]["digest"].clone();
    let garbage = tempfile::NamedTempFile::new()?;
    std::fs::write(garbage.path(), "this is no component")?;
    world.config_map("team", garbage.path())?;
    let plugin = world.plugin_is("own-rule", "False", "NotAComponent")?;
    assert_eq!(plugin["status"]["digest"], good);
    let message = condition(&plugin, "Ready").unwrap()["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        message.contains("not a WebAssembly component")
            && message.contains("the last good component stays in force"),
        "{message}"
    );
    assert!(world.refused(&manifest).contains("metadata.labels[team]"));

    world.kubectl.run(&["delete", "mcpplugin", "own-rule"])?;
    eventually("the rule ends", SOON, || world.apply(&manifest).map(drop))
}

/// A plugin that is not loaded, in its condition and where servers are applied.
fn says_why_it_refuses(world: &World, name: &str, reason: &str, said: &str) -> Result<()> {
    let plugin = world.plugin_is(name, "False", reason)?;
    let message = condition(&plugin, "Ready").context("no condition")?["message"].to_string();
    assert!(message.contains(said), "{name}: {message}");
    assert!(plugin["status"]["digest"].is_null());
    assert!(
        message.contains("are refused until it is loaded"),
        "{message}"
    );
    let refused = world.refused(&world.server("a", json!({})));
    // These two are known to have rules only, and defaults are asked for first.
    if !["np-trap", "np-settings"].contains(&name) {
        let expected = format!("plugin {name} is not loaded ({reason})");
        assert!(refused.contains(&expected), "{refused}");
    }
    Ok(())
}

#[test]
fn what_is_no_plugin_refuses_what_it_is_for_with_a_reason_and_hurts_nobody_else() -> Result<()> {
    let world = World::new("no-plugin");
    let core_module = tempfile::NamedTempFile::new()?;
    std::fs::write(core_module.path(), b"\0asm\x01\0\0\0")?;
    world.config_map("core-module", core_module.path())?;
    let empty_component = tempfile::NamedTempFile::new()?;
    std::fs::write(empty_component.path(), b"\0asm\x0d\0\x01\0")?;
    world.config_map("other-world", empty_component.path())?;
    world.config_map(
        "trapping",
        &environment()
            .artifacts
            .fixtures
            .join("trap_in_describe.wasm"),
    )?;
    for (name, spec, reason, said) in [
        (
            "np-missing-map",
            from_map("nowhere"),
            "SourceNotFound",
            "kubectl create configmap nowhere",
        ),
        (
            "np-missing-file",
            json!({ "source": { "file": "/nowhere/rule.wasm" } }),
            "SourceNotFound",
            "/nowhere/rule.wasm",
        ),
        (
            "np-builtin",
            json!({ "source": { "builtin": "validations" } }),
            "SourceNotFound",
            "there are: ",
        ),
        (
            "np-core",
            from_map("core-module"),
            "NotAComponent",
            "ConfigMap mcp-operator-system/core-module: plugin np-core: not a WebAssembly component: a core module; build for wasm32-wasip2",
        ),
        (
            "np-world",
            from_map("other-world"),
            "WrongWorld",
            "ConfigMap mcp-operator-system/other-world: plugin np-world: does not fit the plugin contract",
        ),
        (
            "np-trap",
            from_map("trapping"),
            "Trapped",
            "ConfigMap mcp-operator-system/trapping: plugin np-trap: trapped in describe",
        ),
        (
            "np-digest",
            json!({ "source": { "builtin": "validation" }, "sha256": "0".repeat(64) }),
            "DigestMismatch",
            "spec.sha256",
        ),
        (
            "np-settings",
            json!({ "source": { "builtin": "validation" }, "settings": { "allowedRegistry": "x" } }),
            "InvalidSettings",
            "spec.settings.allowedRegistry",
        ),
    ] {
        world.apply(&world.plugin(name, spec))?;
        says_why_it_refuses(&world, name, reason, said)?;
    }
    let other = World::new("no-plugin-neighbour");
    other.apply(&other.server("a", json!({})))?;
    other.deployed("a")?;
    world.kubectl.run(&[
        "delete",
        "mcpplugin",
        "np-missing-map",
        "np-missing-file",
        "np-builtin",
        "np-core",
        "np-world",
        "np-trap",
        "np-digest",
        "np-settings",
    ])?;
    eventually("nothing is missing any more", SOON, || {
        world.apply(&world.server("a", json!({}))).map(drop)
    })
}

#[test]
fn exactly_one_source_must_be_given() {
    let world = World::new("one-source");
    for source in [json!({}), json!({ "builtin": "a", "file": "/b" })] {
        let refused = world.refused(&world.plugin("one-source", json!({ "source": source })));
        assert!(
            refused.contains("exactly one of builtin, file, configMap, oci and url must be given"),
            "{refused}"
        );
    }
}

#[test]
fn a_plugin_that_loops_is_ended_and_its_policy_decides() -> Result<()> {
    let world = World::new("looping");
    let file = environment()
        .artifacts
        .fixtures
        .join("mcp_plugin_fixture.wasm")
        .to_string_lossy()
        .into_owned();
    let looping = |policy: &str| {
        json!({
            "source": { "file": file }, "settings": { "validate": "loop" }, "failurePolicy": policy,
            "limits": { "timeoutMilliseconds": 1000 },
        })
    };
    world.apply(&world.server("old", json!({})))?;
    world.deployed("old")?;
    world.apply(&world.plugin("looping", looping("Fail")))?;
    world.plugin_is("looping", "True", "Standby")?;
    // Nobody can say whether a server that was there is valid; what serves goes on serving.
    world.condition("old", "SpecValid", "Unknown", "DeadlineExceeded")?;
    world.condition("old", "DeploymentReady", "True", "")?;
    // Its slots may be taken by the server that it cannot judge.
    eventually("the request is refused for that", SOON, || {
        let refused = world.refused(&world.server("a", json!({})));
        ensure!(
            refused.contains("plugin looping: validate took longer than 1s"),
            "{refused}"
        );
        Ok(())
    })?;
    // Another namespace's requests are not touched by it.
    let other = World::new("looping-neighbour");
    other.apply(&other.server("a", json!({})))?;
    // It is the object that makes it loop: that must not be a way around the rule.
    world.apply(&world.plugin("looping", looping("Ignore")))?;
    world.plugin_is("looping", "True", "Standby")?;
    eventually("the request is refused all the same", SOON, || {
        let refused = world.refused(&world.server("a", json!({})));
        ensure!(refused.contains("failurePolicy Ignore covers"), "{refused}");
        Ok(())
    })?;
    world.kubectl.run(&["delete", "mcpplugin", "looping"])?;
    eventually("it is not asked any more", SOON, || {
        world.apply(&world.server("a", json!({}))).map(drop)
    })?;
    world
        .condition("old", "SpecValid", "True", "Valid")
        .map(drop)
}

/// Whoever holds a value that is nested thousands deep ends when it drops it.
#[test]
fn a_plugin_that_nests_without_end_ends_nobody() -> Result<()> {
    let world = World::new("nesting");
    let fixtures = &environment().artifacts.fixtures;
    let file = fixtures.join("mcp_plugin_fixture.wasm");
    world.apply(&world.plugin(
        "nesting",
        json!({ "source": { "file": file }, "settings": { "defaults": "nest" } }),
    ))?;
    world.plugin_is("nesting", "True", "Standby")?;
    let refused = world.refused(&world.server("a", json!({})));
    assert!(
        refused.contains("plugin nesting: rule nest cannot be applied to MCPServer: a path has more than 128 parts"),
        "{refused}"
    );
    world.kubectl.run(&["delete", "mcpplugin", "nesting"])?;
    eventually("it is not asked any more", SOON, || {
        world.apply(&world.server("a", json!({}))).map(drop)
    })?;
    world.deployed("a").map(drop)
}

#[test]
fn a_rule_that_comes_later_shows_in_the_condition_and_keeps_what_serves() -> Result<()> {
    let world = World::new("later-rule");
    world.apply(&world.server("a", json!({})))?;
    world.deployed("a")?;
    let file = environment()
        .artifacts
        .plugins
        .join("require_team_label.wasm")
        .to_string_lossy()
        .into_owned();
    world.apply(&world.plugin("later-rule", json!({ "source": { "file": file } })))?;
    let found = world.condition("a", "SpecValid", "False", "Invalid")?;
    assert!(
        found["message"]
            .as_str()
            .unwrap()
            .contains("metadata.labels[team]"),
        "{found}"
    );
    world.get("deployment", "mcp-a")?;
    world.kubectl.run(&["delete", "mcpplugin", "later-rule"])?;
    world.condition("a", "SpecValid", "True", "Valid").map(drop)
}

/// The namespace admits only pods that satisfy the profile, whoever makes them.
#[test]
fn what_compliance_completes_passes_pod_security_restricted() -> Result<()> {
    let world = World::new("restricted");
    let restricted = "pod-security.kubernetes.io/enforce=restricted";
    world
        .kubectl
        .run(&["label", "namespace", "restricted", restricted])?;
    let bare = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "bare", "namespace": "restricted" }, "spec": { "containers": [{ "name": "a", "image": "a" }] } });
    let refused = world.refused(&bare);
    assert!(refused.contains("violates PodSecurity"), "{refused}");
    world.apply(&world.server("a", json!({})))?;
    world.deployed("a").map(drop)
}

#[test]
fn warn_shows_and_audit_is_silent() -> Result<()> {
    let world = World::new("modes");
    let file = environment()
        .artifacts
        .plugins
        .join("require_team_label.wasm")
        .to_string_lossy()
        .into_owned();
    let rule =
        |mode: &str| world.plugin("modes", json!({ "source": { "file": file }, "mode": mode }));
    let dry_run = || {
        let manifest = world.server("a", json!({})).to_string();
        world.kubectl.pipe_with_warnings(
            &["create", "--dry-run=server", "--filename", "-"],
            &manifest,
        )
    };
    world.apply(&rule("warn"))?;
    world.plugin_is("modes", "True", "InForce")?;
    eventually("the warning is shown", SOON, || {
        let said = dry_run()?;
        ensure!(
            said.contains("Warning: metadata.labels[team]: Required value"),
            "{said}"
        );
        Ok(())
    })?;
    world.apply(&rule("audit"))?;
    eventually("the warning is gone", SOON, || {
        let said = dry_run()?;
        ensure!(!said.contains("Warning"), "{said}");
        Ok(())
    })?;
    world.kubectl.run(&["delete", "mcpplugin", "modes"])?;
    Ok(())
}

/// Whoever may create MCPPlugins may not read Secrets, write rules of others or change the cluster by it.
#[test]
fn a_plugin_that_would_reach_too_far_is_not_stored() -> Result<()> {
    let world = World::new("too-far");
    let builtin = json!({ "builtin": "validation" });
    let connection = |reference: Value| json!([{ "name": "a", "baseUrl": "https://evil.example", "auth": { "secretKeyRef": reference } }]);
    let foreign = json!({ "namespace": "kube-system", "name": "a", "key": "token" });
    for (spec, said) in [
        (
            json!({ "source": builtin, "connections": connection(foreign) }),
            r#"unknown field "spec.connections[0].auth.secretKeyRef.namespace""#,
        ),
        (
            json!({ "source": builtin, "verify": { "publicKeys": ["a"] } }),
            r#"unknown field "spec.verify""#,
        ),
        (
            json!({ "source": { "configMap": { "namespace": "default", "name": "rule" } } }),
            "spec.sha256: Required value: code from a ConfigMap of another namespace than mcp-operator-system",
        ),
        (
            json!({ "source": { "oci": { "reference": "acme/rule:1" } } }),
            "spec.source.oci.reference: Invalid value: it must begin with the host of a registry",
        ),
        (
            json!({ "source": { "oci": { "reference": "ghcr.io/acme/rule:1", "plainHttp": true } } }),
            "spec.source.oci.plainHttp: Invalid value: only a registry at the operator's own address",
        ),
        (
            json!({ "source": { "url": "http://rules.acme.io/rule.wasm" } }),
            "spec.source.url in body should match",
        ),
        (
            json!({ "source": { "builtin": "validation", "verify": { "publicKeys": [{ "pem": "a" }] } } }),
            "verify is for what comes from outside of the operator's image",
        ),
        (
            json!({ "source": { "builtin": "validation", "caBundle": "a" } }),
            "caBundle and caConfigMap are for oci and url",
        ),
        (
            json!({ "source": { "oci": { "reference": "ghcr.io/acme/rule:1" }, "verify": { "publicKeys": [{}] } } }),
            "exactly one of pem, secretKeyRef and configMapKeyRef must be given",
        ),
        (
            json!({ "source": builtin, "grants": { "configMaps": [{ "namespace": "kube-system", "name": "coredns" }] } }),
            "spec.grants.configMaps[0]: Invalid value: must not be in a namespace that begins with kube-",
        ),
        (
            json!({ "source": builtin, "grants": { "workloads": [{ "namespace": OPERATOR, "name": "mcp-operator" }] } }),
            "spec.grants.workloads[0].namespace: Forbidden: the operator's own namespace is never granted",
        ),
    ] {
        let refused = world.refused(&world.plugin("too-far", spec));
        assert!(refused.contains(said), "{refused}");
    }
    let pinned = json!({
        "source": { "configMap": { "namespace": "default", "name": "rule" } }, "sha256": "0".repeat(64), "mode": "audit",
    });
    world.apply(&world.plugin("too-far", pinned))?;
    world.kubectl.run(&["delete", "mcpplugin", "too-far"])?;
    Ok(())
}
