//! When a status is written.

use mcp_operator_core::registration_basis::RegistrationBasis;
use mcp_operator_core::retry::{Classify, ErrorClass};
use mcp_testkit::{Failure, Fault, Times, WatchEnd};

use super::*;
use crate::requeue::RetryLimiter;
use crate::schedule;

/// A server with objects and no status yet.
async fn unreported() -> World {
    let world = World::new().await;
    world.put_server(little());
    assert!(matches!(
        world.reconcile().await,
        Ok(Progress::DeploymentCreated)
    ));
    world.api.clear_log();
    world
}

/// It would be out of date before it is written.
#[tokio::test(start_paused = true)]
async fn the_first_status_comes_after_the_reconcile_that_made_the_deployment() {
    let world = unreported().await;
    assert!(!world.written().contains(&"status".to_owned()));
    world.reconcile().await.unwrap();
    assert_eq!(world.written(), ["status"]);
    let server = world.api.get("MCPServer", NAMESPACE, NAME).unwrap();
    assert_eq!(server["status"]["phase"], "Creating");
    assert_eq!(server["status"]["observedGeneration"], 1);
    assert_eq!(world.events(), ["ReplicasUnavailable"]);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_says_the_same_is_not_written() {
    let world = World::with_server(little()).await;
    assert_eq!(world.ready().0, "Ready");
    for _ in 0..2 {
        world.reconcile().await.unwrap();
    }
    assert_eq!(world.written(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn each_transition_is_an_event_and_nothing_else_is() {
    let world = unreported().await;
    world.reconcile().await.unwrap();
    world.roll_out();
    world.reconcile().await.unwrap();
    world.edit_spec(|spec| spec["image"]["tag"] = json!("2.0.0"));
    // The Deployment that the API server answers with has a generation that nobody has observed.
    world.reconcile().await.unwrap();
    world.roll_out();
    world.reconcile().await.unwrap();
    world.edit_spec(|spec| spec["description"] = json!("the same objects"));
    world.reconcile().await.unwrap();
    let mut told = world.events();
    told.sort();
    assert_eq!(told, ["Ready", "ReplicasUnavailable", "RolloutInProgress"]);
    let events = Match::writes().kind("Event");
    let again = world.api.requests_of(&events).len() - told.len();
    assert_eq!(again, 1, "it became ready twice");
    let types = world.api.objects_of("Event");
    assert!(types.iter().all(|event| event["type"] == "Normal"));
}

#[tokio::test(start_paused = true)]
async fn a_transition_to_failure_is_a_warning() {
    let world = World::with_server(little()).await;
    world.edit_spec(|spec| spec["config"] = json!({ "": 1 }));
    assert!(matches!(world.reconcile().await, Ok(Progress::Invalid(_))));
    let events = world.api.objects_of("Event");
    let event = events.iter().find(|event| event["reason"] == "Invalid");
    assert_eq!(event.unwrap()["type"], "Warning");
}

#[tokio::test(start_paused = true)]
async fn a_status_that_cannot_be_written_fails_the_reconcile() {
    for (code, class) in [
        (409, ErrorClass::Conflict),
        (422, ErrorClass::Terminal),
        (500, ErrorClass::Transient),
    ] {
        let world = unreported().await;
        world.api.fail(
            writes_of_status(),
            Failure::new(code, "", "no"),
            Times::Once,
        );
        let error = world.reconcile().await.unwrap_err();
        assert_eq!(error.class(), class);
        assert_eq!(
            error.to_string(),
            "write status of MCPServer tools/weather: no"
        );
        assert!(
            world.events().is_empty(),
            "what nobody can read is not told"
        );
        world.retry().await.unwrap();
        assert_eq!(world.events(), ["ReplicasUnavailable"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_objects_is_worth_more_than_one_of_the_status() {
    let world = World::with_server(little()).await;
    world.edit_spec(|spec| spec["port"] = json!(9000));
    world.api.deny(applies(ManagedKind::Service), "you may not");
    world
        .api
        .fail(writes_of_status(), Failure::internal("no"), Times::Once);
    let error = world.reconcile().await.unwrap_err();
    assert_eq!(error.category(), "Forbidden");
}

#[tokio::test(start_paused = true)]
async fn the_status_of_a_server_that_is_gone_is_nobodys_business() {
    let world = unreported().await;
    let stale = world.server().await;
    world.api.delete("MCPServer", NAMESPACE, NAME);
    world.api.idle().await;
    let result = world.attempt_with(&stale, false).await;
    assert!(matches!(result, Ok(Progress::Applied(_))), "{result:?}");
    assert!(world.events().is_empty());
    let written = world.api.requests_of(&writes_of_status());
    assert_eq!(written[0].code, Some(404));
    let body = &written[0].body["metadata"];
    assert_eq!(body["uid"], json!(stale.metadata.uid));
}

/// The API server writes it all the same: nothing is told about it, and the namesake's own reconcile writes its own.
#[tokio::test(start_paused = true)]
async fn a_status_that_a_namesake_got_is_not_taken_for_its_own() {
    let world = unreported().await;
    let stale = world.server().await;
    world.api.before(writes_of_status(), |api, _| {
        api.delete("MCPServer", NAMESPACE, NAME);
        api.put(mcp_server_with(NAMESPACE, NAME, little()));
    });
    let result = world.attempt_with(&stale, false).await;
    assert!(matches!(result, Ok(Progress::Applied(_))), "{result:?}");
    let written = world.api.requests_of(&writes_of_status());
    assert_eq!(written[0].code, Some(200));
    assert!(world.events().is_empty());
    let namesake = world.api.get("MCPServer", NAMESPACE, NAME).unwrap();
    let mut shown: McpServer = serde_json::from_value(namesake).unwrap();
    shown.metadata.resource_version = Some("1".into());
    shown.status = None;
    let latest = world.context().servers.latest(&shown);
    assert_eq!(latest.status, None, "nothing is laid over it");
}

#[tokio::test(start_paused = true)]
async fn a_status_without_an_answer_ends() {
    let world = unreported().await;
    world.api.fail(writes_of_status(), Fault::Hang, Times::Once);
    let error = world.reconcile().await.unwrap_err();
    assert_eq!(error.category(), "Timeout");
}

/// The condition of the registration has another writer: it is read, and never written.
#[tokio::test(start_paused = true)]
async fn the_condition_of_the_registration_stays() {
    let world = World::new().await;
    let mut spec = little();
    spec["litellm"]["autoRegister"] = json!(true);
    world.put_server(spec);
    world.converge().await;
    assert_eq!(world.ready().0, "Waiting");
    let registered = json!({
        "type": "LiteLLMRegistered", "status": "True", "reason": "Registered", "message": "", "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    world.api.edit("MCPServer", NAMESPACE, NAME, |server| {
        let conditions = server["status"]["conditions"].as_array_mut().unwrap();
        conditions.push(registered);
    });
    world.reconcile().await.unwrap();
    assert_eq!(world.ready().0, "Ready");
    let written = world.api.requests_of(&writes_of_status());
    assert_eq!(written.len(), 1);
    assert!(!written[0].body.to_string().contains("LiteLLMRegistered"));
    assert!(world.condition("LiteLLMRegistered").is_some());
}

/// The informer shows a server as it was before our own write of its status.
#[tokio::test(start_paused = true)]
async fn what_was_written_counts_before_the_informer_shows_it() {
    let world = unreported().await;
    let watches = Match::verb(Verb::Watch).kind("MCPServer");
    world.api.fail(watches, Fault::Hang, Times::Always);
    world.api.end_watches("MCPServer", WatchEnd::Closed);
    let stale = world.guarded().await;
    world.reconcile().await.unwrap();
    assert_eq!(world.written(), ["status"]);
    let retries = RetryLimiter::new(CONCURRENCY);
    schedule::run(stale, world.context(), &retries).await;
    assert_eq!(world.written(), [""; 0]);
    assert_eq!(world.events(), ["ReplicasUnavailable"]);
}

#[tokio::test(start_paused = true)]
async fn the_registration_is_told_what_was_admitted_and_whether_it_serves() {
    let mut spec = little();
    spec["litellm"]["autoRegister"] = json!(true);
    let world = World::with_server(spec).await;
    let judged = world.context().judged.get(&world.server().await).unwrap();
    let RegistrationBasis::Admitted(entry) = &judged.basis else {
        panic!("{judged:?}");
    };
    assert_eq!(entry.key, ServerKey::new(NAMESPACE, NAME));
    assert_eq!(judged.available.unwrap().status, "True");
    // What is invalid leaves what was admitted before, which is what runs.
    world.edit_spec(|spec| spec["config"] = json!({ "": 1 }));
    assert!(matches!(world.reconcile().await, Ok(Progress::Invalid(_))));
    let still = world.context().judged.get(&world.server().await).unwrap();
    assert_eq!(still.basis, judged.basis);
}

/// What the webhook noted is shown, is not written again, and is not what somebody else writes into the status.
#[tokio::test(start_paused = true)]
async fn the_status_says_which_fields_plugins_set() {
    let world = World::with_server(little()).await;
    let noted = r#"{"spec.resources.limits.cpu":"compliance"}"#;
    world.api.edit("MCPServer", NAMESPACE, NAME, |server| {
        server["metadata"]["annotations"] = json!({ "mcp.litellm.ai/defaults": noted });
    });
    world.reconcile().await.unwrap();
    assert_eq!(world.written(), ["status"]);
    let expected = json!([{ "field": "spec.resources.limits.cpu", "plugin": "compliance" }]);
    let shown =
        || world.api.get("MCPServer", NAMESPACE, NAME).unwrap()["status"]["defaults"].clone();
    assert_eq!(shown(), expected);
    world.reconcile().await.unwrap();
    assert_eq!(world.written(), [""; 0]);
    world.api.edit("MCPServer", NAMESPACE, NAME, |server| {
        server["status"]["defaults"] = json!([{ "field": "spec.image", "plugin": "validation" }]);
    });
    world.reconcile().await.unwrap();
    assert_eq!(shown(), expected);
}
