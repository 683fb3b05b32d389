//! MCPServers that are too large for the informer to keep.

use super::running::Running;
use super::*;

/// As large as etcd takes them.
const LARGE: usize = 1_400_000;
/// More of them than have room.
const MANY: usize = 40;

fn large() -> Value {
    let mut spec = little();
    spec["args"] = json!(["x".repeat(LARGE)]);
    spec
}

fn spec_valid(api: &ApiServer, name: &str) -> Option<(String, String)> {
    let server = api.get("MCPServer", NAMESPACE, name)?;
    let conditions = server["status"]["conditions"].as_array()?.clone();
    let found = conditions
        .iter()
        .find(|found| found["type"] == conditions::SPEC_VALID)?;
    let text = |member: &str| found[member].as_str().unwrap_or_default().to_owned();
    Some((text("reason"), text("message")))
}

#[tokio::test(start_paused = true)]
async fn a_large_server_is_made_whole_and_kept_in_part() {
    let world = World::new().await;
    world.put_server(large());
    let guarded = world.guarded().await;
    assert!(guarded.cut.is_some() && guarded.readable().unwrap().spec.args.is_empty());
    world.scheduled().await.unwrap();
    let deployment = world.api.get("Deployment", NAMESPACE, CHILD).unwrap();
    let args = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
    assert_eq!(args[0].as_str().unwrap().len(), LARGE);
    world.roll_out();
    world.scheduled().await.unwrap();
    // What its user changes is seen, although it is not kept.
    world.edit_spec(|spec| spec["args"] = json!(["y".repeat(LARGE)]));
    world.scheduled().await.unwrap();
    let deployment = world.api.get("Deployment", NAMESPACE, CHILD).unwrap();
    let args = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
    assert!(args[0].as_str().unwrap().starts_with('y'));
}

#[tokio::test(start_paused = true)]
async fn those_that_have_no_room_say_so_and_the_others_are_made() {
    let running = Running::new().await;
    for number in 0..MANY {
        running.put(&format!("large-{number:02}"), large());
    }
    running.put(NAME, little());
    let last = format!("large-{:02}", MANY - 1);
    running
        .wait_for(|api| {
            let is_told = spec_valid(api, &last).is_some_and(|(reason, _)| reason == "TooLarge");
            is_told && api.get("Deployment", NAMESPACE, CHILD).is_some()
        })
        .await;
    let (_, message) = spec_valid(&running.api, &last).unwrap();
    assert!(message.contains("of the namespace tools"), "{message}");
    let made = |name: &str| {
        running
            .api
            .get("Deployment", NAMESPACE, &format!("mcp-{name}"))
    };
    assert_eq!(made(&last), None);
    running
        .wait_for(|api| api.get("Deployment", NAMESPACE, "mcp-large-00").is_some())
        .await;
    // One that goes makes room.
    for number in 0..MANY - 1 {
        running
            .api
            .delete("MCPServer", NAMESPACE, &format!("large-{number:02}"));
    }
    running
        .wait_for(|api| {
            api.get("Deployment", NAMESPACE, &format!("mcp-{last}"))
                .is_some()
        })
        .await;
}
