//! What pods of older templates need stays until there are none: each of them can restart with what it was made with
//! (kubernetes/kubernetes#22368).

use mcp_testkit::{Failure, Times};

use super::*;

/// Contents of the server's ConfigMaps: the greeting of each.
fn greetings(world: &World) -> Vec<String> {
    let maps = world.api.objects_of("ConfigMap").into_iter();
    let mut greetings: Vec<String> = maps
        .filter(|map| map["metadata"]["labels"]["mcp.litellm.ai/server"] == NAME)
        .map(|map| map["data"]["GREETING"].as_str().unwrap().to_owned())
        .collect();
    greetings.sort();
    greetings
}

fn greeting(text: &str) -> Value {
    let mut spec = little();
    spec["config"] = json!({ "greeting": text });
    spec
}

async fn greet(world: &World, text: &str) {
    world.edit_spec(|spec| spec["config"]["greeting"] = json!(text));
    let progress = world.reconcile().await.unwrap();
    assert!(matches!(progress, Progress::Applied(_)), "{progress:?}");
}

#[tokio::test(start_paused = true)]
async fn a_configuration_stays_until_no_pod_of_its_template_is_left() {
    let world = World::with_server(greeting("hello")).await;
    let first = world.api.objects_of("ConfigMap");
    let template = |world: &World| {
        let deployment = world.api.get("Deployment", NAMESPACE, CHILD).unwrap();
        deployment["spec"]["template"].to_string()
    };
    let name = first[0]["metadata"]["name"].as_str().unwrap();
    assert_eq!(
        template(&world).matches(name).count(),
        2,
        "a file and a variable"
    );
    assert_eq!(first[0]["immutable"], true);
    greet(&world, "hi").await;
    assert_eq!(greetings(&world), ["hello", "hi"]);
    assert!(!template(&world).contains(name));
    assert_eq!(
        world.api.get("ConfigMap", NAMESPACE, name).as_ref(),
        first.first(),
        "nobody has touched it"
    );
    // However long the rollout takes.
    world.api.clear_log();
    for _ in 0..3 {
        world.reconcile().await.unwrap();
    }
    assert_eq!(world.written(), [""; 0]);
    world.roll_out();
    world.reconcile().await.unwrap();
    assert_eq!(greetings(&world), ["hi"]);
    assert_eq!(world.written(), ["delete configmap", "status"]);
    // Once more, since the cache has changed.
    world.reconcile().await.unwrap();
    assert!(matches!(world.reconcile().await, Ok(Progress::Unchanged)));
    assert_eq!(world.written(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_comes_back_before_its_pods_are_gone_is_still_there() {
    let world = World::with_server(greeting("hello")).await;
    let first = world.api.objects_of("ConfigMap");
    greet(&world, "hi").await;
    greet(&world, "ho").await;
    assert_eq!(greetings(&world), ["hello", "hi", "ho"]);
    greet(&world, "hello").await;
    world.roll_out();
    world.reconcile().await.unwrap();
    assert_eq!(world.api.objects_of("ConfigMap"), first);
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_goes_stays_for_the_pods_that_have_it() {
    let world = World::with_server(greeting("hello")).await;
    world.edit_spec(|spec| spec["config"] = json!({}));
    world.reconcile().await.unwrap();
    assert_eq!(greetings(&world), ["hello"]);
    world.roll_out();
    world.reconcile().await.unwrap();
    assert_eq!(greetings(&world), [""; 0]);
}

/// The new template never reached the cluster: all pods are of the one before, and its rollout is complete.
#[tokio::test(start_paused = true)]
async fn a_configuration_stays_while_the_next_template_cannot_be_written() {
    let world = World::with_server(greeting("hello")).await;
    world.edit_spec(|spec| spec["config"]["greeting"] = json!("hi"));
    let refusal = Failure::new(422, "Invalid", "no");
    world
        .api
        .fail(applies(ManagedKind::Deployment), refusal, Times::Always);
    for _ in 0..2 {
        world.retry().await.unwrap_err();
        assert_eq!(greetings(&world), ["hello", "hi"]);
    }
}

/// Servers of an earlier version have one ConfigMap whose content changed.
#[tokio::test(start_paused = true)]
async fn the_config_map_of_an_earlier_version_stays_until_its_pods_are_replaced() {
    let world = World::with_server(greeting("hello")).await;
    let map = world.api.objects_of("ConfigMap").remove(0);
    let name = map["metadata"]["name"].as_str().unwrap().to_owned();
    let mut earlier = map.clone();
    earlier["metadata"]["name"] = json!(CHILD);
    earlier.as_object_mut().unwrap().remove("immutable");
    world.api.put(earlier);
    world
        .api
        .edit("Deployment", NAMESPACE, CHILD, |deployment| {
            let template = &mut deployment["spec"]["template"];
            let text = template.to_string().replace(&name, CHILD);
            *template = serde_json::from_str(&text).unwrap();
        });
    world.api.delete("ConfigMap", NAMESPACE, &name);
    world.roll_out();
    world.reconcile().await.unwrap();
    assert_eq!(world.api.objects_of("ConfigMap").len(), 2);
    world.roll_out();
    world.reconcile().await.unwrap();
    let left = world.api.objects_of("ConfigMap");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["metadata"]["name"], json!(name));
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_somebody_deletes_or_changes_is_put_back() {
    let world = World::with_server(greeting("hello")).await;
    let map = world.api.objects_of("ConfigMap").remove(0);
    let name = map["metadata"]["name"].as_str().unwrap();
    world.api.edit("ConfigMap", NAMESPACE, name, |map| {
        map["data"]["GREETING"] = json!("theirs");
    });
    world.reconcile().await.unwrap();
    assert_eq!(greetings(&world), ["hello"]);
    world.api.delete("ConfigMap", NAMESPACE, name);
    world.reconcile().await.unwrap();
    assert_eq!(greetings(&world), ["hello"]);
}

#[tokio::test(start_paused = true)]
async fn secrets_are_fetched_until_no_pod_reads_them() {
    let mut spec = little();
    spec["secrets"] = json!([
        { "name": "token", "awsSecretKey": "mcp/token" },
        { "name": "other", "awsSecretKey": "mcp/other" },
        { "name": "extra", "awsSecretKey": "mcp/extra", "optional": true },
    ]);
    let world = World::with_server(spec).await;
    let fetched = |world: &World| {
        let secrets = world.api.objects_of("ExternalSecret").into_iter();
        let keys = secrets.flat_map(|secret| secret["spec"]["data"].as_array().unwrap().clone());
        let mut keys: Vec<String> = keys
            .map(|entry| entry["secretKey"].as_str().unwrap().to_owned())
            .collect();
        keys.sort();
        keys
    };
    world.edit_spec(|spec| {
        spec["secrets"].as_array_mut().unwrap().truncate(1);
    });
    for _ in 0..2 {
        world.reconcile().await.unwrap();
        assert_eq!(fetched(&world), ["extra", "other", "token"]);
    }
    world.roll_out();
    world.reconcile().await.unwrap();
    assert_eq!(fetched(&world), ["token"]);
    world.reconcile().await.unwrap();
    world.api.clear_log();
    world.compare_again();
    world.reconcile().await.unwrap();
    assert_eq!(world.written(), [""; 0]);
}
