use mcp_testkit::objects::mcp_plugin;
use mcp_testkit::{ApiServer, Failure, Match, Times, Verb};

use super::*;
use crate::selection::WaitingCandidate;
use crate::test_cluster::condition;
use crate::test_registrars::FakeRegistrar;

fn waits(id: &str) -> WaitingCandidate<FakeRegistrar> {
    WaitingCandidate {
        candidate: FakeRegistrar::new(id),
        reason: "no key".into(),
    }
}

fn active(
    id: &str,
    waiting: Option<WaitingCandidate<FakeRegistrar>>,
    drain_stuck: Option<&str>,
) -> Selection<FakeRegistrar> {
    Selection::Active {
        registrar: FakeRegistrar::new(id),
        waiting,
        drain_stuck: drain_stuck.map(str::to_owned),
    }
}

fn draining(waiting: Option<WaitingCandidate<FakeRegistrar>>) -> Selection<FakeRegistrar> {
    Selection::Draining {
        registrar: FakeRegistrar::new("a1"),
        waiting,
        previous: "b".into(),
        progress: "1 of 2".into(),
    }
}

/// Status, reason and message.
fn shown(name: &str, selection: &Selection<FakeRegistrar>) -> Option<String> {
    let draft = condition_of(name, selection)?;
    let status = draft.status.as_str();
    Some(format!("{status} {}: {}", draft.reason, draft.message))
}

#[test]
fn each_registrar_says_whether_it_registers_and_what_it_waits_for() {
    let by_this = "True InForce: MCPServers are registered by this plugin";
    let standby = "False Standby: MCPServers are registered by a";
    let stuck = format!("{by_this}; b is stuck");
    let until = format!("{by_this} until c can take over");
    for (selection, a, b, c) in [
        (active("a1", None, None), by_this, standby, standby),
        (
            active("a1", None, Some("b is stuck")),
            stuck.as_str(),
            standby,
            standby,
        ),
        (
            active("a1", Some(waits("c1")), Some("b is stuck")),
            until.as_str(),
            standby,
            "Unknown TakingOver: Waits, and a registers meanwhile: no key",
        ),
        (
            // A new version of it.
            active("a1", Some(waits("a2")), None),
            "Unknown TakingOver: Waits, and what this MCPPlugin was before registers meanwhile: no key",
            standby,
            standby,
        ),
        (
            draining(None),
            "Unknown TakingOver: Begins when b has left: 1 of 2",
            "False Leaving: Leaves to a: 1 of 2",
            standby,
        ),
        (
            draining(Some(waits("c1"))),
            "Unknown TakingOver: Begins when b has left: 1 of 2",
            "False Leaving: Leaves to a: 1 of 2",
            "Unknown TakingOver: Waits, and a registers meanwhile: no key",
        ),
    ] {
        let found = ["a", "b", "c"].map(|name| shown(name, &selection));
        assert_eq!(found, [a, b, c].map(|text| Some(text.to_owned())));
    }
}

#[test]
fn nobody_but_the_candidate_is_concerned_by_its_failure() {
    let failed = Selection::CandidateFailed {
        candidate: FakeRegistrar::new("a1"),
        error: crate::error::RegistrationError::UnsupportedWorkload {
            kind: "StatefulSet".into(),
        },
    };
    let why =
        "Unknown TakingOver: workloads of kind StatefulSet are not supported: use a Deployment";
    assert_eq!(shown("a", &failed).as_deref(), Some(why));
    assert_eq!(shown("b", &failed), None);
    assert_eq!(shown("a", &Selection::NoRegistrar), None);
}

fn cluster() -> (ApiServer, RegistrarConditions) {
    let server = ApiServer::new();
    for name in ["a", "b"] {
        server.put(mcp_plugin(
            name,
            json!({ "source": { "builtin": "litellm" } }),
        ));
    }
    let conditions = RegistrarConditions::new(server.client(), Events::new(server.client()));
    (server, conditions)
}

fn status_writes() -> Match {
    Match::verb(Verb::Apply)
        .kind("MCPPlugin")
        .subresource("status")
}

#[tokio::test]
async fn a_transition_is_a_condition_and_an_event() {
    let (server, mut conditions) = cluster();
    let candidates = ["a1", "b1"].map(FakeRegistrar::new);
    assert!(
        conditions
            .write(&candidates, &active("a1", None, None))
            .await
    );
    let a = server.get("MCPPlugin", "", "a").unwrap();
    let in_force = "True InForce: MCPServers are registered by this plugin";
    assert_eq!(condition(&a, REGISTRAR).as_deref(), Some(in_force));
    let write = &server.requests_of(&status_writes().name("a"))[0];
    assert_eq!(write.body["metadata"]["uid"], a["metadata"]["uid"]);
    let reasons: Vec<_> = server
        .objects_of("Event")
        .iter()
        .map(|it| it["reason"].clone())
        .collect();
    assert_eq!(reasons.len(), 2);
    assert!(
        reasons.contains(&json!("RegistrarInForce"))
            && reasons.contains(&json!("RegistrarStandby"))
    );
}

#[tokio::test]
async fn a_condition_is_not_written_twice() {
    let (server, mut conditions) = cluster();
    let candidates = [FakeRegistrar::new("a1")];
    let selection = active("a1", None, None);
    conditions.write(&candidates, &selection).await;
    server.clear_log();
    conditions.write(&candidates, &selection).await;
    assert_eq!(server.requests(), [], "what was written is remembered");
    // After a restart, the object itself says so.
    let mut conditions = RegistrarConditions::new(server.client(), Events::new(server.client()));
    conditions.write(&candidates, &selection).await;
    assert_eq!(server.writes(), []);
}

#[tokio::test]
async fn a_condition_that_could_not_be_written_is_written_later() {
    let (server, mut conditions) = cluster();
    let candidates = [FakeRegistrar::new("a1")];
    let selection = active("a1", None, None);
    server.fail(
        status_writes(),
        Failure::internal("no space left"),
        Times::Once,
    );
    assert!(!conditions.write(&candidates, &selection).await);
    assert!(conditions.write(&candidates, &selection).await);
    let a = server.get("MCPPlugin", "", "a").unwrap();
    assert!(condition(&a, REGISTRAR).is_some());
}

#[tokio::test]
async fn a_plugin_that_was_deleted_needs_no_condition() {
    let (server, mut conditions) = cluster();
    server.delete("MCPPlugin", "", "a");
    let candidates = [FakeRegistrar::new("a1")];
    assert!(
        conditions
            .write(&candidates, &active("a1", None, None))
            .await
    );
    assert_eq!(server.writes(), []);
}

/// `kubectl replace --force`, faster than the passes follow each other.
#[tokio::test]
async fn a_plugin_that_was_made_again_at_once_gets_its_condition_again() {
    let (server, mut conditions) = cluster();
    let selection = active("a1", None, None);
    for uid in ["1", "2"] {
        server.delete("MCPPlugin", "", "a");
        server.put(mcp_plugin(
            "a",
            json!({ "source": { "builtin": "litellm" } }),
        ));
        conditions
            .write(&[FakeRegistrar::with_uid("a1", uid)], &selection)
            .await;
        let a = server.get("MCPPlugin", "", "a").unwrap();
        assert!(condition(&a, REGISTRAR).is_some(), "{uid}");
    }
}

#[tokio::test]
async fn a_plugin_that_was_made_again_gets_its_condition_again() {
    let (server, mut conditions) = cluster();
    let (candidates, selection) = ([FakeRegistrar::new("a1")], active("a1", None, None));
    conditions.write(&candidates, &selection).await;
    server.delete("MCPPlugin", "", "a");
    let none: [Arc<FakeRegistrar>; 0] = [];
    conditions.write(&none, &Selection::NoRegistrar).await;
    server.put(mcp_plugin(
        "a",
        json!({ "source": { "builtin": "litellm" } }),
    ));
    conditions.write(&candidates, &selection).await;
    let a = server.get("MCPPlugin", "", "a").unwrap();
    assert!(condition(&a, REGISTRAR).is_some());
}
