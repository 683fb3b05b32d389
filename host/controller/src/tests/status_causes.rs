//! What a status says.

use std::time::Duration;

use mcp_operator_core::admission::PluginFailure;
use mcp_operator_policy::PolicyError;
use mcp_testkit::workloads::{
    deployment_refused, deployment_status, deployment_stuck, pod_crash_looping, pod_of,
    pod_unschedulable,
};
use tokio::time::sleep;

use super::*;
use crate::observe::observe;
use crate::status_writer::write_status;

fn edit_deployment(world: &World, edit: impl FnOnce(&mut Value)) {
    world
        .api
        .edit("Deployment", NAMESPACE, CHILD, edit)
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_invalid_specification_is_named_and_what_was_made_stays() {
    let world = World::with_server(everything()).await;
    world.edit_spec(|spec| {
        spec["config"] = json!({ "": 1 });
        spec["port"] = json!(9000);
    });
    let Ok(Progress::Invalid(errors)) = world.reconcile().await else {
        panic!("it is not valid")
    };
    assert_eq!(errors[0].field, "spec.config");
    assert_eq!(world.written(), ["status"]);
    assert_eq!(world.kinds().len(), ManagedKind::iter().count());
    let (status, reason, message) = world.condition(conditions::SPEC_VALID).unwrap();
    assert_eq!((status.as_str(), reason.as_str()), ("False", "Invalid"));
    assert!(message.starts_with("spec.config: "), "{message}");
    // Neither is it remembered as right, nor reported twice.
    assert!(matches!(world.reconcile().await, Ok(Progress::Invalid(_))));
    assert_eq!(world.written(), [""; 0]);
    world.edit_spec(|spec| spec["config"] = json!({ "city": "Thun" }));
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
    assert_eq!(world.condition(conditions::SPEC_VALID).unwrap().0, "True");
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_fails_leaves_open_whether_a_specification_is_valid() {
    let world = World::with_server(little()).await;
    let failure = PluginFailure {
        category: "PluginTimedOut",
        message: "plugin rules: no answer".into(),
        guest: false,
    };
    let undecided = ReconcileError::Undecided(PolicyError::Plugins(vec![failure]));
    let server = world.server().await;
    let outcome = observe(&server, world.context(), &Err(undecided)).unwrap();
    write_status(world.context(), &server, &outcome)
        .await
        .unwrap();
    let (status, reason, message) = world.condition(conditions::SPEC_VALID).unwrap();
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("Unknown", "PluginTimedOut")
    );
    assert_eq!(message, "plugin rules: no answer");
    let (status, ..) = world.condition(conditions::DEPLOYMENT_READY).unwrap();
    assert_eq!(status, "True", "its pods serve as before");
}

#[tokio::test(start_paused = true)]
async fn a_rollout_is_followed() {
    let world = World::with_server(little()).await;
    let replicas = |world: &World| {
        let server = world.api.get("MCPServer", NAMESPACE, NAME).unwrap();
        server["status"]["ready"].as_str().unwrap().to_owned()
    };
    let complete = replicas(&world);
    let wanted: i64 = complete.split('/').next_back().unwrap().parse().unwrap();
    assert_eq!(complete, format!("{wanted}/{wanted}"));
    edit_deployment(&world, |it| deployment_status(it, wanted, wanted + 1, 1));
    assert!(matches!(world.reconcile().await, Ok(Progress::Unchanged)));
    assert_eq!(world.ready().0, "RolloutInProgress");
    assert_eq!(world.condition(conditions::AVAILABLE).unwrap().0, "True");
    assert_eq!(replicas(&world), format!("1/{wanted}"));
    edit_deployment(&world, |it| deployment_status(it, wanted, wanted, 0));
    world.reconcile().await.unwrap();
    assert_eq!(world.ready().0, "ReplicasUnavailable");
    assert_eq!(world.condition(conditions::AVAILABLE).unwrap().0, "False");
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_does_not_go_on_says_why() {
    let world = World::with_server(little()).await;
    edit_deployment(&world, |it| {
        deployment_status(it, 1, 2, 1);
        deployment_stuck(it, "ReplicaSet has timed out progressing.");
    });
    world.reconcile().await.unwrap();
    let (reason, message) = world.ready();
    assert_eq!(reason, "ProgressDeadlineExceeded");
    assert!(message.ends_with("has timed out progressing."), "{message}");
    edit_deployment(&world, |it| {
        deployment_status(it, 0, 0, 0);
        deployment_refused(it, "exceeded quota: pods");
    });
    world.reconcile().await.unwrap();
    let (reason, message) = world.ready();
    assert_eq!(reason, "FailedCreate");
    assert!(
        message.contains("exceeded quota: pods; ") && message.contains("spec.strategy.maxSurge"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_keeps_a_pod_from_serving_is_told_and_forgotten_with_it() {
    let world = World::with_server(little()).await;
    edit_deployment(&world, |it| deployment_status(it, 1, 1, 0));
    let deployment = world.api.get("Deployment", NAMESPACE, CHILD).unwrap();
    let mut pod = pod_of(&deployment, "mcp-weather-1");
    pod_crash_looping(&mut pod, 1, "no token");
    world.api.put(&pod);
    world.reconcile().await.unwrap();
    let (reason, message) = world.ready();
    assert_eq!(reason, "CrashLoopBackOff");
    assert!(
        message.contains("mcp-weather-1") && message.contains("no token"),
        "{message}"
    );
    pod_unschedulable(&mut pod, "0/3 nodes are available");
    world.api.put(&pod);
    world.reconcile().await.unwrap();
    assert_eq!(world.ready().0, "Unschedulable");
    world.api.delete("Pod", NAMESPACE, "mcp-weather-1");
    world.reconcile().await.unwrap();
    assert_eq!(world.ready().0, "ReplicasUnavailable");
}

/// Some permissions are optional: what is not done without them is said where people look.
#[tokio::test(start_paused = true)]
async fn what_the_operator_may_not_read_is_noted() {
    for (kind, note) in [
        (
            "Secret",
            "; pods are not replaced when a Secret changes, because the operator may not: cannot list",
        ),
        (
            "Pod",
            "; what keeps a pod from serving is not told, because the operator may not: cannot list",
        ),
    ] {
        let api = api_server();
        api.deny(Match::verb(Verb::List).kind(kind), "cannot list");
        let world = World::on(api).await;
        world.put_server(everything());
        world.converge().await;
        // Its namespace alone is asked for too.
        sleep(Duration::from_secs(1)).await;
        world.reconcile().await.unwrap();
        let (reason, message) = world.ready();
        assert_eq!(reason, "Ready");
        assert!(message.ends_with(note), "{message}");
        world.api.heal();
        sleep(Duration::from_secs(11)).await;
        world.reconcile().await.unwrap();
        assert!(!world.ready().1.contains("may not"), "{:?}", world.ready());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_reads_no_secret_needs_no_permission_for_them() {
    let api = api_server();
    api.deny(Match::verb(Verb::List).kind("Secret"), "cannot list");
    let world = World::on(api).await;
    world.put_server(little());
    world.converge().await;
    assert!(!world.ready().1.contains("may not"));
}

#[tokio::test(start_paused = true)]
async fn while_deployments_cannot_be_read_nobody_knows_whether_pods_serve() {
    let api = api_server();
    api.deny(Match::verb(Verb::List).kind("Deployment"), "cannot list");
    let world = World::on(api).await;
    world.put_server(little());
    world.reconcile().await.unwrap_err();
    let (status, reason, _) = world.condition(conditions::AVAILABLE).unwrap();
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("Unknown", "Unreadable")
    );
    assert_eq!(
        world.ready().1,
        "Deployment objects cannot be read: cannot list"
    );
}

#[tokio::test(start_paused = true)]
async fn an_external_secret_that_is_not_synced_is_the_cause_of_what_its_pods_lack() {
    let world = World::with_server(everything()).await;
    edit_deployment(&world, |it| deployment_status(it, 1, 1, 0));
    let (namespace, name) = place(ManagedKind::ExternalSecret);
    world
        .api
        .edit("ExternalSecret", namespace, name, |secret| {
            secret["status"] = json!({ "conditions": [{
                "type": "Ready", "status": "False", "reason": "SecretSyncedError", "message": "could not get secret data",
            }] });
        })
        .unwrap();
    world.reconcile().await.unwrap();
    let (status, _, message) = world.condition(conditions::EXTERNAL_SECRET_SYNCED).unwrap();
    assert_eq!(status, "False");
    assert!(message.contains("could not get secret data"), "{message}");
    assert_eq!(world.ready().1, message);
}

/// Only the kubelet's events say why a probe fails; they are looked up where a rollout takes long, and not before.
#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_is_told_with_the_field_that_ends_it() {
    let world = World::with_server(little()).await;
    edit_deployment(&world, |it| deployment_status(it, 1, 1, 0));
    let deployment = world.api.get("Deployment", NAMESPACE, CHILD).unwrap();
    let mut pod = pod_of(&deployment, "mcp-weather-1");
    pod["status"]["containerStatuses"][0]["ready"] = json!(false);
    world.api.put(&pod);
    for (name, pod, note) in [
        (
            "ours",
            "mcp-weather-1",
            "Readiness probe failed: HTTP probe failed with statuscode: 404",
        ),
        (
            "of-another",
            "mcp-weather-2",
            "Readiness probe failed: HTTP probe failed with statuscode: 500",
        ),
    ] {
        world.api.put(json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": name, "namespace": NAMESPACE },
            "reason": "Unhealthy", "note": note, "eventTime": null, "deprecatedLastTimestamp": "2026-01-01T00:00:00Z",
            "regarding": { "kind": "Pod", "name": pod, "namespace": NAMESPACE },
        }));
    }
    world.edit_spec(|spec| {
        spec["observability"]["healthProbes"] = json!({ "readiness": { "path": "/ready" } });
    });
    world.reconcile().await.unwrap();
    let of_events = || Match::verb(Verb::List).kind("Event");
    let looks = || world.api.requests_of(&of_events()).len();
    assert_eq!(looks(), 0, "every rollout takes a while");
    sleep(Duration::from_secs(10)).await;
    world.reconcile().await.unwrap();
    let (reason, message) = world.ready();
    assert_eq!(reason, "Unhealthy", "{message}");
    assert!(
        message.contains("status 404: set spec.observability.healthProbes.readiness.path"),
        "{message}"
    );
    world.reconcile().await.unwrap();
    assert_eq!(looks(), 1, "an answer is good for a while");

    world.api.deny(of_events(), "it may not");
    sleep(Duration::from_mins(1)).await;
    world.reconcile().await.unwrap();
    let (_, message) = world.ready();
    assert!(
        message.contains("why a probe fails is not told: list events"),
        "{message}"
    );
    world.api.heal();

    world.roll_out();
    world.reconcile().await.unwrap();
    assert_eq!(
        world.condition(conditions::DEPLOYMENT_READY).unwrap().0,
        "True"
    );
}

/// External Secrets may be told to copy no labels (external-secrets/external-secrets#2790, #4749): then nobody sees that a
/// secret is new.
#[tokio::test(start_paused = true)]
async fn a_secret_whose_changes_are_not_noticed_is_told() {
    let world = World::with_server(everything()).await;
    let synced = json!([{ "type": "Ready", "status": "True", "reason": "SecretSynced", "message": "synced" }]);
    let secret = |label: &str| {
        let mut secret = mcp_testkit::objects::secret(
            NAMESPACE,
            "mcp-weather-secrets",
            json!({ "token": "AAAA" }),
        );
        secret["metadata"]["labels"] = json!({ label: NAME });
        secret
    };
    world.api.put(secret("theirs"));
    world.api.edit(
        "ExternalSecret",
        NAMESPACE,
        "mcp-weather-secrets",
        |object| {
            object["status"]["conditions"] = synced;
        },
    );
    world.reconcile().await.unwrap();
    let (reason, message) = world.ready();
    assert_eq!(reason, "Ready");
    assert!(
        message.contains("Secret mcp-weather-secrets changes, because it has no label mcp.litellm.ai/server: weather"),
        "{message}"
    );
    world.api.put(secret("mcp.litellm.ai/server"));
    world.reconcile().await.unwrap();
    let (_, message) = world.ready();
    assert!(!message.contains("label"), "{message}");
}
