//! Objects that somebody made by hand and offers, with pods that run.

use super::*;

const ADOPT: &str = "mcp.litellm.ai/adopt";

/// What a person writes, without any mark.
fn by_hand() -> [Value; 4] {
    let metadata =
        |name: &str| json!({ "name": name, "namespace": NAMESPACE, "labels": { "team": "a" } });
    let labels = json!({ "app": "weather" });
    let variable = json!({ "name": "CITY", "valueFrom": { "configMapKeyRef": { "name": "mcp-weather-config", "key": "CITY" } } });
    [
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(CHILD) }),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("mcp-weather-config"),
            "data": { "CITY": "Bern" },
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata(CHILD),
            "spec": { "type": "ClusterIP", "selector": labels, "ports": [{ "name": "http", "port": 8080, "protocol": "TCP", "targetPort": 8080 }] },
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(CHILD),
            "spec": {
                "replicas": 2, "revisionHistoryLimit": 3, "selector": { "matchLabels": labels },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": { "containers": [{ "name": "weather", "image": "acme/weather:1.0.0", "env": [variable], "ports": [{ "containerPort": 8080, "protocol": "TCP" }] }] },
                },
            },
        }),
    ]
}

/// Gives an object all marks, and the word that it is offered.
fn offer(object: &mut Value) {
    for (label, value) in [
        ("app.kubernetes.io/instance", NAME),
        ("app.kubernetes.io/managed-by", "mcp-operator"),
        ("app.kubernetes.io/name", CHILD),
        ("mcp.litellm.ai/server", NAME),
    ] {
        object["metadata"]["labels"][label] = json!(value);
    }
    object["metadata"]["annotations"][ADOPT] = json!(NAME);
}

fn offered(world: &World) {
    for mut object in by_hand() {
        offer(&mut object);
        world.api.put_as("kubectl", object);
    }
    world.roll_out();
}

fn deployment(world: &World) -> Value {
    world.api.get("Deployment", NAMESPACE, CHILD).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_offered_is_taken_and_its_pods_go_on_until_something_changes() {
    let world = World::new().await;
    offered(&world);
    let before = deployment(&world);
    world.put_server(little());
    let progress = world.reconcile().await.unwrap();
    assert!(matches!(progress, Progress::Applied(_)), "{progress:?}");
    let adopted = deployment(&world);
    assert_eq!(adopted["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(adopted["spec"]["template"], before["spec"]["template"]);
    assert_eq!(adopted["spec"]["selector"], before["spec"]["selector"]);
    assert!(
        adopted["spec"]["revisionHistoryLimit"].is_null(),
        "what the server does not say goes"
    );
    assert_eq!(
        adopted["metadata"]["labels"]["team"], "a",
        "labels of others stay"
    );
    let server = world.api.get("MCPServer", NAMESPACE, NAME).unwrap();
    for object in by_hand() {
        let (kind, name) = (
            object["kind"].as_str().unwrap(),
            object["metadata"]["name"].as_str().unwrap(),
        );
        let taken = world.api.get(kind, NAMESPACE, name).unwrap();
        assert_eq!(
            taken["metadata"]["ownerReferences"][0]["uid"], server["metadata"]["uid"],
            "{kind}"
        );
    }
    let service = world.api.get("Service", NAMESPACE, CHILD).unwrap();
    assert_eq!(service["spec"]["selector"], json!({ "app": "weather" }));
    assert_eq!(service["spec"]["ports"][0]["targetPort"], 8080);
    assert!(world.note("Adopted").contains("Deployment mcp-weather"));
    world.roll_out();
    world.reconcile().await.unwrap();
    let (reason, message) = world.ready();
    assert_eq!(reason, "Ready");
    assert!(
        message.contains("its pods are those that were adopted"),
        "{message}"
    );
    assert!(
        message.contains("spec.containers[weather].name"),
        "{message}"
    );
    world.api.clear_log();
    world.compare_again();
    world.reconcile().await.unwrap();
    assert_eq!(world.written(), [""; 0], "and again changes nothing");

    // An edit is an ordinary rollout of the same Deployment.
    world.edit_spec(|spec| spec["image"]["tag"] = json!("2.0.0"));
    world.reconcile().await.unwrap();
    let edited = deployment(&world);
    assert_eq!(edited["metadata"]["uid"], before["metadata"]["uid"]);
    let containers = edited["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap();
    assert_eq!(containers.len(), 1, "{containers:?}");
    assert_eq!(containers[0]["name"], "server");
    assert_eq!(
        edited["spec"]["template"]["metadata"]["labels"]["app"],
        "weather"
    );
    assert!(
        world
            .api
            .get("ConfigMap", NAMESPACE, "mcp-weather-config")
            .is_some(),
        "older pods need it"
    );
    world.roll_out();
    world.reconcile().await.unwrap();
    world.reconcile().await.unwrap();
    assert!(
        world
            .api
            .get("ConfigMap", NAMESPACE, "mcp-weather-config")
            .is_none()
    );
    let service = world.api.get("Service", NAMESPACE, CHILD).unwrap();
    assert_eq!(service["spec"]["ports"][0]["targetPort"], "http");
    assert_eq!(service["spec"]["selector"], json!({ "app": "weather" }));
    let (_, message) = world.ready();
    assert!(!message.contains("adopted"), "{message}");
    world.api.clear_log();
    world.compare_again();
    world.reconcile().await.unwrap();
    assert_eq!(world.written(), [""; 0], "and again changes nothing");
    world.api.delete("MCPServer", NAMESPACE, NAME);
    world.api.collect_garbage();
    assert_eq!(world.kinds(), []);
}

#[tokio::test(start_paused = true)]
async fn what_was_adopted_is_forgotten_with_its_server() {
    let world = World::new().await;
    offered(&world);
    world.put_server(little());
    world.reconcile().await.unwrap();
    let note = || {
        let kept = &world.context().kept_pods;
        kept.note(&ServerKey::new(NAMESPACE, NAME))
    };
    assert!(note().is_some());
    world.api.delete("MCPServer", NAMESPACE, NAME);
    world.api.idle().await;
    assert_eq!(note(), None, "the next one of its name has adopted nothing");
}

/// A server says nothing about what is not offered, however much of the rest is.
#[tokio::test(start_paused = true)]
async fn a_service_is_not_taken_from_pods_that_are_not_offered() {
    let world = World::new().await;
    for mut object in by_hand() {
        if object["kind"] != "Deployment" {
            offer(&mut object);
        }
        world.api.put_as("kubectl", object);
    }
    let kept = |world: &World| {
        ["Service", "ServiceAccount", "Deployment"]
            .map(|kind| world.api.get(kind, NAMESPACE, CHILD).unwrap())
    };
    let before = kept(&world);
    world.put_server(little());
    let error = world.reconcile().await.unwrap_err().to_string();
    assert!(
        error.contains("Deployment mcp-weather is not this MCPServer's"),
        "{error}"
    );
    assert_eq!(kept(&world), before);
    let (reason, _) = world.ready();
    assert_eq!(reason, "AdoptionRefused");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_offered_or_has_a_controller_is_not_taken() {
    for controlled in [false, true] {
        let world = World::new().await;
        for mut object in by_hand() {
            if controlled {
                offer(&mut object);
                object["metadata"]["ownerReferences"] = json!([{ "apiVersion": "acme.io/v1", "kind": "App", "name": "a", "uid": "1", "controller": true }]);
            }
            world.api.put_as("kubectl", object);
        }
        let all = |world: &World| {
            ManagedKind::iter()
                .flat_map(|kind| world.api.objects_of(kind.name()))
                .collect::<Vec<_>>()
        };
        let before = all(&world);
        world.put_server(little());
        let error = world.reconcile().await.unwrap_err().to_string();
        assert!(
            error.contains("is not managed by this MCPServer"),
            "{error}"
        );
        assert_eq!(all(&world), before, "{controlled}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_pods_or_callers_would_miss_is_refused_in_words() {
    let world = World::new().await;
    offered(&world);
    world.api.edit("Deployment", NAMESPACE, CHILD, |object| {
        object["spec"]["selector"]["matchExpressions"] =
            json!([{ "key": "app", "operator": "Exists" }]);
    });
    let before = deployment(&world);
    world.put_server(little());
    let error = world.reconcile().await.unwrap_err().to_string();
    assert!(error.contains("is not adopted: its selector"), "{error}");
    assert_eq!(deployment(&world), before);
    let service = world.api.get("Service", NAMESPACE, CHILD).unwrap();
    assert!(
        service["metadata"]["ownerReferences"].is_null(),
        "{service}"
    );
}

/// A Secret that gets our label after its pods have read it has not come just now.
#[tokio::test(start_paused = true)]
async fn a_secret_that_is_seen_late_replaces_no_adopted_pods() {
    let world = World::new().await;
    offered(&world);
    world.api.edit("Deployment", NAMESPACE, CHILD, |object| {
        object["spec"]["template"]["spec"]["containers"][0]["env"] = json!([
            { "name": "TOKEN", "valueFrom": { "secretKeyRef": { "name": "mcp-weather-secrets", "key": "token", "optional": true } } },
        ]);
    });
    let before = deployment(&world)["spec"]["template"].clone();
    world.put_server(little());
    world.reconcile().await.unwrap();
    let mut secret =
        mcp_testkit::objects::secret(NAMESPACE, "mcp-weather-secrets", json!({ "token": "AAAA" }));
    secret["metadata"]["labels"] = json!({ "mcp.litellm.ai/server": NAME });
    world.api.put(secret);
    world.roll_out();
    world.reconcile().await.unwrap();
    assert_eq!(deployment(&world)["spec"]["template"], before);
}
