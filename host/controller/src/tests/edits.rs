//! After an edit, a server is ready when LiteLLM has what was edited, and nobody waits for what LiteLLM is not told.

use mcp_operator_api::names::conditions::LITELLM_REGISTERED;
use mcp_operator_core::desired_entries::RegistrationEntry;

use super::*;

/// The registration says something about the server as it is now.
async fn registration(world: &World, status: &str) {
    let server = world.server().await;
    let entry = RegistrationEntry::of(&server, &build::Settings::default());
    let judged = &world.context().judged;
    judged.record_registered(&server, Some(entry.fingerprint()));
    show(world, status, server.metadata.generation);
}

/// That is what the status shows.
fn show(world: &World, status: &str, generation: Option<i64>) {
    let edited = world.api.edit("MCPServer", NAMESPACE, NAME, |server| {
        let conditions = server["status"]["conditions"].as_array_mut().unwrap();
        conditions.retain(|condition| condition["type"] != LITELLM_REGISTERED);
        conditions.push(json!({
            "type": LITELLM_REGISTERED, "status": status, "reason": "Said", "message": "", "observedGeneration": generation,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }));
    });
    edited.unwrap();
}

/// A server that wants to be registered, and is.
async fn registered() -> World {
    let mut spec = little();
    spec["litellm"]["autoRegister"] = json!(true);
    let world = World::with_server(spec).await;
    registration(&world, "True").await;
    world.reconcile().await.unwrap();
    assert_eq!(world.ready().0, "Ready");
    world
}

fn describe(spec: &mut Value) {
    spec["litellm"]["description"] = json!("another");
}

fn is_reconciling(world: &World) -> bool {
    world.condition(conditions::RECONCILING).is_some()
}

#[tokio::test(start_paused = true)]
async fn what_litellm_is_told_is_waited_for() {
    let world = registered().await;
    world.edit_spec(describe);
    world.reconcile().await.unwrap();
    let (reason, message) = world.ready();
    assert_eq!(reason, "Waiting");
    assert!(message.contains("the last change"), "{message}");
    assert!(is_reconciling(&world));
    registration(&world, "True").await;
    world.reconcile().await.unwrap();
    assert_eq!(world.ready().0, "Ready");
    assert!(!is_reconciling(&world));
}

#[tokio::test(start_paused = true)]
async fn what_litellm_is_not_told_keeps_nobody_waiting_and_costs_one_write() {
    let world = registered().await;
    world.api.clear_log();
    world.edit_spec(|spec| spec["terminationGracePeriodSeconds"] = json!(77));
    world.reconcile().await.unwrap();
    assert_ne!(world.ready().0, "Waiting");
    world.roll_out();
    world.reconcile().await.unwrap();
    assert_eq!(world.ready().0, "Ready");
    world.api.clear_log();
    registration(&world, "True").await;
    world.reconcile().await.unwrap();
    assert_eq!(world.written(), Vec::<String>::new());
}

/// What was refused before may be mended now: who waits must not give up by it.
#[tokio::test(start_paused = true)]
async fn a_refusal_of_what_was_before_stalls_nobody() {
    let world = registered().await;
    registration(&world, "False").await;
    world.reconcile().await.unwrap();
    assert!(world.condition(conditions::STALLED).is_some());
    world.edit_spec(describe);
    world.reconcile().await.unwrap();
    assert_eq!(world.condition(conditions::STALLED), None);
    assert!(is_reconciling(&world));
}

/// A process that has just begun does not know what LiteLLM was told: it waits until the registration says it.
#[tokio::test(start_paused = true)]
async fn after_a_start_an_older_word_is_not_enough() {
    let world = registered().await;
    let before = world.server().await.metadata.generation;
    world.edit_spec(describe);
    world
        .context()
        .judged
        .forget(&ServerKey::new(NAMESPACE, NAME));
    show(&world, "True", before);
    world.reconcile().await.unwrap();
    assert_eq!(world.ready().0, "Waiting");
}
