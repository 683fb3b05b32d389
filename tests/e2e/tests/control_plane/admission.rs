//! What users read when something is wrong.

use anyhow::{Result, ensure};
use mcp_e2e::eventually;
use serde_json::json;

use crate::world::{SOON, World};

#[test]
fn all_mistakes_are_told_in_one_answer_in_kubectls_words() {
    let world = World::new("denied");
    let refused = world.refused(&world.server(
        "github",
        json!({ "image": { "tag": "latest" }, "resources": { "limits": { "memory": null } }, "secrets": [{ "name": "token" }] }),
    ));
    let expected = "The MCPServer \"github\" is invalid: \n\
        * spec.image.tag: Invalid value: \"latest\": image tag must be specified and cannot be 'latest'\n\
        * spec.resources.limits: Required value: CPU and memory limits must be defined (OPA requirement)\n\
        * spec.secrets[0].awsSecretKey: Required value: awsSecretKey is required for non-optional secrets";
    assert!(refused.contains(expected), "{refused}");
    assert_eq!(refused.matches("\n* ").count(), 3, "{refused}");
}

#[test]
fn an_unknown_field_is_refused() {
    let world = World::new("unknown-field");
    let refused = world.refused(&world.server("a", json!({ "replica": 2 })));
    assert!(
        refused.contains(r#"unknown field "spec.replica""#),
        "{refused}"
    );
}

#[test]
fn the_schema_says_what_a_schema_can_say() {
    let world = World::new("schema");
    for (spec, expected) in [
        (json!({ "path": "mcp" }), "spec.path: Invalid value"),
        (
            json!({ "transport": "stdio" }),
            r#"spec.transport: Unsupported value: "stdio""#,
        ),
        (
            json!({ "podDisruptionBudget": { "minAvailable": 1, "maxUnavailable": 1 } }),
            "minAvailable and maxUnavailable exclude each other",
        ),
        (
            json!({ "autoscaling": { "minReplicas": 3, "maxReplicas": 2 } }),
            "minReplicas must not be greater than maxReplicas",
        ),
        (json!({ "port": 0 }), "spec.port"),
        (
            json!({ "path": format!("/{}", "a".repeat(256)) }),
            "spec.path: Too long: may not be more than 256 bytes",
        ),
        (
            json!({ "replicas": 1001 }),
            "should be less than or equal to 1000",
        ),
        (
            json!({ "image": { "tag": "5000/evil/img:latest" } }),
            "spec.image.tag: Invalid value",
        ),
        (
            json!({ "image": { "repository": "docker.io/local/a:b@c" } }),
            "spec.image.repository: Invalid value",
        ),
        (
            json!({ "args": vec!["a"; 257] }),
            "spec.args: Too many: 257: must have at most 256 items",
        ),
        (
            json!({ "strategy": { "type": "Recreate", "maxSurge": 1 } }),
            "spec.strategy.type: Invalid value: maxSurge and maxUnavailable are for the type RollingUpdate",
        ),
        (
            json!({ "strategy": { "maxSurge": 0, "maxUnavailable": "0%" } }),
            "spec.strategy.maxUnavailable: Invalid value: must not be 0 as maxSurge is",
        ),
        (
            json!({ "tolerations": [{ "value": "x" }] }),
            "spec.tolerations[0].key: Invalid value: must be given",
        ),
        (
            json!({ "tolerations": [{ "key": "a", "operator": "Exists", "value": "x" }] }),
            "spec.tolerations[0].value: Invalid value",
        ),
        (
            json!({ "emptyDirs": [{ "mountPath": "/proc/self" }] }),
            "spec.emptyDirs[0].mountPath: Invalid value: must be an absolute path",
        ),
        (
            json!({ "emptyDirs": [{ "mountPath": "/a/../b" }] }),
            "spec.emptyDirs[0].mountPath: Invalid value: must be an absolute path",
        ),
        (
            json!({ "emptyDirs": [{ "mountPath": "/a" }, { "mountPath": "/a" }] }),
            "spec.emptyDirs[1]: Duplicate value",
        ),
        (
            json!({ "securityContext": { "runAsUser": 0 } }),
            "spec.securityContext.runAsUser: Invalid value: 0",
        ),
        (
            json!({ "serviceAccountName": "x", "aws": { "iamRole": "arn:aws:iam::123456789012:role/one" } }),
            "spec.serviceAccountName: Invalid value: excludes aws.iamRole",
        ),
        (
            json!({ "observability": { "healthProbes": { "liveness": { "type": "TCP", "path": "/x" } } } }),
            "spec.observability.healthProbes.liveness.type: Invalid value: path and headers are what a probe of type HTTP asks",
        ),
        (
            json!({ "nodeSelector": { "a b": "c" } }),
            "spec.nodeSelector: Invalid value: \"a b\": must be the name of a label of nodes",
        ),
        (
            json!({ "resources": { "requests": { "cpu": "1" } } }),
            "spec.resources.requests.cpu: Invalid value: \"1\": must be no more than spec.resources.limits.cpu, which is 500m",
        ),
    ] {
        let refused = world.refused(&world.server("a", spec));
        assert!(refused.contains(expected), "{refused}");
    }
    let refused = world.refused(&world.server(&"a".repeat(51), json!({})));
    assert!(
        refused.contains("metadata.name must be at most 50 characters"),
        "{refused}"
    );
}

/// Plugins have a small stack, and readers of JSON call themselves for each level.
#[test]
fn a_configuration_may_be_as_deep_as_json_is_read() -> Result<()> {
    let world = World::new("deep");
    let deep = (0..110).fold(json!("bottom"), |inner, _| json!({ "a": inner }));
    world.apply(&world.server("a", json!({ "config": { "deep": deep } })))?;
    world.deployed("a").map(drop)
}

/// The example of the installation in the architecture states no limits.
#[test]
fn limits_are_required_unless_the_platform_gives_defaults() -> Result<()> {
    let world = World::new("default-resources");
    let mut manifest = world.server("github", json!({}));
    manifest["spec"]
        .as_object_mut()
        .unwrap()
        .remove("resources");
    assert!(
        world
            .refused(&manifest)
            .contains("spec.resources.limits: Required value")
    );

    let defaults = json!({ "requests": { "cpu": "100m", "memory": "128Mi" }, "limits": { "cpu": "500m", "memory": "512Mi" } });
    world.apply(&world.plugin(
        "default-resources",
        json!({
            "source": { "builtin": "compliance" }, "settings": { "defaultResources": defaults },
            "grants": { "fields": ["spec.resources"] },
        }),
    ))?;
    world.plugin_is("default-resources", "True", "InForce")?;
    world.apply(&manifest)?;
    let stored = world.get("mcpserver", "github")?;
    assert_eq!(stored["spec"]["resources"], defaults);
    eventually("the status says who set it", SOON, || {
        let shown = world.get("mcpserver", "github")?["status"]["defaults"].clone();
        let field = |of: &str| json!({ "field": format!("spec.resources.{of}"), "plugin": "default-resources" });
        let all = [
            "limits.cpu",
            "limits.memory",
            "requests.cpu",
            "requests.memory",
        ];
        ensure!(shown == json!(all.map(field)), "{shown}");
        Ok(())
    })?;
    let unchanged = world.apply(&manifest)?;
    assert!(
        unchanged.contains("unchanged"),
        "and again changes nothing: {unchanged}"
    );
    // What the user says wins, and a default that does not fit it is made to.
    let small = json!({ "cpu": "50m", "memory": "64Mi" });
    world.apply(&world.server("small", json!({ "resources": { "limits": small } })))?;
    let stored = world.get("mcpserver", "small")?["spec"]["resources"].clone();
    assert_eq!(stored, json!({ "requests": small, "limits": small }));
    world.deployed("small")?;
    world
        .kubectl
        .run(&["delete", "mcpplugin", "default-resources"])?;
    Ok(())
}

#[test]
fn a_dry_run_is_judged_and_stores_nothing() -> Result<()> {
    let world = World::new("dry-run");
    let manifest = world.server("a", json!({}));
    world.kubectl.pipe(
        &["apply", "--dry-run=server", "--filename", "-"],
        &manifest.to_string(),
    )?;
    world.is_gone("mcpserver", "a")
}
