//! A good plugin: every function of the contract, and what a call must not see.

use mcp_plugin_host::contract::registrar::{Action, ReadSource, Server};
use mcp_plugin_host::contract::{
    DefaultingRequest, PatchOperation, RegistrationState, Registry, Severity, Stage,
};
use mcp_plugin_host::{Digest, Host, Limits, Plugin};

use crate::common::{OBJECT, fixture, fixture_component, host_with, request, run};

#[tokio::test]
async fn a_component_becomes_a_plugin_that_answers() {
    let plugin = fixture().await;
    assert_eq!(plugin.digest(), Digest::of(fixture_component()));
    assert_eq!(
        plugin.interfaces().names().collect::<Vec<_>>(),
        ["metadata", "validator", "defaulter", "registrar"]
    );
    assert!(plugin.is_pooled());

    let findings = plugin
        .validate("good", &request(), &Limits::default())
        .await
        .unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!(
        (findings[0].code.as_str(), findings[0].field.as_str()),
        ("echo", "object")
    );
    assert_eq!(findings[0].bad_value.as_deref(), Some(OBJECT));
    assert_eq!(findings[0].severity, Severity::Warning);
}

#[tokio::test]
async fn metadata_describes_and_validates_settings() {
    let plugin = fixture().await;
    let limits = Limits::default();
    let description = plugin.describe(&limits).await.unwrap();
    assert_eq!(description.name, "fixture");
    assert_eq!(description.context, ["namespace"]);
    assert_eq!(plugin.validate_settings("good", &limits).await.unwrap(), []);
    let findings = plugin.validate_settings("bad", &limits).await.unwrap();
    assert!(
        findings[0].message.contains("no behaviour is named"),
        "{findings:?}"
    );
}

#[tokio::test]
async fn a_defaulter_patches_each_object() {
    let plugin = fixture().await;
    let request = DefaultingRequest {
        stage: Stage::Reconcile,
        server: OBJECT,
        objects: &[OBJECT, "{}"],
        context: &[],
    };
    let patches = plugin
        .defaults("good", &request, &Limits::default())
        .await
        .unwrap();
    assert_eq!(
        patches.iter().map(|patch| patch.object).collect::<Vec<_>>(),
        [0, 1]
    );
    let PatchOperation::Add(change) = &patches[1].operations[0] else {
        panic!("{patches:?}")
    };
    assert_eq!(
        (change.path.as_str(), change.value.as_str()),
        ("/said", "\"good\"")
    );
}

#[tokio::test]
async fn a_registrar_observes_and_plans() {
    let plugin = fixture().await;
    let limits = Limits::default();
    let reads = plugin.observe("good", &limits).await.unwrap();
    let ReadSource::Workload(workload) = &reads[0].source else {
        panic!("{reads:?}")
    };
    assert_eq!(workload.name, "litellm");
    let server = Server {
        namespace: "team-a",
        name: "docs",
        uid: "1",
        created: "2026-01-01T00:00:00Z",
        labels: &[("team", "a")],
        url: "http://mcp-docs.team-a:8080/mcp",
        transport: "http",
        description: "",
        access_groups: &["everyone"],
        allowed_tools: None,
        extra: &[],
    };
    let registry = Registry {
        instance: "test",
        servers: &[server],
        observations: &[],
        context: &[],
    };
    let plan = plugin.plan("good", &registry, &limits).await.unwrap();
    assert!(matches!(&plan.steps[0].action, Action::Send(request) if request.method == "POST"));
    assert_eq!(plan.registrations[0].registered_name, "team-a_docs");
    assert_eq!(plan.registrations[0].state, RegistrationState::Pending);
}

#[tokio::test]
async fn failures_that_a_plugin_reports_keep_their_kind() {
    let plugin = fixture().await;
    for (word, category) in [
        ("invalid-settings", "InvalidSettings"),
        ("unsupported", "Unsupported"),
        ("internal", "Internal"),
    ] {
        let error = run(&plugin, word, &Limits::default()).await.unwrap_err();
        assert_eq!(error.category(), category);
        assert_eq!(error.plugin(), "fixture");
    }
}

#[tokio::test]
async fn every_call_has_a_fresh_instance() {
    let plugin = fixture().await;
    for _ in 0..3 {
        assert_eq!(
            run(&plugin, "count", &Limits::default()).await.unwrap(),
            "0"
        );
    }
}

#[tokio::test]
async fn a_plugin_sees_nothing_of_the_host_and_every_time_the_same() {
    let plugin = fixture().await;
    let first = run(&plugin, "look-around", &Limits::default())
        .await
        .unwrap();
    // Arguments, environment, wall clock, time passed: nothing. Then a random number, and files, folders and network.
    assert!(first.starts_with("[] {} Ok(0) 0ns "), "{first}");
    assert_eq!(first.matches("Err(").count(), 4, "{first}");
    let second = host_with(|_| {})
        .load("another", fixture_component())
        .await
        .unwrap();
    assert_eq!(
        run(&second, "look-around", &Limits::default())
            .await
            .unwrap(),
        first
    );
}

#[test]
fn plugins_and_their_calls_can_move_between_threads() {
    fn can_move<T: Send + Sync>(_: &T) {}
    fn can_be_spawned<T: Send>(_: T) {}
    let check = |plugin: Plugin| {
        can_move(&plugin);
        can_be_spawned(async move {
            let _ = plugin
                .validate("good", &request(), &Limits::default())
                .await;
        });
    };
    let _ = check;
    let load = |host: Host| {
        can_move(&host);
        can_be_spawned(async move { host.load("fixture", &[]).await });
    };
    let _ = load;
}
