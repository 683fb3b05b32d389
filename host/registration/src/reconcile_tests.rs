use mcp_operator_api::names::conditions::LITELLM_REGISTERED;
use mcp_operator_core::registration_basis::RegistrationBasis;
use mcp_operator_core::registration_plan::{RolloutObstacle, Workload};
use mcp_operator_metrics::{Format, Metrics};
use mcp_testkit::objects::mcp_plugin;
use mcp_testkit::{ApiServer, Failure, Match, Times, Verb};
use serde_json::{Value, json};

use super::*;
use crate::test_cluster::{admit, condition, reconciler, serving};
use crate::test_records::FakeRecords;
use crate::test_registrars::{Behaviour, Drain, FakeRegistrars, Planning, lock};

type TestReconciler = Reconciler<FakeRegistrars, Arc<FakeRecords>>;

/// A cluster with one server that serves, and a registrar.
async fn cluster() -> (ApiServer, TestReconciler) {
    let server = ApiServer::new();
    server.put(serving("weather"));
    for plugin in ["a", "b"] {
        server.put(mcp_plugin(
            plugin,
            json!({ "source": { "builtin": "litellm" } }),
        ));
    }
    let registrars = FakeRegistrars::default();
    registrars.set_candidates(&["a1"]);
    let reconciler = reconciler(&server, registrars).await;
    (server, reconciler)
}

/// One pass, after the watch has caught up.
async fn pass(server: &ApiServer, reconciler: &mut TestReconciler) -> PassResult {
    server.idle().await;
    reconciler.reconcile().await
}

fn registered(server: &ApiServer, name: &str) -> Option<String> {
    condition(&server.get("MCPServer", "tools", name)?, LITELLM_REGISTERED)
}

fn registrar(server: &ApiServer, plugin: &str) -> Option<String> {
    condition(&server.get("MCPPlugin", "", plugin)?, "Registrar")
}

#[tokio::test]
async fn a_server_that_serves_is_registered_and_says_so() {
    let (server, mut reconciler) = cluster().await;
    pass(&server, &mut reconciler).await;
    let expected = "True Registered: says the registrar";
    assert_eq!(registered(&server, "weather").as_deref(), Some(expected));
    let weather = server.get("MCPServer", "tools", "weather").unwrap();
    assert_eq!(weather["status"]["litellm"]["name"], "weather");
    let in_force = "True InForce: MCPServers are registered by this plugin";
    assert_eq!(registrar(&server, "a").as_deref(), Some(in_force));
    assert_eq!(registrar(&server, "b"), None);
}

#[tokio::test]
async fn a_pass_that_changes_nothing_writes_nothing() {
    let (server, mut reconciler) = cluster().await;
    pass(&server, &mut reconciler).await;
    server.clear_log();
    pass(&server, &mut reconciler).await;
    assert_eq!(server.writes(), []);
}

#[tokio::test]
async fn without_a_registrar_the_condition_says_so() {
    let (server, mut reconciler) = cluster().await;
    reconciler.registrars.set_candidates(&[]);
    let result = pass(&server, &mut reconciler).await;
    assert!(result.done);
    let expected = "Unknown NoRegistrar: No MCPPlugin with a registrar is in force";
    assert_eq!(registered(&server, "weather").as_deref(), Some(expected));
}

#[tokio::test]
async fn a_registrar_that_fails_is_the_reason_of_all_conditions() {
    let (server, mut reconciler) = cluster().await;
    let fails = |behaviour: &mut Behaviour| behaviour.planning = Planning::Fails;
    reconciler.registrars.change("a1", fails);
    let result = pass(&server, &mut reconciler).await;
    assert_eq!(result.failed, Some(ErrorClass::PluginGuest));
    let expected = "Unknown Trapped: it traps";
    assert_eq!(registered(&server, "weather").as_deref(), Some(expected));
    let taking_over = "Unknown TakingOver: it traps";
    assert_eq!(registrar(&server, "a").as_deref(), Some(taking_over));
}

#[tokio::test]
async fn while_another_registrar_is_drained_no_server_is_called_registered() {
    let (server, mut reconciler) = cluster().await;
    pass(&server, &mut reconciler).await;
    reconciler.registrars.set_candidates(&["b1", "a1"]);
    let in_progress = |behaviour: &mut Behaviour| {
        behaviour.drain = Drain::InProgress;
    };
    reconciler.registrars.change("a1", in_progress);
    let result = pass(&server, &mut reconciler).await;
    assert!(!result.done && result.failed.is_none());
    let changing = "Unknown RegistrarChanging: b registers when a has left: gateway: 1 of 2";
    assert_eq!(registered(&server, "weather").as_deref(), Some(changing));
    let leaving = "False Leaving: Leaves to b: gateway: 1 of 2";
    assert_eq!(registrar(&server, "a").as_deref(), Some(leaving));
    let taking_over = "Unknown TakingOver: Begins when a has left: gateway: 1 of 2";
    assert_eq!(registrar(&server, "b").as_deref(), Some(taking_over));
    assert_eq!(*lock(&reconciler.registrars.registrations), ["a1"]);
}

#[tokio::test]
async fn a_server_that_cannot_be_read_stays_registered() {
    let (server, mut reconciler) = cluster().await;
    pass(&server, &mut reconciler).await;
    let broken = |weather: &mut Value| weather["spec"]["image"] = json!(7);
    server
        .edit("MCPServer", "tools", "weather", broken)
        .unwrap();
    server.idle().await;
    assert!(reconciler.servers.all().is_empty());
    pass(&server, &mut reconciler).await;
    assert_eq!(reconciler.last.entries.len(), 1);
}

#[tokio::test]
async fn a_condition_that_cannot_be_written_is_tried_again() {
    let (server, mut reconciler) = cluster().await;
    let status = Match::verb(Verb::Apply)
        .kind("MCPServer")
        .subresource("status");
    server.fail(status, Failure::internal("no space left"), Times::Once);
    let result = pass(&server, &mut reconciler).await;
    assert!(!result.done);
    assert_eq!(registered(&server, "weather"), None);
    pass(&server, &mut reconciler).await;
    assert!(registered(&server, "weather").is_some());
}

#[tokio::test]
async fn a_registration_waits_for_the_record() {
    let (server, mut reconciler) = cluster().await;
    *lock(&reconciler.registrars.records.writes_fail) = true;
    let result = pass(&server, &mut reconciler).await;
    assert_eq!(result.failed, Some(ErrorClass::Transient));
    let expected = "Unknown Timeout: write record: no answer within 15 s";
    assert_eq!(registered(&server, "weather").as_deref(), Some(expected));
    assert!(lock(&reconciler.registrars.registrations).is_empty());
}

fn tamper(server: &ApiServer, kind: &str, status: &str, reason: &str) {
    let condition = json!({
        "type": kind, "status": status, "reason": reason, "message": "",
        "lastTransitionTime": "9999-01-01T00:00:00Z", "observedGeneration": 1,
    });
    let edited = server.edit("MCPServer", "tools", "weather", |weather| {
        let conditions = weather["status"]["conditions"].as_array_mut().unwrap();
        conditions.retain(|known| known["type"] != kind);
        conditions.push(condition);
    });
    edited.unwrap();
}

fn shown(server: &ApiServer) -> McpServer {
    serde_json::from_value(server.get("MCPServer", "tools", "weather").unwrap()).unwrap()
}

#[tokio::test]
async fn a_status_that_somebody_writes_registers_nothing_and_is_corrected() {
    let (server, mut reconciler) = cluster().await;
    reconciler
        .judged
        .record_available(&shown(&server), None, Timestamp::now());
    pass(&server, &mut reconciler).await;
    assert_eq!(reconciler.last.entries, []);
    tamper(&server, "Available", "True", "PodsServe");
    tamper(&server, LITELLM_REGISTERED, "True", "Registered");
    pass(&server, &mut reconciler).await;
    assert_eq!(reconciler.last.entries, []);
    let expected = "False NotRegistered: Not registered: no pod serves";
    assert_eq!(registered(&server, "weather").as_deref(), Some(expected));
    server.clear_log();
    pass(&server, &mut reconciler).await;
    assert_eq!(server.writes(), []);
}

#[tokio::test]
async fn a_registration_that_somebody_denies_stays_and_is_corrected() {
    let (server, mut reconciler) = cluster().await;
    pass(&server, &mut reconciler).await;
    tamper(&server, LITELLM_REGISTERED, "False", "NotRegistered");
    tamper(&server, "Available", "False", "NoPodServes");
    pass(&server, &mut reconciler).await;
    assert_eq!(reconciler.last.entries.len(), 1);
    let expected = "True Registered: says the registrar";
    assert_eq!(registered(&server, "weather").as_deref(), Some(expected));
}

#[tokio::test]
async fn a_server_leaves_when_a_rule_forbids_it() {
    let (server, mut reconciler) = cluster().await;
    pass(&server, &mut reconciler).await;
    let forbidden = RegistrationBasis::Forbidden("spec.image.tag: Invalid value".into());
    reconciler.judged.record_basis(&shown(&server), forbidden);
    pass(&server, &mut reconciler).await;
    assert_eq!(reconciler.last.entries, []);
    let says = registered(&server, "weather").unwrap();
    assert!(
        says.ends_with("rules in force forbid it: spec.image.tag: Invalid value"),
        "{says}"
    );
}

/// A namespace that changes its servers again and again restarts the gateway a few times, and the others do not wait for it.
#[tokio::test]
async fn a_namespace_that_never_rests_waits_and_others_do_not() {
    let (server, mut reconciler) = cluster().await;
    reconciler
        .registrars
        .change("a1", |behaviour| behaviour.has_workloads = true);
    pass(&server, &mut reconciler).await;
    for round in 0..20 {
        let group = format!("group-{round}");
        let mut weather = reconciler.last.entries[0].clone();
        weather.access_groups = vec![group.clone()];
        let shown = reconciler.servers.all()[0].server.clone().unwrap();
        let basis = RegistrationBasis::Admitted(std::sync::Arc::new(weather));
        reconciler.judged.record_basis(&shown, basis);
        pass(&server, &mut reconciler).await;
        let is_in = reconciler.last.entries[0].access_groups.contains(&group);
        assert_eq!(is_in, round < 3, "{round}");
    }
    // What is removed is removed at once.
    let shown = reconciler.servers.all()[0].server.clone().unwrap();
    assert!(reconciler.last.entries[0].access_groups.is_empty());
    reconciler
        .judged
        .record_basis(&shown, RegistrationBasis::OptedOut);
    pass(&server, &mut reconciler).await;
    assert!(reconciler.last.entries.is_empty());
    // It comes back later, and says why.
    let settings = &reconciler.settings.build;
    let basis = RegistrationBasis::of_admitted(&shown, settings);
    reconciler.judged.record_basis(&shown, basis);
    let result = pass(&server, &mut reconciler).await;
    assert!(reconciler.last.entries.is_empty() && result.recheck_at.is_some());
    let condition = registered(&server, "weather").unwrap();
    assert!(
        condition.starts_with("Unknown TooManyChanges: Waits until"),
        "{condition}"
    );
    // Neither does it extend the time for which the changes of others are collected.
    let before = reconciler.desired_state();
    let basis = RegistrationBasis::OptedOut;
    reconciler.judged.record_basis(&shown, basis);
    assert_eq!(reconciler.desired_state(), before);
}

#[tokio::test]
async fn a_pass_tells_how_many_servers_there_are_and_when_it_last_went_well() {
    let (server, mut reconciler) = cluster().await;
    let metrics = Metrics::new("1.0.0");
    reconciler.metrics = metrics.registration();
    reconciler.reconciles = metrics.reconciles("registration");
    let value = |series: &str| {
        let text = metrics.encode(Format::Prometheus);
        let mut lines = text.lines();
        let line = lines.find(|line| line.rsplit_once(' ').is_some_and(|it| it.0 == series))?;
        line.rsplit(' ').next()?.parse::<i64>().ok()
    };
    let success = "mcp_operator_registry_last_success_timestamp_seconds";
    let registrars = &reconciler.registrars;
    registrars.change("a1", |behaviour| behaviour.planning = Planning::Fails);
    pass(&server, &mut reconciler).await;
    assert_eq!(value(success), None);
    assert_eq!(value("mcp_operator_registry_pending"), Some(1));
    let failed = r#"controller_runtime_reconcile_total{controller="registration",result="error"}"#;
    assert_eq!(value(failed), Some(1));
    let registrars = &reconciler.registrars;
    registrars.change("a1", |behaviour| behaviour.planning = Planning::Works);
    pass(&server, &mut reconciler).await;
    assert_eq!(value("mcp_operator_registry_servers"), Some(1));
    assert_eq!(value("mcp_operator_registry_pending"), Some(0));
    assert!(value(success).is_some_and(|at| at > 1_700_000_000));
}

#[tokio::test]
async fn a_gateway_whose_rollout_does_not_end_is_told_once_by_a_warning() {
    let (server, mut reconciler) = cluster().await;
    let stuck = |obstacle: Option<RolloutObstacle>| {
        move |behaviour: &mut Behaviour| {
            behaviour.has_workloads = true;
            behaviour.obstacle = obstacle;
        }
    };
    let obstacle = RolloutObstacle {
        workload: Workload {
            kind: "Deployment".into(),
            namespace: "litellm".into(),
            name: "litellm-proxy".into(),
        },
        message: "since then: no place".into(),
    };
    let warnings = |server: &ApiServer| {
        let events = server.objects_of("Event").into_iter();
        let events = events.filter(|event| event["reason"] == "RolloutStuck");
        events.collect::<Vec<_>>()
    };
    for _ in 0..3 {
        reconciler
            .registrars
            .change("a1", stuck(Some(obstacle.clone())));
        pass(&server, &mut reconciler).await;
    }
    let told = warnings(&server);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["type"], "Warning");
    assert_eq!(told[0]["regarding"]["name"], "litellm-proxy");
    assert_eq!(told[0]["metadata"]["namespace"], "litellm");
    let note = told[0]["note"].as_str().unwrap();
    assert!(note.ends_with("since then: no place"), "{note}");
    reconciler.registrars.change("a1", stuck(None));
    pass(&server, &mut reconciler).await;
    assert!(reconciler.gateway_events.is_quiet());
}

/// What its user changes.
fn edit(server: &ApiServer, change: impl FnOnce(&mut Value)) {
    let edited = server.edit("MCPServer", "tools", "weather", |weather| {
        change(&mut weather["spec"]);
    });
    edited.unwrap();
}

fn observed_generation(server: &ApiServer) -> i64 {
    let weather = server.get("MCPServer", "tools", "weather").unwrap();
    let conditions = weather["status"]["conditions"].as_array().unwrap();
    let said = conditions
        .iter()
        .find(|condition| condition["type"] == LITELLM_REGISTERED);
    said.unwrap()["observedGeneration"].as_i64().unwrap()
}

/// What was registered is what the controller judged, and that may be the specification before.
#[tokio::test]
async fn the_condition_names_the_generation_that_was_judged() {
    let (server, mut reconciler) = cluster().await;
    pass(&server, &mut reconciler).await;
    let before = observed_generation(&server);
    edit(&server, |spec| {
        spec["litellm"]["description"] = json!("another");
    });
    pass(&server, &mut reconciler).await;
    assert_eq!(observed_generation(&server), before);
    admit(&server, &reconciler.judged, "weather");
    assert!(!reconciler.judged.is_registered_as_judged(&shown(&server)));
    pass(&server, &mut reconciler).await;
    assert_eq!(observed_generation(&server), before + 1);
    assert!(reconciler.judged.is_registered_as_judged(&shown(&server)));
}

/// While others are rolled out, LiteLLM goes on as it was for who changes something else.
#[tokio::test]
async fn an_edit_that_is_not_about_the_registration_leaves_it_while_others_change() {
    let (server, mut reconciler) = cluster().await;
    pass(&server, &mut reconciler).await;
    let pending = |behaviour: &mut Behaviour| behaviour.planning = Planning::Pending;
    reconciler.registrars.change("a1", pending);
    edit(&server, |spec| spec["replicas"] = json!(5));
    admit(&server, &reconciler.judged, "weather");
    pass(&server, &mut reconciler).await;
    let expected = "True Registered: says the registrar";
    assert_eq!(registered(&server, "weather").as_deref(), Some(expected));
    edit(&server, |spec| {
        spec["litellm"]["description"] = json!("another");
    });
    admit(&server, &reconciler.judged, "weather");
    pass(&server, &mut reconciler).await;
    let pending = "Unknown Pending: says the registrar";
    assert_eq!(registered(&server, "weather").as_deref(), Some(pending));
}

const ELSEWHERE: &str = "https://mcp.example.com/mcp";

/// Where it is told to be.
fn told_url(reconciler: &TestReconciler) -> String {
    reconciler.last.entries[0].url.clone()
}

/// A server that was remote, and is to run here.
async fn moving() -> (ApiServer, TestReconciler) {
    let (server, mut reconciler) = cluster().await;
    edit(&server, |spec| {
        *spec = json!({ "remote": { "url": ELSEWHERE } });
    });
    admit(&server, &reconciler.judged, "weather");
    pass(&server, &mut reconciler).await;
    assert_eq!(told_url(&reconciler), ELSEWHERE);
    edit(&server, |spec| {
        *spec = json!({ "image": { "repository": "acme/mcp" } });
    });
    available(&server, "False");
    (server, reconciler)
}

fn available(server: &ApiServer, status: &str) {
    let condition = json!({
        "type": "Available", "status": status, "reason": "Test", "message": "",
        "lastTransitionTime": Timestamp::now().to_string(), "observedGeneration": 1,
    });
    let edited = server.edit("MCPServer", "tools", "weather", |weather| {
        let conditions = weather["status"]["conditions"].as_array_mut().unwrap();
        conditions.retain(|known| known["type"] != "Available");
        conditions.push(condition);
    });
    edited.unwrap();
}

#[tokio::test]
async fn a_server_that_comes_here_is_called_elsewhere_until_it_serves_also_after_a_restart() {
    let (server, mut before) = moving().await;
    admit(&server, &before.judged, "weather");
    pass(&server, &mut before).await;
    assert_eq!(told_url(&before), ELSEWHERE);
    let moved_at = shown(&server).metadata.generation.unwrap();
    assert_eq!(observed_generation(&server), moved_at - 1, "not yet");

    let registrars = FakeRegistrars::default();
    registrars.set_candidates(&["a1"]);
    let mut after = crate::test_cluster::reconciler(&server, registrars).await;
    for _ in 0..2 {
        pass(&server, &mut after).await;
        assert_eq!(told_url(&after), ELSEWHERE);
        assert_eq!(observed_generation(&server), moved_at - 1);
    }
    available(&server, "True");
    admit(&server, &after.judged, "weather");
    pass(&server, &mut after).await;
    assert_eq!(
        told_url(&after),
        "http://mcp-weather.tools.svc.cluster.local:8080/mcp"
    );
    assert_eq!(observed_generation(&server), moved_at);
    let status = server.get("MCPServer", "tools", "weather").unwrap()["status"].clone();
    assert_eq!(status["litellm"], json!({ "name": "weather" }));
}

/// Also one that was edited while nobody looked.
#[tokio::test]
async fn a_move_while_the_operator_was_down_is_no_other_one() {
    let (server, _) = moving().await;
    let registrars = FakeRegistrars::default();
    registrars.set_candidates(&["a1"]);
    let mut after = crate::test_cluster::reconciler(&server, registrars).await;
    pass(&server, &mut after).await;
    assert_eq!(told_url(&after), ELSEWHERE);
}
