use mcp_plugin_sdk::testing::{self, any_servers, registrable_since as server};
use mcp_plugin_sdk::{Observed, RegistrationState, Server};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::fake_cluster::FakeCluster;

#[test]
fn one_write_and_one_rollout_for_any_number_of_servers() {
    let mut cluster = FakeCluster {
        complete: true,
        ..FakeCluster::default()
    };
    let servers: Vec<_> = (0..100)
        .map(|number| server("tools", &format!("s{number}"), "1"))
        .collect();
    let plan = cluster.converge(&servers);
    assert_eq!((cluster.writes, cluster.rolls), (1, 1));
    assert!(
        plan.registrations
            .iter()
            .all(|registration| registration.state == RegistrationState::Registered)
    );
    assert!(
        cluster.plan(&servers).steps.is_empty(),
        "and again changes nothing"
    );
}

#[test]
fn registered_means_rolled_out() {
    let servers = [server("tools", "a", "1")];
    let mut cluster = FakeCluster {
        complete: true,
        ..FakeCluster::default()
    };
    for reason in [
        "WritingConfiguration",
        "RolloutStarting",
        "RolloutInProgress",
    ] {
        let plan = cluster.plan(&servers);
        assert_eq!(plan.registrations[0].reason, reason);
        assert_eq!(plan.registrations[0].state, RegistrationState::Pending);
        cluster.execute(&plan);
    }
    cluster.complete = true;
    let plan = cluster.plan(&servers);
    assert_eq!(plan.registrations[0].state, RegistrationState::Registered);
    assert_eq!(plan.registrations[0].registered_name, "tools_a");
}

#[test]
fn nothing_is_rolled_while_another_rollout_goes_on() {
    let servers = [server("tools", "a", "1")];
    let mut cluster = FakeCluster {
        complete: true,
        ..FakeCluster::default()
    };
    cluster.execute(&cluster.plan(&servers));
    cluster.complete = false;
    let plan = cluster.plan(&servers);
    assert!(plan.steps.is_empty());
    assert_eq!(plan.registrations[0].reason, "RolloutWaiting");
}

#[test]
fn an_installation_without_servers_is_not_rolled() {
    let mut cluster = FakeCluster {
        complete: true,
        ..FakeCluster::default()
    };
    cluster.converge(&[]);
    assert_eq!((cluster.writes, cluster.rolls), (1, 0));
    // As a user writes it so that LiteLLM starts.
    for empty in ["", "{}"] {
        cluster.file = Some(empty.into());
        cluster.converge(&[]);
        assert_eq!(cluster.rolls, 0);
    }
    cluster.converge(&[server("tools", "a", "1")]);
    cluster.converge(&[]);
    assert_eq!(
        (cluster.file.as_deref(), cluster.rolls),
        (Some("{}\n"), 2),
        "the last one that leaves is a change"
    );
}

/// A pod that restarted while the content was different has read that content.
#[test]
fn an_overwritten_file_is_rolled_out_again() {
    let mut cluster = FakeCluster {
        complete: true,
        ..FakeCluster::default()
    };
    let servers = [server("tools", "a", "1")];
    cluster.converge(&servers);
    let whole = cluster.file.clone().unwrap();
    for (round, broken) in ["{}", "mcp_servers: {}", "mcp_servers: {}", "", "{}\n"]
        .into_iter()
        .enumerate()
    {
        cluster.file = Some(broken.into());
        let plan = cluster.converge(&servers);
        assert_eq!((cluster.writes, cluster.rolls), (round + 2, round + 2));
        assert_eq!(plan.registrations[0].state, RegistrationState::Registered);
        assert!(cluster.file.as_ref().unwrap().starts_with(&whole));
        assert!(
            cluster.plan(&servers).steps.is_empty(),
            "and again changes nothing"
        );
    }
    // The file was missing, and no pod starts without it.
    cluster.file = None;
    cluster.converge(&servers);
    assert_eq!(cluster.file.as_ref(), Some(&whole));
}

#[test]
fn a_change_that_is_reverted_before_the_rollout_may_have_been_read() {
    let mut cluster = FakeCluster {
        complete: true,
        ..FakeCluster::default()
    };
    let servers = [server("tools", "a", "1"), server("tools", "b", "2")];
    cluster.converge(&servers[..1]);
    cluster.execute(&cluster.plan(&servers));
    cluster.converge(&servers[..1]);
    assert_eq!((cluster.writes, cluster.rolls), (3, 2));
}

/// While a server is away, or is made anew, another one whose name reads alike gets neither its name nor its credential.
#[test]
fn a_name_and_its_credential_never_change_hands() {
    let with_auth = |server: Server| Server {
        extra: vec![testing::extra("auth", r#"{"type":"bearerToken"}"#)],
        ..server
    };
    let victim = with_auth(server("data-science", "jupyter", "2026-01"));
    let other = with_auth(server("data", "science-jupyter", "2026-02"));
    let anew = with_auth(server("data-science", "jupyter", "2026-03"));
    let mut cluster = FakeCluster {
        complete: true,
        ..FakeCluster::default()
    };
    let name = |plan: &Plan, index: usize| plan.registrations[index].registered_name.clone();
    let victims = name(&cluster.converge(&[victim.clone(), other.clone()]), 0);
    let variable = format!("MCP_TOKEN_{}\"", victims.to_uppercase());
    assert!(cluster.file.as_ref().unwrap().contains(&variable));
    assert_ne!(
        name(&cluster.converge(std::slice::from_ref(&other)), 0),
        victims
    );
    let file = cluster.file.as_ref().unwrap();
    assert!(!file.contains(&victims) && !file.contains(&variable));
    let plan = cluster.converge(&[anew, other]);
    assert_eq!(name(&plan, 0), victims);
    assert_ne!(name(&plan, 1), victims);
}

#[test]
fn a_file_that_cannot_be_read_is_not_overwritten() {
    let mut registry = FakeCluster::default().registry(&[server("tools", "a", "1")]);
    registry.observations[0].state = Observed::Unavailable("forbidden".into());
    let plan = LiteLlmConfigMap::plan(&Settings::default(), &registry);
    assert!(plan.steps.is_empty());
    assert!(plan.registrations[0].message.ends_with("forbidden"));
}

fn described(namespace: &str, name: &str, created: &str, bytes: usize) -> Server {
    Server {
        description: "x".repeat(bytes),
        ..server(namespace, name, created)
    }
}

fn refused<'a>(plan: &'a Plan, reason: &str) -> Vec<&'a str> {
    let registrations = plan.registrations.iter();
    registrations
        .filter(|registration| registration.reason == reason)
        .map(|registration| registration.server.as_str())
        .collect()
}

/// A namespace with many servers, small or large, displaces none of another one, however young that is.
#[test]
fn one_namespace_does_not_fill_the_file_for_others() {
    let mut cluster = FakeCluster {
        complete: true,
        ..FakeCluster::default()
    };
    let crowd = |bytes: usize, count: usize| -> Vec<Server> {
        let number = |number: usize| {
            described(
                "crowd",
                &format!("s{number:04}"),
                &format!("2025-{number:04}"),
                bytes,
            )
        };
        (0..count).map(number).collect()
    };
    let quiet = described("quiet", "young", "2026-01", 4_000);
    for (bytes, count) in [(10, 5_000), (700, 1_500), (7_000, 200)] {
        let mut servers = crowd(bytes, count);
        servers.push(quiet.clone());
        let plan = cluster.converge(&servers);
        assert!(cluster.file.as_ref().unwrap().len() <= 1 << 20);
        let full = refused(&plan, "ConfigurationFull");
        assert!(!full.is_empty() && !full.contains(&"quiet/young"));
        // Those that were refused are the newest.
        let newest: Vec<String> = (count - full.len()..count)
            .map(|number| format!("crowd/s{number:04}"))
            .collect();
        assert_eq!(full, newest);
        // What is deleted makes room at once.
        servers.drain(..full.len());
        let plan = cluster.converge(&servers);
        assert_eq!(refused(&plan, "ConfigurationFull"), [""; 0]);
    }
}

#[test]
fn an_entry_has_a_largest_size() {
    let mut cluster = FakeCluster {
        complete: true,
        ..FakeCluster::default()
    };
    let servers = [
        described("tools", "large", "2025-01", 9_000),
        described("tools", "usual", "2025-02", 2_000),
    ];
    let plan = cluster.converge(&servers);
    assert_eq!(refused(&plan, "EntryTooLarge"), ["tools/large"]);
    assert!(plan.registrations[0].message.contains("8192 are allowed"));
    assert_eq!(plan.registrations[1].state, RegistrationState::Registered);
}

#[test]
fn a_missing_litellm_says_what_to_do() {
    let servers = [server("tools", "a", "1")];
    let mut cluster = FakeCluster {
        complete: true,
        ..FakeCluster::default()
    };
    cluster.execute(&cluster.plan(&servers));
    let mut registry = cluster.registry(&servers);
    registry.observations[1].state = Observed::Workload(None);
    let plan = LiteLlmConfigMap::plan(&Settings::default(), &registry);
    assert_eq!(plan.registrations[0].reason, "WorkloadNotFound");
    assert!(plan.registrations[0].message.contains("settings.workloads"));
}

#[test]
fn settings_are_validated() {
    let settings = testing::settings::<Settings>(json!({
        "key": "", "workloads": [{ "kind": "StatefulSet", "namespace": "a", "name": "b" }],
    }));
    let fields: Vec<_> = settings
        .check()
        .into_iter()
        .map(|finding| finding.field)
        .collect();
    assert_eq!(fields, ["key", "workloads[0].kind"]);
}

proptest! {
    /// One plan only writes the file, if it differs; the next one only rolls out, if the pods have not read it; the third has
    /// no steps.
    #[test]
    fn any_two_states_converge_in_a_write_and_a_rollout(
        before in any_servers("http|sse|stdio", 0.5),
        after in any_servers("http|sse|stdio", 0.5),
        rolled in any::<bool>(),
    ) {
        let mut cluster = FakeCluster { complete: true, ..FakeCluster::default() };
        if rolled {
            cluster.converge(&before);
        } else {
            // Interrupted after the write, before the rollout.
            cluster.execute(&cluster.plan(&before));
        }
        let (mut wrote, mut rolled) = (0, 0);
        for _ in 0..2 {
            let plan = cluster.plan(&after);
            let (writes, rolls) = (cluster.writes, cluster.rolls);
            cluster.execute(&plan);
            prop_assert!(plan.steps.len() <= 1);
            (wrote, rolled) = (wrote + cluster.writes - writes, rolled + cluster.rolls - rolls);
            prop_assert!(rolled == 0 || cluster.writes == writes, "nothing is written after the rollout began");
            cluster.complete = true;
        }
        prop_assert!(wrote <= 1 && rolled <= 1);
        let converged = cluster.plan(&after);
        prop_assert!(converged.steps.is_empty());
        prop_assert!(converged.registrations.iter().all(|registration| matches!(registration.state, RegistrationState::Registered | RegistrationState::Refused)));
        // Everything that is registered is in the file, and nothing else.
        let registered = converged.registrations.iter().filter(|registration| registration.state == RegistrationState::Registered);
        let mut names: Vec<&str> = registered.map(|registration| registration.registered_name.as_str()).collect();
        names.sort_unstable();
        let file: std::collections::BTreeMap<String, std::collections::BTreeMap<String, serde_yaml_ng::Value>> =
            serde_yaml_ng::from_str(cluster.file.as_deref().unwrap()).unwrap();
        let written: Vec<&str> = file.values().flat_map(|servers| servers.keys()).map(String::as_str).collect();
        prop_assert_eq!(written, names);
        let mut reordered = after;
        reordered.reverse();
        prop_assert!(cluster.plan(&reordered).steps.is_empty(), "the order of servers must not matter");
    }
}
