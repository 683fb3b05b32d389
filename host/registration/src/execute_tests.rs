use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mcp_operator_api::v1alpha1::Connection;
use mcp_operator_connections::{Connections, RetryAfterGate};
use mcp_operator_core::registration_plan::{ConfigKey, Workload};
use mcp_operator_core::retry::ErrorClass;
use mcp_operator_metrics::{Format, Metrics};
use mcp_operator_runtime::NamespaceSecrets;
use mcp_testkit::objects::config_map;
use mcp_testkit::workloads::{deployment_rolled_out, deployment_status};
use mcp_testkit::{ApiServer, Failure, Match, Times, Verb};
use serde_json::Value;

use super::*;

fn write(name: &str, content: Option<&str>, servers: &[&str]) -> Step {
    write_key(name, "servers", content, servers)
}

fn write_key(name: &str, key: &str, content: Option<&str>, servers: &[&str]) -> Step {
    let key = ConfigKey {
        namespace: "litellm".into(),
        name: name.into(),
        key: key.into(),
    };
    Step {
        action: Action::WriteConfigKey(ConfigKeyWrite {
            key,
            content: content.map(str::to_owned),
        }),
        servers: servers.iter().map(|server| (*server).to_owned()).collect(),
    }
}

fn roll(value: &str) -> Step {
    let workload = Workload {
        kind: "Deployment".into(),
        namespace: "litellm".into(),
        name: "proxy".into(),
    };
    Step {
        action: Action::Roll(Roll {
            workload,
            value: value.into(),
        }),
        servers: Vec::new(),
    }
}

/// LiteLLM's Deployment, rolled to `old`, so many of two pods of its present template.
fn with_proxy(updated: i64) -> ApiServer {
    let server = ApiServer::new();
    let mut proxy = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "proxy", "namespace": "litellm" },
        "spec": {
            "replicas": 2, "selector": { "matchLabels": { "app": "proxy" } },
            "template": { "metadata": { "annotations": { ROLLED_TO: "old" } }, "spec": { "containers": [] } },
        },
    });
    proxy = server.put(proxy);
    if updated == 2 {
        deployment_rolled_out(&mut proxy);
    } else {
        deployment_status(&mut proxy, updated, 2, 2);
    }
    server.put(proxy);
    server
}

async fn execute_over(
    session: &Session,
    server: &ApiServer,
    steps: &[Step],
    stop: &CancellationToken,
) -> ExecutionOutcome {
    let client = server.client();
    let executor = Executor {
        client: &client,
        session,
        leadership: &Leadership::unelected(),
        stop,
    };
    executor.execute(steps).await
}

async fn execute(server: &ApiServer, steps: &[Step]) -> ExecutionOutcome {
    let (session, stop) = (Session::default(), CancellationToken::new());
    execute_over(&session, server, steps, &stop).await
}

/// The one step's error.
async fn error(server: &ApiServer, step: Step) -> RegistrationError {
    let mut outcome = execute(server, &[step]).await;
    outcome.failed.pop().unwrap().1
}

fn rolled_to(server: &ApiServer) -> Value {
    let proxy = server.get("Deployment", "litellm", "proxy").unwrap();
    proxy["spec"]["template"]["metadata"]["annotations"][ROLLED_TO].clone()
}

#[tokio::test]
async fn a_config_key_is_written_beside_those_of_others() {
    let server = ApiServer::new();
    server.put(config_map("litellm", "config", json!({ "theirs": "kept" })));
    let outcome = execute(&server, &[write("config", Some("ours"), &[])]).await;
    assert_eq!(outcome.done.len(), 1);
    let data = || server.get("ConfigMap", "litellm", "config").unwrap()["data"].clone();
    assert_eq!(data(), json!({ "theirs": "kept", "servers": "ours" }));
    execute(&server, &[write("config", None, &[])]).await;
    assert_eq!(data(), json!({ "theirs": "kept" }));
}

/// A registrar may be granted several keys of one ConfigMap, and two registrars one each.
#[tokio::test]
async fn keys_of_one_config_map_stay_beside_each_other() {
    let server = ApiServer::new();
    let data = || server.get("ConfigMap", "litellm", "config").unwrap()["data"].clone();
    let [a, b] = ["a", "b"].map(|key| write_key("config", key, Some("ours"), &[]));
    for _ in 0..2 {
        for step in [&a, &b] {
            let outcome = execute(&server, std::slice::from_ref(step)).await;
            assert_eq!(outcome.done.len(), 1);
        }
        assert_eq!(data(), json!({ "a": "ours", "b": "ours" }));
    }
    execute(&server, &[write_key("config", "a", None, &[])]).await;
    assert_eq!(data(), json!({ "b": "ours" }));
}

#[tokio::test]
async fn what_is_removed_from_nothing_makes_nothing() {
    let server = ApiServer::new();
    let outcome = execute(&server, &[write("config", None, &[])]).await;
    assert_eq!(outcome.done.len(), 1);
    assert_eq!(server.get("ConfigMap", "litellm", "config"), None);
}

/// Also by a registrar that does not look.
#[tokio::test]
async fn no_second_rollout_begins_while_one_is_going_on() {
    let server = with_proxy(1);
    let error = error(&server, roll("new")).await;
    assert_eq!(error.category(), "RolloutWaiting");
    assert_eq!(
        error.to_string(),
        "Deployment litellm/proxy finishes another rollout first: 1 of 2 replicas updated, 2 available"
    );
    assert_eq!(server.writes(), []);
}

/// One pod that has no place, for ever (authzed/spicedb-operator#108, gke-labs/kube-agents#977).
#[tokio::test]
async fn spicedb_108_a_pod_without_a_place_does_not_hold_up_a_rollout() {
    let server = with_proxy(2);
    server.edit("Deployment", "litellm", "proxy", |proxy| {
        proxy["spec"]["replicas"] = json!(3);
    });
    let change = |reason: &str| {
        server.edit("Deployment", "litellm", "proxy", |proxy| {
            deployment_status(proxy, 3, 3, 2);
            proxy["status"]["conditions"] = json!([{
                "type": "Progressing", "status": "True", "reason": reason, "message": "m",
            }]);
        });
        server.clear_log();
    };
    change("ReplicaSetUpdated");
    let waiting = error(&server, roll("new")).await;
    assert_eq!(waiting.category(), "RolloutWaiting");
    change("NewReplicaSetAvailable");
    let outcome = execute(&server, &[roll("new")]).await;
    assert_eq!(outcome.done.len(), 1);
    assert_eq!(rolled_to(&server), "new");
}

/// Since when, why, and what to do.
#[tokio::test]
async fn a_rollout_that_does_not_end_is_told() {
    let server = with_proxy(1);
    server.edit("Deployment", "litellm", "proxy", |proxy| {
        proxy["status"]["conditions"] = json!([{
            "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
            "message": "ReplicaSet has timed out progressing.", "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]);
    });
    let said = error(&server, roll("new")).await.to_string();
    assert!(
        said.contains("since 2026-01-01T00:00:00Z: ReplicaSet has timed out progressing."),
        "{said}"
    );
    server.edit("Deployment", "litellm", "proxy", |proxy| {
        proxy["spec"]["paused"] = json!(true);
    });
    let said = error(&server, roll("new")).await.to_string();
    assert!(
        said.contains("kubectl rollout resume deployment/proxy"),
        "{said}"
    );
}

#[tokio::test]
async fn a_rollout_that_was_begun_is_not_begun_again() {
    let server = with_proxy(1);
    let outcome = execute(&server, &[roll("old")]).await;
    assert_eq!(outcome.done.len(), 1);
    assert_eq!(server.writes(), []);
}

#[tokio::test]
async fn a_rollout_replaces_the_pods() {
    let server = with_proxy(2);
    let outcome = execute(&server, &[roll("new")]).await;
    assert_eq!(outcome.done.len(), 1);
    assert_eq!(rolled_to(&server), "new");
}

#[tokio::test]
async fn a_deployment_that_is_not_there_is_not_made() {
    let server = ApiServer::new();
    let error = error(&server, roll("new")).await;
    assert_eq!(error.class(), ErrorClass::External);
    assert_eq!(
        error.to_string(),
        r#"roll Deployment litellm/proxy: deployments.apps "proxy" not found"#
    );
    assert_eq!(server.writes(), []);
}

#[tokio::test]
async fn a_rollout_that_began_since_it_was_looked_at_is_not_overtaken() {
    let server = with_proxy(2);
    let patch = Match::verb(Verb::Patch).kind("Deployment");
    server.before(patch, |server, _| {
        let change = |proxy: &mut Value| proxy["spec"]["replicas"] = json!(3);
        server.edit("Deployment", "litellm", "proxy", change);
    });
    let error = error(&server, roll("new")).await;
    assert_eq!(error.class(), ErrorClass::Conflict);
    assert_eq!(rolled_to(&server), "old");
}

#[tokio::test]
async fn a_missing_permission_is_waited_for() {
    let server = with_proxy(2);
    server.deny(Match::verb(Verb::Patch), "patch deployments is not allowed");
    let error = error(&server, roll("new")).await;
    assert_eq!(error.class(), ErrorClass::External);
    assert_eq!(error.category(), "Forbidden");
}

#[tokio::test]
async fn what_builds_on_a_failed_step_is_skipped() {
    let server = with_proxy(2);
    let failing = Match::verb(Verb::Patch).name("first");
    server.fail(failing, Failure::internal("no space left"), Times::Always);
    let steps = [
        write("first", Some("a"), &["tools/weather"]),
        write("second", Some("a"), &["tools/other"]),
        write("third", Some("a"), &["tools/weather"]),
        roll("new"),
    ];
    let outcome = execute(&server, &steps).await;
    assert_eq!(outcome.done, [steps[1].clone()]);
    let skipped: Vec<&Step> = outcome.skipped.iter().map(|(step, _)| step).collect();
    assert_eq!(skipped, [&steps[2], &steps[3]]);
    assert_eq!(outcome.skipped[0].1.category, "ApiServerError");
    assert_eq!(rolled_to(&server), "old");
}

#[tokio::test(start_paused = true)]
async fn after_a_stop_the_present_step_is_finished_and_no_other_begins() {
    let server = ApiServer::new();
    for name in ["first", "second"] {
        server.put(config_map("litellm", name, json!({})));
    }
    let stop = CancellationToken::new();
    let first = Match::verb(Verb::Patch).name("first");
    let stopping = stop.clone();
    server.before(first, move |_, _| stopping.cancel());
    let steps = [
        write("first", Some("a"), &[]),
        write("second", Some("a"), &[]),
    ];
    let outcome = execute_over(&Session::default(), &server, &steps, &stop).await;
    assert_eq!(outcome.done, [steps[0].clone()]);
    assert!(outcome.failed.is_empty() && outcome.skipped.is_empty());
    assert_eq!(server.writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_without_an_answer_is_given_up() {
    let server = ApiServer::new();
    server.fail(Match::writes(), mcp_testkit::Fault::Hang, Times::Always);
    let error = error(&server, write("config", Some("a"), &[])).await;
    assert_eq!(
        error.to_string(),
        "write ConfigMap litellm/config: no answer within 15 s"
    );
}

/// What a service answers to so many requests before it refuses.
const ACCEPTED: usize = 10;

/// A service that answers like this from some request on; its URL, and how many requests it had. It ends with the tests.
fn refusing_service(refusal: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::<AtomicUsize>::default();
    let counted = asked.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let head = BufReader::new(&stream).lines().map_while(Result::ok);
            head.take_while(|line| !line.is_empty()).for_each(drop);
            let is_accepted = counted.fetch_add(1, Ordering::SeqCst) < ACCEPTED;
            let status = if is_accepted { "201 Created" } else { refusal };
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            // Whoever has hung up needs none.
            let _ = (&stream).write_all(answer.as_bytes());
        }
    });
    (url, asked)
}

/// Who is refused, or asked to wait, does not go on asking: only what is on its way arrives.
#[tokio::test]
async fn a_service_that_refuses_gets_nothing_of_the_rest() {
    for (refusal, category) in [
        ("401 Unauthorized", "AccessDenied"),
        (
            "429 Too Many Requests\r\nretry-after: 40",
            "TooManyRequests",
        ),
    ] {
        let (base_url, asked) = refusing_service(refusal);
        let connection = Connection {
            name: "litellm".into(),
            base_url,
            ..Connection::default()
        };
        let server = ApiServer::new();
        let (connections, gate) = (
            Connections::new(&[connection]).unwrap(),
            RetryAfterGate::default(),
        );
        let secrets = NamespaceSecrets::new(server.client(), "operator");
        let session = Session::open(&secrets, &connections, &gate).await;
        let steps: Vec<Step> = (0..60)
            .map(|number| Step {
                action: Action::Send(HttpRequest {
                    connection: "litellm".into(),
                    method: "POST".into(),
                    path: "/".into(),
                    headers: Vec::new(),
                    body: None,
                }),
                servers: vec![format!("tools/server-{number}")],
            })
            .collect();
        let stop = CancellationToken::new();
        let outcome = execute_over(&session, &server, &steps, &stop).await;
        assert_eq!(outcome.done.len(), ACCEPTED);
        let asked = asked.load(Ordering::SeqCst);
        assert!(asked < ACCEPTED + 2 * CONCURRENCY, "{asked} requests");
        let (failed, skipped) = (outcome.failed.len(), outcome.skipped.len());
        assert_eq!(failed + skipped, steps.len() - ACCEPTED);
        let causes = outcome.skipped.iter().map(|(_, cause)| cause.category);
        assert!(causes.into_iter().all(|found| found == category));
        let waits = session
            .retry_after()
            .is_some_and(|pause| pause.as_secs() > 30);
        assert_eq!(waits, category == "TooManyRequests");
    }
}

#[test]
fn an_answer_about_the_key_is_not_repeated() {
    let answer = |status| HttpResponse {
        status,
        headers: Vec::new(),
        body: "x".repeat(1000),
    };
    assert_eq!(excerpt(&answer(500)).len(), EXCERPT);
    assert_eq!(excerpt(&answer(401)) + &excerpt(&answer(403)), "");
}

#[tokio::test]
async fn steps_are_counted_by_what_they_do_and_what_came_of_them() {
    let metrics = Metrics::new("1.0.0");
    let count = |outcome: &ExecutionOutcome| {
        outcome.count(&metrics.reconciles("registration"), &metrics.registration());
    };
    let server = with_proxy(2);
    server.put(config_map("litellm", "servers", json!({})));
    count(&execute(&server, &[write("servers", Some("a"), &[]), roll("new")]).await);
    // While that rollout is going on.
    count(&execute(&with_proxy(1), &[roll("newer")]).await);
    let text = metrics.encode(Format::Prometheus);
    for line in [
        r#"mcp_operator_registry_steps_total{action="write-config-key",result="done"} 1"#,
        r#"mcp_operator_registry_steps_total{action="roll",result="done"} 1"#,
        r#"mcp_operator_registry_steps_total{action="roll",result="failed"} 1"#,
        "mcp_operator_registry_rollouts_total 1",
        r#"mcp_operator_reconcile_errors_total{controller="registration",error_type="RolloutWaiting"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}
