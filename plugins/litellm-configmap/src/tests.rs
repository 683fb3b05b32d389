use mcp_plugin_sdk::testing::{self, any_servers, registrable_since as server};
use mcp_plugin_sdk::{Observed, RegistrationState, Server};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::world::World;

#[test]
fn one_write_and_one_rollout_for_any_number_of_servers() {
    let mut world = World {
        complete: true,
        ..World::default()
    };
    let servers: Vec<_> = (0..100)
        .map(|number| server("tools", &format!("s{number}"), "1"))
        .collect();
    let plan = world.settle(&servers);
    assert_eq!((world.writes, world.rolls), (1, 1));
    assert!(
        plan.registrations
            .iter()
            .all(|registration| registration.state == RegistrationState::Registered)
    );
    assert!(
        world.plan(&servers).steps.is_empty(),
        "and again changes nothing"
    );
}

#[test]
fn registered_means_rolled_out() {
    let servers = [server("tools", "a", "1")];
    let mut world = World {
        complete: true,
        ..World::default()
    };
    for reason in [
        "WritingConfiguration",
        "RolloutStarting",
        "RolloutInProgress",
    ] {
        let plan = world.plan(&servers);
        assert_eq!(plan.registrations[0].reason, reason);
        assert_eq!(plan.registrations[0].state, RegistrationState::Pending);
        world.carry_out(&plan);
    }
    world.complete = true;
    let plan = world.plan(&servers);
    assert_eq!(plan.registrations[0].state, RegistrationState::Registered);
    assert_eq!(plan.registrations[0].registered_name, "tools_a");
}

#[test]
fn nothing_is_rolled_while_another_rollout_goes_on() {
    let servers = [server("tools", "a", "1")];
    let mut world = World {
        complete: true,
        ..World::default()
    };
    world.carry_out(&world.plan(&servers));
    world.complete = false;
    let plan = world.plan(&servers);
    assert!(plan.steps.is_empty());
    assert_eq!(plan.registrations[0].reason, "RolloutWaiting");
}

#[test]
fn an_installation_without_servers_is_not_rolled() {
    let mut world = World {
        complete: true,
        ..World::default()
    };
    world.settle(&[]);
    assert_eq!((world.writes, world.rolls), (1, 0));
    // As somebody wrote it so that LiteLLM starts.
    for empty in ["", "{}"] {
        world.file = Some(empty.into());
        world.settle(&[]);
        assert_eq!(world.rolls, 0);
    }
    world.settle(&[server("tools", "a", "1")]);
    world.settle(&[]);
    assert_eq!(
        (world.file.as_deref(), world.rolls),
        (Some("{}\n"), 2),
        "the last one that leaves is a change"
    );
}

/// A pod that restarted while something else was in its place has read that, and nothing else tells it.
#[test]
fn what_was_overwritten_is_read_again() {
    let mut world = World {
        complete: true,
        ..World::default()
    };
    let servers = [server("tools", "a", "1")];
    world.settle(&servers);
    let whole = world.file.clone().unwrap();
    for (round, broken) in ["{}", "mcp_servers: {}", "mcp_servers: {}", "", "{}\n"]
        .into_iter()
        .enumerate()
    {
        world.file = Some(broken.into());
        let plan = world.settle(&servers);
        assert_eq!((world.writes, world.rolls), (round + 2, round + 2));
        assert_eq!(plan.registrations[0].state, RegistrationState::Registered);
        assert!(world.file.as_ref().unwrap().starts_with(&whole));
        assert!(
            world.plan(&servers).steps.is_empty(),
            "and again changes nothing"
        );
    }
    // It was away, and without it no pod starts.
    world.file = None;
    world.settle(&servers);
    assert_eq!(world.file.as_ref(), Some(&whole));
}

#[test]
fn a_change_that_is_taken_back_before_the_rollout_may_have_been_read() {
    let mut world = World {
        complete: true,
        ..World::default()
    };
    let servers = [server("tools", "a", "1"), server("tools", "b", "2")];
    world.settle(&servers[..1]);
    world.carry_out(&world.plan(&servers));
    world.settle(&servers[..1]);
    assert_eq!((world.writes, world.rolls), (3, 2));
}

#[test]
fn of_two_with_one_name_the_older_keeps_it() {
    let servers = [server("a", "b-c", "2026-02"), server("a-b", "c", "2026-01")];
    let mut world = World {
        complete: true,
        ..World::default()
    };
    let plan = world.settle(&servers);
    assert_eq!(plan.registrations[0].state, RegistrationState::Refused);
    assert_eq!(plan.registrations[0].reason, "NameCollision");
    assert!(
        plan.registrations[0]
            .message
            .starts_with("MCPServer a-b/c is older")
    );
    assert_eq!(plan.registrations[1].registered_name, "a_b_c");
    assert_eq!(world.file.unwrap().matches("server_id").count(), 1);
}

#[test]
fn what_cannot_be_read_is_not_overwritten() {
    let mut registry = World::default().registry(&[server("tools", "a", "1")]);
    registry.observations[0].state = Observed::Unavailable("forbidden".into());
    let plan = LiteLlmConfigMap::plan(&Settings::default(), &registry);
    assert!(plan.steps.is_empty());
    assert!(plan.registrations[0].message.ends_with("forbidden"));
}

/// What one server says costs others nothing: the largest has to go, and then the newest.
#[test]
fn of_what_no_config_map_holds_the_largest_and_newest_are_left_out() {
    let mut world = World {
        complete: true,
        ..World::default()
    };
    let large = |name: &str, created| Server {
        description: "x".repeat(100_000),
        ..server("tools", name, created)
    };
    let usual = |number: usize| Server {
        description: "x".repeat(700),
        ..server("tools", &format!("s{number}"), &format!("2026-{number:04}"))
    };
    let left_out = |plan: &Plan| -> Vec<String> {
        let full = plan
            .registrations
            .iter()
            .filter(|registration| registration.reason == "ConfigurationFull");
        full.map(|registration| registration.server.clone())
            .collect()
    };
    let mut servers = vec![
        large("large-old", "2025-0001"),
        large("large-new", "2025-0002"),
    ];
    servers.extend((0..900).map(usual));
    // Both large ones and 900 others are too much: the newer of the large ones goes.
    let plan = world.settle(&servers);
    assert_eq!(left_out(&plan), ["tools/large-new"]);
    assert!(world.file.as_ref().unwrap().len() <= 1 << 20);
    let registered = plan
        .registrations
        .iter()
        .filter(|registration| registration.state == RegistrationState::Registered);
    assert_eq!(registered.count(), 901);

    // Of many that are alike, those that came last do not come in, and nobody leaves for them.
    servers.extend((900..1200).map(usual));
    let plan = world.settle(&servers);
    let refused = left_out(&plan);
    assert_eq!(&refused[..2], ["tools/large-old", "tools/large-new"]);
    let newest: Vec<String> = (1202 - refused.len()..1200)
        .map(|number| format!("tools/s{number}"))
        .collect();
    assert_eq!(&refused[2..], newest);
    assert!(newest.len() > 10);

    // Who leaves makes room at once.
    servers.retain(|server| !server.name.starts_with("s1") && !server.name.starts_with("s2"));
    assert_eq!(left_out(&world.settle(&servers)), [""; 0]);
}

#[test]
fn a_missing_litellm_says_what_to_do() {
    let servers = [server("tools", "a", "1")];
    let mut world = World {
        complete: true,
        ..World::default()
    };
    world.carry_out(&world.plan(&servers));
    let mut registry = world.registry(&servers);
    registry.observations[1].state = Observed::Workload(None);
    let plan = LiteLlmConfigMap::plan(&Settings::default(), &registry);
    assert_eq!(plan.registrations[0].reason, "WorkloadNotFound");
    assert!(plan.registrations[0].message.contains("settings.workloads"));
}

#[test]
fn settings_are_judged() {
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
    /// One plan writes, if the file differs, and does nothing else; one rolls, if the pods do not know the file; then there
    /// is nothing left to do.
    #[test]
    fn any_two_states_converge_in_a_write_and_a_rollout(
        before in any_servers("http|sse|stdio", 0.5),
        after in any_servers("http|sse|stdio", 0.5),
        rolled in any::<bool>(),
    ) {
        let mut world = World { complete: true, ..World::default() };
        if rolled {
            world.settle(&before);
        } else {
            // Interrupted: the file was written, and nobody was told.
            world.carry_out(&world.plan(&before));
        }
        let (mut wrote, mut rolled) = (0, 0);
        for _ in 0..2 {
            let plan = world.plan(&after);
            let (writes, rolls) = (world.writes, world.rolls);
            world.carry_out(&plan);
            prop_assert!(plan.steps.len() <= 1);
            (wrote, rolled) = (wrote + world.writes - writes, rolled + world.rolls - rolls);
            prop_assert!(rolled == 0 || world.writes == writes, "nothing is written after the rollout began");
            world.complete = true;
        }
        prop_assert!(wrote <= 1 && rolled <= 1);
        let settled = world.plan(&after);
        prop_assert!(settled.steps.is_empty());
        prop_assert!(settled.registrations.iter().all(|registration| matches!(registration.state, RegistrationState::Registered | RegistrationState::Refused)));
        // Everything that is registered is in the file, and nothing else.
        let registered = settled.registrations.iter().filter(|registration| registration.state == RegistrationState::Registered);
        let mut names: Vec<&str> = registered.map(|registration| registration.registered_name.as_str()).collect();
        names.sort_unstable();
        let file: std::collections::BTreeMap<String, std::collections::BTreeMap<String, serde_yaml_ng::Value>> =
            serde_yaml_ng::from_str(world.file.as_deref().unwrap()).unwrap();
        let written: Vec<&str> = file.values().flat_map(|servers| servers.keys()).map(String::as_str).collect();
        prop_assert_eq!(written, names);
        let mut reordered = after;
        reordered.reverse();
        prop_assert!(world.plan(&reordered).steps.is_empty(), "the order of servers must not matter");
    }
}
