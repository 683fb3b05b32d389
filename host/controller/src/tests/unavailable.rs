//! Plugins that should be in force, and are not loaded.

use std::sync::Arc;

use mcp_operator_policy::{SnapshotSender, UnavailablePlugin};
use mcp_testkit::objects::mcp_plugin;

use super::*;

pub(super) fn missing(spec: Value) -> Arc<Snapshot> {
    let plugin = mcp_plugin("compliance", spec);
    let unavailable = vec![UnavailablePlugin::new(&plugin, None)];
    Arc::new(Snapshot::with_unavailable(Vec::new(), unavailable, true))
}

/// A world whose plugins the test decides about, with a server that is as it should be.
async fn world() -> (World, SnapshotSender) {
    let (sender, snapshots) = Snapshots::channel();
    sender.publish(Arc::default());
    let world = World::with_snapshots(api_server(), build::Settings::default(), snapshots).await;
    world.put_server(everything());
    world.converge().await;
    (world, sender)
}

/// All objects but the server itself, as they are stored.
fn made(world: &World) -> Vec<Value> {
    ManagedKind::iter()
        .flat_map(|kind| world.api.objects_of(kind.name()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn without_an_enforced_plugin_no_object_of_a_server_is_touched() {
    for policy in ["Fail", "Ignore"] {
        let (world, plugins) = world().await;
        let before = made(&world);
        plugins.publish(missing(
            json!({ "source": { "builtin": "compliance" }, "failurePolicy": policy }),
        ));
        // Whatever the user wants, and whatever others have changed.
        world.edit_spec(|spec| {
            spec["port"] = json!(9000);
            for field in ["config", "autoscaling"] {
                spec.as_object_mut().unwrap().remove(field);
            }
        });
        let error = world.reconcile().await.unwrap_err();
        assert!(matches!(error, ReconcileError::Undecided(_)), "{error}");
        world.retry().await.unwrap_err();
        assert_eq!(world.written(), ["status"]);
        assert_eq!(made(&world), before);
        let (status, reason, message) = world.condition(conditions::SPEC_VALID).unwrap();
        assert_eq!(
            (status.as_str(), reason.as_str()),
            ("Unknown", "PluginUnavailable")
        );
        assert!(
            message.contains("plugin compliance is not loaded"),
            "{message}"
        );
        let (status, ..) = world.condition(conditions::DEPLOYMENT_READY).unwrap();
        assert_eq!(status, "True", "its pods serve as before");
        // And again changes nothing.
        world.retry().await.unwrap_err();
        assert_eq!(world.written(), [""; 0]);

        plugins.publish(Arc::default());
        world.retry().await.unwrap();
        let service = world.api.get("Service", NAMESPACE, CHILD).unwrap();
        assert_eq!(service["spec"]["ports"][0]["port"], 9000);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_the_plugin_is_not_for_goes_on() {
    let (world, plugins) = world().await;
    plugins.publish(missing(json!({
        "source": { "builtin": "compliance" }, "match": { "namespaceSelector": { "matchLabels": { "env": "prod" } } },
    })));
    world.edit_spec(|spec| spec["port"] = json!(9000));
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_before_all_plugins_were_tried() {
    let build = build::Settings::default();
    let world = World::with_snapshots(api_server(), build, Snapshots::channel().1).await;
    world.put_server(little());
    world.reconcile().await.unwrap_err();
    assert_eq!(made(&world).len(), 0);
}

/// What was found meanwhile is known to others: that the plugins are as they were before takes none of it back.
#[tokio::test(start_paused = true)]
async fn plugins_that_are_again_as_they_were_have_everything_judged_again() {
    let (world, plugins) = world().await;
    assert!(matches!(world.reconcile().await, Ok(Progress::Unchanged)));
    plugins.publish(missing(json!({ "source": { "builtin": "validation" } })));
    assert!(world.reconcile().await.is_err());
    plugins.publish(Arc::default());
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
}
