//! APIs that may be installed and removed at any time.

use futures::{FutureExt, StreamExt};

use super::*;
use crate::cache::Availability;

fn optional() -> impl Iterator<Item = ManagedKind> {
    ManagedKind::iter().filter(|kind| kind.is_optional())
}

/// A world without optional APIs.
async fn bare() -> World {
    let api = api_server();
    optional().for_each(|kind| uninstall(&api, kind));
    let world = World::on(api).await;
    world.put_server(everything());
    world
}

#[tokio::test(start_paused = true)]
async fn without_optional_apis_nothing_is_asked_of_them_and_the_status_says_so() {
    let world = bare().await;
    world.converge().await;
    let asked = world.api.requests();
    let plurals = [
        "externalsecrets",
        "servicemonitors",
        "ExternalSecret",
        "ServiceMonitor",
    ];
    assert!(
        asked
            .iter()
            .all(|request| !plurals.contains(&request.kind.as_str()))
    );
    let (status, reason, message) = world
        .condition(conditions::SERVICE_MONITOR_CREATED)
        .unwrap();
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("False", "ApiNotInstalled")
    );
    assert!(message.contains("monitoring.coreos.com/v1"), "{message}");
    assert_eq!(world.ready().0, "Ready", "its pods serve");
}

#[tokio::test(start_paused = true)]
async fn an_optional_api_that_comes_gets_its_objects() {
    for kind in optional() {
        let world = bare().await;
        world.converge().await;
        let mut changes = world.context().objects.availability_changes();
        install(&world.api, kind);
        assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
        assert!(changes.next().now_or_never().flatten().is_some());
        assert_eq!(
            world.context().objects.availability(kind),
            Availability::Listed
        );
        assert!(world.exists(kind));
    }
}

#[tokio::test(start_paused = true)]
async fn an_optional_api_that_goes_is_no_failure() {
    for kind in optional() {
        let world = World::with_server(everything()).await;
        uninstall(&world.api, kind);
        assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
        assert_eq!(
            world.context().objects.availability(kind),
            Availability::NotServed
        );
        let written = world.written();
        assert!(!written.contains(&kind.name().to_owned()), "{written:?}");
        // And when it is back, so is the object.
        install(&world.api, kind);
        world.reconcile().await.unwrap();
        assert!(world.exists(kind));
    }
}

/// The definition may be there without this version of it.
#[tokio::test(start_paused = true)]
async fn an_api_of_another_version_is_not_served() {
    let api = api_server();
    let kind = ManagedKind::ServiceMonitor;
    let mut resource = kind.api_resource();
    resource.version = "v2".into();
    api.put(custom_resource_definition(&resource));
    let world = World::on(api).await;
    assert_eq!(
        world.context().objects.availability(kind),
        Availability::NotServed
    );
}

/// Without the permission to read definitions, the objects themselves show whether there is an API.
#[tokio::test(start_paused = true)]
async fn definitions_that_may_not_be_read_are_not_needed() {
    let kind = ManagedKind::ServiceMonitor;
    for is_installed in [true, false] {
        let api = api_server();
        let definitions = Match::verb(Verb::List).kind("CustomResourceDefinition");
        api.deny(definitions, "you may not");
        if !is_installed {
            uninstall(&api, kind);
        }
        let world = World::on(api).await;
        world.put_server(everything());
        world.converge().await;
        assert_eq!(world.exists(kind), is_installed);
    }
}
