//! Others work on the same objects, and nobody fights.

use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_e2e::{eventually, holds_for};
use serde_json::{Value, json};

use crate::world::{SOON, World};

#[test]
fn what_is_ours_is_put_back_and_what_is_not_ours_stays() -> Result<()> {
    let world = World::new("drift");
    world.apply(&world.server("a", json!({})))?;
    world.deployed("a")?;
    let patch = json!({
        "metadata": { "labels": { "human": "was-here" } },
        "spec": { "template": { "spec": { "containers": [
            { "name": "server", "image": "docker.io/evil:1" }, { "name": "sidecar", "image": "docker.io/mesh:1" },
        ] } } },
    });
    world.patch("deployment", "mcp-a", &patch)?;
    eventually("the image is put back", SOON, || {
        let containers =
            &world.get("deployment", "mcp-a")?["spec"]["template"]["spec"]["containers"];
        ensure!(
            containers
                .as_array()
                .unwrap()
                .iter()
                .any(|container| container["image"] == "docker.io/local/mcp-weather:1.0.0"),
            "{containers}"
        );
        Ok(())
    })?;
    let deployment = world.get("deployment", "mcp-a")?;
    assert_eq!(deployment["metadata"]["labels"]["human"], "was-here");
    assert_eq!(
        deployment["spec"]["template"]["spec"]["containers"]
            .as_array()
            .unwrap()
            .len(),
        2,
        "the sidecar is not ours"
    );
    eventually("it is told", SOON, || {
        let events = world.events("PutBack")?;
        ensure!(
            events.contains("Deployment mcp-a was changed by somebody else"),
            "{events}"
        );
        Ok(())
    })?;
    let generation = &deployment["metadata"]["generation"];
    holds_for("nobody fights", Duration::from_secs(2), || {
        ensure!(world.get("deployment", "mcp-a")?["metadata"]["generation"] == *generation);
        Ok(())
    })
}

/// Who scales without an autoscaler means `kubectl scale mcpserver`; each time it is put back, and told.
#[test]
fn a_deployment_that_is_scaled_by_hand_is_put_back_each_time() -> Result<()> {
    let world = World::new("scaled-by-hand");
    world.apply(&world.server("a", json!({ "replicas": 2 })))?;
    world.deployed("a")?;
    for generation in [3, 5] {
        world.kubectl.run(&[
            "scale",
            "deployment/mcp-a",
            "--replicas=4",
            "--namespace",
            &world.namespace,
        ])?;
        eventually("the number is put back", SOON, || {
            let found = world.get("deployment", "mcp-a")?;
            ensure!(
                found["spec"]["replicas"] == 2 && found["metadata"]["generation"] == generation,
                "{}",
                found["spec"]["replicas"]
            );
            Ok(())
        })?;
    }
    eventually("it is told", SOON, || {
        let events = world.events("PutBack")?;
        ensure!(events.contains("Deployment mcp-a"), "{events}");
        Ok(())
    })?;
    let writes = world.writes_when_asked_again("a")?;
    ensure!(writes.is_empty(), "{writes:?}");
    Ok(())
}

/// `kubectl rollout restart` writes an annotation that must survive (stacklok/toolhive#3329).
#[test]
fn toolhive_3329_a_rollout_restart_is_not_undone() -> Result<()> {
    let world = World::new("rollout-restart");
    world.apply(&world.server("a", json!({})))?;
    world.deployed("a")?;
    world.kubectl.run(&[
        "rollout",
        "restart",
        "deployment/mcp-a",
        "--namespace",
        &world.namespace,
    ])?;
    holds_for("the annotation stays", Duration::from_secs(2), || {
        let annotations =
            &world.get("deployment", "mcp-a")?["spec"]["template"]["metadata"]["annotations"];
        ensure!(
            annotations["kubectl.kubernetes.io/restartedAt"].is_string(),
            "{annotations}"
        );
        Ok(())
    })
}

/// What `linkerd inject`, an injecting webhook or an agent's operator add to a Deployment: who takes it away again writes
/// for ever (stacklok/toolhive#5819).
#[test]
fn toolhive_5819_what_a_mesh_injects_stays() -> Result<()> {
    let world = World::new("mesh");
    world.apply(&world.server("a", json!({ "config": { "a": 1 } })))?;
    world.deployed("a")?;
    let injected = json!({ "spec": { "template": {
        "metadata": { "annotations": { "linkerd.io/inject": "enabled" }, "labels": { "linkerd.io/control-plane-ns": "linkerd" } },
        "spec": {
            "initContainers": [{ "name": "linkerd-init", "image": "docker.io/mesh/init:1" }],
            "containers": [{
                "name": "linkerd-proxy", "image": "docker.io/mesh/proxy:1",
                "volumeMounts": [{ "name": "linkerd-identity", "mountPath": "/var/run/linkerd" }],
            }],
            "volumes": [{ "name": "linkerd-identity", "emptyDir": {} }],
        },
    } } });
    world.patch("deployment", "mcp-a", &injected)?;
    let generation = world.get("deployment", "mcp-a")?["metadata"]["generation"].clone();
    let writes = world.writes_when_asked_again("a")?;
    ensure!(writes.is_empty(), "{writes:?}");
    // A change of the server leaves it alone, too.
    world.apply(&world.server(
        "a",
        json!({ "config": { "a": 2 }, "image": { "tag": "1.0.1" } }),
    ))?;
    eventually("the change is there", SOON, || {
        let found = world.get("deployment", "mcp-a")?;
        ensure!(found["metadata"]["generation"] != generation);
        let pod = &found["spec"]["template"];
        let names = |list: &str| pod["spec"][list].to_string();
        assert_eq!(
            pod["metadata"]["annotations"]["linkerd.io/inject"],
            "enabled"
        );
        assert!(names("containers").contains("linkerd-proxy"));
        assert!(names("initContainers").contains("linkerd-init"));
        assert!(names("volumes").contains("linkerd-identity"));
        Ok(())
    })
}

#[test]
fn labels_of_a_human_stay_and_ours_are_put_back() -> Result<()> {
    let world = World::new("labels");
    world.apply(&world.server("a", json!({})))?;
    world.deployed("a")?;
    for kind in ["service", "deployment", "serviceaccount"] {
        let name =
            world.get(kind, "mcp-a")?["metadata"]["labels"]["app.kubernetes.io/name"].clone();
        let labels = json!({ "metadata": { "labels": { "cost-center": "42", "app.kubernetes.io/name": "other" } } });
        world.patch(kind, "mcp-a", &labels)?;
        eventually("our label is put back", SOON, || {
            let labels = world.get(kind, "mcp-a")?["metadata"]["labels"].clone();
            ensure!(
                labels["app.kubernetes.io/name"] == name && labels["cost-center"] == "42",
                "{kind}: {labels}"
            );
            Ok(())
        })?;
    }
    let writes = world.writes_when_asked_again("a")?;
    ensure!(writes.is_empty(), "{writes:?}");
    Ok(())
}

/// Puts an admission policy of somebody else in force, which changes Deployments as they are written.
fn mutate_deployments(world: &World, expression: &str) -> Result<()> {
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy",
        "metadata": { "name": world.namespace },
        "spec": {
            "matchConstraints": {
                "namespaceSelector": { "matchLabels": { "test": world.namespace } },
                "resourceRules": [{ "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"] }],
            },
            "failurePolicy": "Fail", "reinvocationPolicy": "IfNeeded",
            "mutations": [{ "patchType": "ApplyConfiguration", "applyConfiguration": { "expression": expression } }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding",
        "metadata": { "name": world.namespace }, "spec": { "policyName": world.namespace },
    });
    let plain = world.kubectl.run(&probe(world))?;
    world.apply(&policy)?;
    world.apply(&binding)?;
    eventually("the policy is in force", SOON, || {
        ensure!(world.kubectl.run(&probe(world))? != plain);
        Ok(())
    })
}

fn probe(world: &World) -> [&str; 8] {
    [
        "create",
        "deployment",
        "probe",
        "--image=docker.io/local/probe:1",
        "--dry-run=server",
        "--output=jsonpath={.metadata.annotations}{.spec.replicas}",
        "--namespace",
        &world.namespace,
    ]
}

#[test]
fn what_admission_adds_stays() -> Result<()> {
    let world = World::new("defaulted");
    mutate_deployments(
        &world,
        r#"Object{metadata: Object.metadata{annotations: {"policy": "seen"}}}"#,
    )?;
    world.apply(&world.server("a", json!({})))?;
    world.deployed("a")?;
    let annotations = &world.get("deployment", "mcp-a")?["metadata"]["annotations"];
    assert_eq!(annotations["policy"], "seen");
    let writes = world.writes_when_asked_again("a")?;
    ensure!(writes.is_empty(), "{writes:?}");
    assert_eq!(world.events("Overruled")?, "");
    Ok(())
}

/// Two that insist would write for ever: the one that decides last wins, and it is told once.
#[test]
fn what_admission_decides_otherwise_is_told_and_not_fought_over() -> Result<()> {
    let world = World::new("overruled");
    mutate_deployments(&world, "Object{spec: Object.spec{replicas: 3}}")?;
    world.apply(&world.server("a", json!({ "replicas": 1 })))?;
    eventually("it is told", SOON, || {
        let events = world.events("Overruled")?;
        ensure!(
            events.contains("Deployment mcp-a") && events.contains(".spec.replicas"),
            "{events}"
        );
        Ok(())
    })?;
    world.deployed("a")?;
    assert_eq!(world.get("deployment", "mcp-a")?["spec"]["replicas"], 3);
    let writes = world.writes_when_asked_again("a")?;
    ensure!(writes.is_empty(), "{writes:?}");
    // What it leaves alone is written as ever.
    world.apply(&world.server("a", json!({ "replicas": 1, "image": { "tag": "1.0.1" } })))?;
    eventually("the image is there", SOON, || {
        let container =
            &world.get("deployment", "mcp-a")?["spec"]["template"]["spec"]["containers"][0];
        ensure!(
            container["image"]
                .as_str()
                .is_some_and(|image| image.ends_with(":1.0.1"))
        );
        Ok(())
    })
}

/// GKE's Autopilot makes requests what the limits are, and adds what nobody asked for (Kong/kong-operator#888,
/// open-telemetry/opentelemetry-operator#655, prometheus-operator/prometheus-operator#8049).
#[test]
fn kong_888_requests_that_admission_raises_are_told_once_and_not_fought_over() -> Result<()> {
    let world = World::new("raised");
    let raise = r#"Object{
        metadata: Object.metadata{annotations: {"autopilot.gke.io/resource-adjustment": "raised"}},
        spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
            containers: object.spec.template.spec.containers.map(container, Object.spec.template.spec.containers{
                name: container.name,
                resources: Object.spec.template.spec.containers.resources{
                    requests: {"cpu": "500m", "memory": "64Mi", "ephemeral-storage": "1Gi"},
                    limits: {"ephemeral-storage": "1Gi"}
                }
            })
        }}}
    }"#;
    mutate_deployments(&world, raise)?;
    let server = |tag: &str| {
        let requests = json!({ "requests": { "cpu": "10m", "memory": "16Mi" } });
        world.server(
            "a",
            json!({ "image": { "tag": tag }, "resources": requests }),
        )
    };
    world.apply(&server("1.0.0"))?;
    world.condition("a", "Ready", "True", "")?;
    let told = || -> Result<usize> {
        let events = world.events("Overruled")?;
        Ok(events.matches("Deployment mcp-a").count())
    };
    eventually("it is told", SOON, || {
        ensure!(told()? == 1, "{}", told()?);
        Ok(())
    })?;
    let resources = || -> Result<Value> {
        let found = world.get("deployment", "mcp-a")?;
        Ok(found["spec"]["template"]["spec"]["containers"][0]["resources"].clone())
    };
    assert_eq!(resources()?["requests"]["cpu"], "500m");
    assert_eq!(resources()?["limits"]["ephemeral-storage"], "1Gi");
    let writes = world.writes_when_asked_again("a")?;
    ensure!(writes.is_empty(), "{writes:?}");
    assert_eq!(told()?, 1);
    // What it leaves alone comes as ever.
    world.apply(&server("1.0.1"))?;
    eventually("the image is there", SOON, || {
        let found = world.get("deployment", "mcp-a")?;
        let image = found["spec"]["template"]["spec"]["containers"][0]["image"].to_string();
        ensure!(image.ends_with(":1.0.1\""), "{image}");
        Ok(())
    })?;
    world.condition("a", "Ready", "True", "")?;
    let writes = world.writes_when_asked_again("a")?;
    ensure!(writes.is_empty(), "{writes:?}");
    Ok(())
}
