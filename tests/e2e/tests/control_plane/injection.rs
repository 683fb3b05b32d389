//! Webhooks of others that change what the operator writes, for real.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mcp_e2e::eventually;
use serde_json::{Value, json};

use crate::webhook::{mutate, rule};
use crate::world::{SOON, World};

/// As meshes do it: a container, a folder and an annotation, in a pod or in the template of one, unless they are there.
fn sidecar(pod: &Value, path: &str) -> Vec<Value> {
    let has = |list: &str, name: &str| {
        let list = pod["spec"][list].as_array().into_iter().flatten();
        list.into_iter().any(|item| item["name"] == name)
    };
    let add = |path: String, value: Value| json!({ "op": "add", "path": path, "value": value });
    let mut patch = Vec::new();
    if !has("containers", "mesh-proxy") {
        let container = json!({
            "name": "mesh-proxy", "image": "docker.io/mesh/proxy:1",
            "volumeMounts": [{ "name": "mesh-identity", "mountPath": "/var/run/mesh" }],
        });
        patch.push(add(format!("{path}/spec/containers/-"), container));
    }
    if !has("volumes", "mesh-identity") {
        let volume = json!({ "name": "mesh-identity", "emptyDir": {} });
        if pod["spec"]["volumes"].is_array() {
            patch.push(add(format!("{path}/spec/volumes/-"), volume));
        } else {
            patch.push(add(format!("{path}/spec/volumes"), json!([volume])));
        }
    }
    if pod["metadata"]["annotations"].is_null() {
        patch.push(add(format!("{path}/metadata/annotations"), json!({})));
    }
    let annotation = format!("{path}/metadata/annotations/mesh.example.com~1status");
    patch.push(add(annotation, json!("injected")));
    patch
}

fn containers(pod: &Value) -> Vec<&str> {
    let containers = pod["spec"]["containers"].as_array();
    let containers = containers.into_iter().flatten();
    containers.filter_map(|it| it["name"].as_str()).collect()
}

fn pods(world: &World) -> Result<Vec<Value>> {
    let get = ["get", "pods", "--namespace", &world.namespace];
    let pods = world.kubectl.json(&get)?["items"].clone();
    let pods = pods.as_array().context("no list")?.clone();
    let leaves = |pod: &Value| pod["metadata"]["deletionTimestamp"].is_string();
    Ok(pods.into_iter().filter(|pod| !leaves(pod)).collect())
}

fn nobody_writes(world: &World) -> Result<()> {
    let writes = world.writes_when_asked_again("a")?;
    ensure!(writes.is_empty(), "{writes:?}");
    for reason in ["Overruled", "PutBack", "Contested"] {
        assert_eq!(world.events(reason)?, "", "{reason}");
    }
    Ok(())
}

/// Into the templates of Deployments (`linkerd inject` by a webhook, agents of observability), with what such webhooks default in
/// fields that the operator leaves alone.
#[test]
fn a_sidecar_in_the_template_of_a_deployment_stays_and_nobody_writes_for_it() -> Result<()> {
    let world = World::new("injected-template");
    let rules = [rule("apps", "deployments", &["CREATE", "UPDATE"])];
    mutate(&world, &rules, |request| {
        let object = &request["object"];
        let mut patch = sidecar(&object["spec"]["template"], "/spec/template");
        for (path, value) in [
            ("/spec/revisionHistoryLimit", json!(3)),
            ("/spec/template/spec/dnsPolicy", json!("Default")),
        ] {
            patch.push(json!({ "op": "add", "path": path, "value": value }));
        }
        patch
    })?;
    world.apply(&world.server("a", json!({ "config": { "a": 1 } })))?;
    world.deployed("a")?;
    let template = |world: &World| -> Result<Value> {
        Ok(world.get("deployment", "mcp-a")?["spec"]["template"].clone())
    };
    assert_eq!(containers(&template(&world)?), ["server", "mesh-proxy"]);
    nobody_writes(&world)?;
    // A change of the server comes, and takes nothing away.
    world.apply(&world.server(
        "a",
        json!({ "config": { "a": 2 }, "image": { "tag": "1.0.1" } }),
    ))?;
    eventually("the change is there", SOON, || {
        let found = template(&world)?;
        let image = found["spec"]["containers"][0]["image"].to_string();
        ensure!(image.ends_with(":1.0.1\""), "{image}");
        assert_eq!(containers(&found), ["server", "mesh-proxy"]);
        let status = &found["metadata"]["annotations"]["mesh.example.com/status"];
        assert_eq!(status, "injected");
        Ok(())
    })?;
    world.deployed("a")?;
    nobody_writes(&world)
}

/// Into pods (Istio, Linkerd, Vault): their templates say nothing of it.
#[test]
fn a_sidecar_in_pods_is_none_of_the_operators_business() -> Result<()> {
    let world = World::new("injected-pods");
    mutate(&world, &[rule("", "pods", &["CREATE"])], |request| {
        sidecar(&request["object"], "")
    })?;
    world.apply(&world.server("a", json!({})))?;
    world.deployed("a")?;
    for pod in pods(&world)? {
        assert_eq!(containers(&pod), ["server", "mesh-proxy"]);
    }
    nobody_writes(&world)?;
    world.apply(&world.server("a", json!({ "image": { "tag": "1.0.1" } })))?;
    eventually("all pods are new", SOON, || {
        let pods = pods(&world)?;
        let is_new = |pod: &Value| {
            let image = pod["spec"]["containers"][0]["image"].to_string();
            image.ends_with(":1.0.1\"") && containers(pod) == ["server", "mesh-proxy"]
        };
        ensure!(!pods.is_empty() && pods.iter().all(is_new));
        Ok(())
    })?;
    world.deployed("a")?;
    nobody_writes(&world)
}

/// How late the webhook sees an account.
const LATE: Duration = Duration::from_secs(2);

/// The webhook that gives pods the role of their account sees that late, by a cache of its own
/// (aws/amazon-eks-pod-identity-webhook#174, #264): each pod has the role that its account has all the same.
#[test]
fn pod_identity_webhook_174_pods_get_the_role_although_the_account_is_seen_late() -> Result<()> {
    let world = World::allowed("late-accounts", &[("iam-roles", "*")]);
    let accounts: Mutex<HashMap<String, Vec<(Instant, Value)>>> = Mutex::default();
    let rules = [
        rule("", "serviceaccounts", &["CREATE", "UPDATE"]),
        rule("", "pods", &["CREATE"]),
    ];
    mutate(&world, &rules, move |request| {
        let object = &request["object"];
        let mut accounts = accounts.lock().unwrap();
        if request["kind"]["kind"] == "ServiceAccount" {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let role = object["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].clone();
            let seen = accounts.entry(name.to_owned()).or_default();
            seen.push((Instant::now(), role));
            return Vec::new();
        }
        let name = object["spec"]["serviceAccountName"].as_str();
        let seen = accounts.get(name.unwrap_or_default());
        let seen = seen.into_iter().flatten().rev();
        let mut seen = seen.skip_while(|(at, _)| at.elapsed() < LATE);
        let role = seen.next().map(|(_, role)| role.clone());
        let Some(role) = role.filter(Value::is_string) else {
            return Vec::new();
        };
        let variable = json!({ "name": "AWS_ROLE_ARN", "value": role });
        vec![json!({ "op": "add", "path": "/spec/containers/0/env/0", "value": variable })]
    })?;
    // A variable of its own, so that there is a list to add to.
    let server = |role: &str| {
        let role = format!("arn:aws:iam::111122223333:role/{role}");
        let spec = json!({ "aws": { "iamRole": role }, "env": [{ "name": "A", "value": "b" }] });
        (role, world.server("a", spec))
    };
    for role in ["one", "two"] {
        let (role, server) = server(role);
        world.apply(&server)?;
        eventually("its pods are there", SOON, || {
            let generation = world.get("mcpserver", "a")?["metadata"]["generation"].clone();
            let ready = world.deployed("a")?;
            ensure!(ready["observedGeneration"] == generation, "{ready}");
            Ok(())
        })?;
        let pods = pods(&world)?;
        ensure!(!pods.is_empty());
        for pod in pods {
            let variable = &pod["spec"]["containers"][0]["env"][0];
            assert_eq!(*variable, json!({ "name": "AWS_ROLE_ARN", "value": role }));
        }
    }
    Ok(())
}
