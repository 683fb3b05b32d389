//! Which objects are written, and in which order.

use std::time::Duration;

use tokio::time::sleep;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_new_server_gets_an_object_of_every_kind() {
    let world = World::new().await;
    world.put_server(everything());
    assert!(matches!(
        world.reconcile().await,
        Ok(Progress::DeploymentCreated)
    ));
    let server = world.server().await;
    for kind in ManagedKind::iter() {
        let (namespace, name) = place(kind);
        let object = world.api.get(kind.name(), namespace, name).unwrap();
        let owner = &object["metadata"]["ownerReferences"][0];
        assert_eq!(owner["uid"], json!(server.metadata.uid), "{kind:?}");
    }
    assert_eq!(world.written().len(), ManagedKind::iter().count());
    assert!(world.events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_little_gets_no_more() {
    let world = World::with_server(little()).await;
    let kinds = [
        ManagedKind::ServiceAccount,
        ManagedKind::Service,
        ManagedKind::Deployment,
    ];
    assert_eq!(world.kinds(), kinds);
}

/// Of what pods need, all is there before the first pod; and an autoscaler finds what it scales.
#[tokio::test(start_paused = true)]
async fn the_deployment_comes_after_what_pods_need_and_its_autoscaler_after_it() {
    let world = World::new().await;
    world.put_server(everything());
    let is_there = |api: &ApiServer, kind: ManagedKind| {
        let (namespace, name) = place(kind);
        assert!(
            api.get(kind.name(), namespace, name).is_some(),
            "{kind:?} comes too late"
        );
    };
    world
        .api
        .before(applies(ManagedKind::Deployment), move |api, _| {
            for kind in ManagedKind::iter().filter(|kind| kind.is_needed_by_pods()) {
                is_there(api, kind);
            }
        });
    world.api.before(
        applies(ManagedKind::HorizontalPodAutoscaler),
        move |api, _| {
            is_there(api, ManagedKind::Deployment);
        },
    );
    world.reconcile().await.unwrap();
    assert!(world.exists(ManagedKind::HorizontalPodAutoscaler));
}

#[tokio::test(start_paused = true)]
async fn a_second_reconcile_changes_nothing() {
    let world = World::with_server(everything()).await;
    for _ in 0..2 {
        world.compare_again();
        assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
        assert_eq!(world.api.requests(), [], "neither writes nor reads");
    }
}

/// Fields that nobody wrote are set by the API server, which is no difference.
#[tokio::test(start_paused = true)]
async fn defaults_of_the_api_server_are_left_alone() {
    let world = World::new().await;
    world
        .api
        .admit("Deployment", mcp_testkit::workloads::deployment_defaults);
    world.put_server(everything());
    world.converge().await;
    world.compare_again();
    world.reconcile().await.unwrap();
    assert!(world.written().is_empty());
    assert!(!world.events().contains(&"Overruled".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_changed_specification_writes_only_what_differs() {
    let world = World::with_server(everything()).await;
    world.edit_spec(|spec| spec["config"]["city"] = json!("Thun"));
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
    // The Deployment names the new ConfigMap; the status follows the generation.
    assert_eq!(world.written(), ["ConfigMap", "Deployment", "status"]);
    let maps = world.api.objects_of("ConfigMap");
    assert!(maps.iter().any(|map| map["data"]["CITY"] == "Thun"));
    world.roll_out();
    world.reconcile().await.unwrap();
    assert_eq!(world.written(), ["delete configmap", "status"]);

    world.edit_spec(|spec| spec["podDisruptionBudget"] = json!({ "maxUnavailable": 1 }));
    world.reconcile().await.unwrap();
    assert_eq!(world.written(), ["PodDisruptionBudget", "status"]);
}

/// The fields of others (a sidecar, a label of a cost report) are theirs.
#[tokio::test(start_paused = true)]
async fn what_others_add_stays() {
    let world = World::with_server(everything()).await;
    for kind in ManagedKind::iter() {
        let (namespace, name) = place(kind);
        world.api.edit(kind.name(), namespace, name, |object| {
            object["metadata"]["labels"]["cost-centre"] = json!("42");
        });
    }
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
    assert!(world.written().is_empty());
}

/// A label that the administrator wants on objects comes and goes, and replaces no pod.
#[tokio::test(start_paused = true)]
async fn what_is_no_longer_wanted_in_an_object_goes_from_it() {
    let settings = build::Settings {
        propagated_labels: vec!["team".into()],
        ..build::Settings::default()
    };
    let world = World::with_settings(api_server(), settings).await;
    world.put_server(little());
    world.converge().await;
    let template =
        || world.api.get("Deployment", NAMESPACE, CHILD).unwrap()["spec"]["template"].clone();
    let before = template();
    let team = |value: Value| {
        world.api.edit("MCPServer", NAMESPACE, NAME, |server| {
            server["metadata"]["labels"] = value;
        });
    };
    team(json!({ "team": "platform" }));
    world.reconcile().await.unwrap();
    let label = || {
        world.api.get("Service", NAMESPACE, CHILD).unwrap()["metadata"]["labels"]["team"].clone()
    };
    assert_eq!(label(), "platform");
    assert_eq!(template(), before);
    team(json!({}));
    world.reconcile().await.unwrap();
    assert_eq!(label(), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_goes_between_comparison_and_write_is_made_again() {
    let world = World::with_server(little()).await;
    world.edit_spec(|spec| spec["port"] = json!(9000));
    world.api.before(applies(ManagedKind::Service), |api, _| {
        api.delete("Service", NAMESPACE, CHILD);
    });
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
    let service = world.api.get("Service", NAMESPACE, CHILD).unwrap();
    assert_eq!(service["spec"]["ports"][0]["port"], 9000);
}

/// A Secret that belongs to the server.
fn put_secret(api: &ApiServer, value: &str, note: &str) {
    let mut secret =
        mcp_testkit::objects::secret(NAMESPACE, "mcp-weather-secrets", json!({ "token": value }));
    secret["metadata"]["labels"] = json!({ "mcp.litellm.ai/server": NAME, "note": note });
    api.put(secret);
}

/// What the Deployment's pods say about the Secrets that they have read.
fn secret_stamp(api: &ApiServer) -> Value {
    let deployment = api.get("Deployment", NAMESPACE, CHILD).unwrap();
    deployment["spec"]["template"]["metadata"]["annotations"]["mcp.litellm.ai/secret-hash"].clone()
}

/// Pods are replaced once for each change of a Secret that they read, and for nothing else about it.
#[tokio::test(start_paused = true)]
async fn a_changed_secret_stamps_the_deployment_once() {
    let world = World::new().await;
    put_secret(&world.api, "AAAA", "");
    world.put_server(everything());
    world.converge().await;
    let first = secret_stamp(&world.api);
    assert!(first.is_string());
    put_secret(&world.api, "AAAA", "touched");
    world.reconcile().await.unwrap();
    assert_eq!(world.written(), [""; 0]);
    put_secret(&world.api, "BBBB", "");
    world.reconcile().await.unwrap();
    assert_eq!(world.written()[0], "Deployment");
    assert_ne!(secret_stamp(&world.api), first);
    world.reconcile().await.unwrap();
    assert_eq!(world.written(), [""; 0]);
}

/// Secrets that nobody can read have not changed: a fleet must not be replaced for a lost permission.
#[tokio::test(start_paused = true)]
async fn while_secrets_may_not_be_read_no_pod_is_replaced() {
    let before = World::new().await;
    put_secret(&before.api, "AAAA", "");
    before.put_server(everything());
    before.converge().await;
    let first = secret_stamp(&before.api);
    let lists = Match::verb(Verb::List).kind("Secret");
    before.api.deny(lists, "cannot list");
    // After a restart, nothing is known about Secrets.
    let world = World::on(before.api.clone()).await;
    for value in ["AAAA", "BBBB"] {
        put_secret(&world.api, value, "");
        world.compare_again();
        world.reconcile().await.unwrap();
        assert!(!world.written().contains(&"Deployment".to_owned()));
        assert_eq!(secret_stamp(&world.api), first);
    }
    world.api.heal();
    sleep(Duration::from_secs(11)).await;
    world.reconcile().await.unwrap();
    assert_eq!(world.written()[0], "Deployment");
    assert_ne!(secret_stamp(&world.api), first);
}

/// Who fights over a list that others add to makes tokens pile up (stacklok/toolhive#3622).
#[tokio::test(start_paused = true)]
async fn toolhive_3622_secrets_of_a_service_account_stay_and_cause_no_writes() {
    let world = World::with_server(everything()).await;
    world
        .api
        .edit("ServiceAccount", NAMESPACE, CHILD, |account| {
            account["secrets"] = json!([{ "name": "mcp-weather-token-x" }]);
            account["imagePullSecrets"] = json!([{ "name": "mcp-weather-dockercfg-x" }]);
        });
    for _ in 0..2 {
        world.compare_again();
        world.reconcile().await.unwrap();
    }
    assert_eq!(world.written(), [""; 0]);
    let account = world.api.get("ServiceAccount", NAMESPACE, CHILD).unwrap();
    assert_eq!(account["secrets"][0]["name"], "mcp-weather-token-x");
    assert_eq!(
        account["imagePullSecrets"][0]["name"],
        "mcp-weather-dockercfg-x"
    );
}
