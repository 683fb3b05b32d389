//! Pods get the role of their account, although those who give it to them see the account late.

use tokio::time::advance;

use super::*;

fn with_role(name: &str) -> Value {
    let mut spec = little();
    spec["aws"] = role(name);
    spec
}

fn role(name: &str) -> Value {
    json!({ "iamRole": format!("arn:aws:iam::111122223333:role/{name}") })
}

fn template(world: &World) -> Value {
    world.api.get("Deployment", NAMESPACE, CHILD).unwrap()["spec"]["template"].clone()
}

#[tokio::test(start_paused = true)]
async fn pods_are_made_when_a_new_account_with_a_role_has_had_time_to_be_known() {
    let world = World::new().await;
    world.put_server(with_role("one"));
    for _ in 0..2 {
        let result = world.reconcile().await;
        assert!(
            matches!(result, Ok(Progress::AccountSettling)),
            "{result:?}"
        );
        assert!(world.exists(ManagedKind::ServiceAccount));
        assert!(!world.exists(ManagedKind::Deployment));
        // Nobody is to think that it is ready.
        let server = world.api.get("MCPServer", NAMESPACE, NAME).unwrap();
        assert_eq!(server["status"], Value::Null);
    }
    advance(IDENTITY_DELAY).await;
    world.converge().await;
    assert!(matches!(world.reconcile().await, Ok(Progress::Unchanged)));
}

#[tokio::test(start_paused = true)]
async fn without_a_role_nobody_waits() {
    let world = World::with_server(little()).await;
    assert!(matches!(world.reconcile().await, Ok(Progress::Unchanged)));
}

#[tokio::test(start_paused = true)]
async fn another_role_and_none_are_waited_for_too() {
    let world = World::new().await;
    world.put_server(with_role("one"));
    let _ = world.reconcile().await;
    advance(IDENTITY_DELAY).await;
    world.converge().await;
    let changes: [fn(&mut Value); 2] = [
        |spec| spec["aws"] = role("two"),
        |spec| spec["aws"] = Value::Null,
    ];
    for change in changes {
        let before = template(&world);
        world.edit_spec(change);
        let result = world.reconcile().await;
        assert!(
            matches!(result, Ok(Progress::AccountSettling)),
            "{result:?}"
        );
        assert_eq!(template(&world), before);
        advance(IDENTITY_DELAY).await;
        let _ = world.reconcile().await;
        assert_ne!(template(&world), before);
        world.roll_out();
    }
}
