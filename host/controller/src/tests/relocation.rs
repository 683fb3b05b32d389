//! A server that moves elsewhere.

use mcp_operator_api::names::conditions::{AVAILABLE, DEPLOYMENT_READY, LITELLM_REGISTERED};

use super::*;

const URL: &str = "https://mcp.example.com/mcp";

fn remote(spec: &mut Value) {
    *spec = json!({ "remote": { "url": URL } });
}

/// What the registration says about the server, as it was at a generation.
fn registration(world: &World, status: &str, generation: i64) {
    let edited = world.api.edit("MCPServer", NAMESPACE, NAME, |server| {
        let conditions = server["status"]["conditions"].as_array_mut().unwrap();
        conditions.retain(|condition| condition["type"] != LITELLM_REGISTERED);
        conditions.push(json!({
            "type": LITELLM_REGISTERED, "status": status, "reason": "Test", "message": "", "observedGeneration": generation,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }));
    });
    edited.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_callers_use_goes_when_the_gateway_has_the_other_address() {
    let world = World::with_server(everything()).await;
    let before = world.server().await.metadata.generation.unwrap();
    registration(&world, "True", before);
    let kinds = world.kinds();
    world.edit_spec(remote);
    for (status, generation) in [("True", before), ("Unknown", before + 1)] {
        registration(&world, status, generation);
        assert!(matches!(world.reconcile().await, Ok(Progress::Relocating)));
        assert_eq!(world.kinds(), kinds, "{status}");
        let (_, message) = world.ready();
        assert!(message.contains("its pods stay until"), "{message}");
    }
    registration(&world, "True", before + 1);
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
    assert_eq!(world.kinds(), []);
    assert_eq!(world.ready().0, "Ready");
    for kind in [AVAILABLE, DEPLOYMENT_READY] {
        assert_eq!(world.condition(kind), None);
    }
    let status = world.api.get("MCPServer", NAMESPACE, NAME).unwrap()["status"].clone();
    assert_eq!(status["endpoints"]["mcp"], URL);
    assert_eq!(
        (&status["ready"], &status["phase"]),
        (&Value::Null, &json!("Ready"))
    );
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
    assert!(matches!(world.reconcile().await, Ok(Progress::Unchanged)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_nobody_knows_leaves_nothing_behind_at_once() {
    let world = World::with_server(everything()).await;
    world.edit_spec(remote);
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
    assert_eq!(world.kinds(), []);
    let (reason, _) = world.ready();
    assert_eq!(reason, "Waiting");
}

#[tokio::test(start_paused = true)]
async fn a_new_remote_server_has_no_objects() {
    let world = World::new().await;
    world.put_server(little());
    world.edit_spec(remote);
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
    assert_eq!(world.kinds(), []);
    assert_eq!(world.written(), ["status"]);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_told_with_its_field() {
    let world = World::new().await;
    world.put_server(little());
    world.edit_spec(|spec| {
        *spec = json!({ "remote": { "url": "https://10.0.0.1/mcp" }, "replicas": 5 });
    });
    let Ok(Progress::Invalid(errors)) = world.reconcile().await else {
        panic!("it is admitted");
    };
    let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["spec.remote.url", "spec.replicas"]);
}
