use mcp_plugin_sdk::testing;
use mcp_plugin_sdk::{
    Action, Observation, Observed, ReadSource, RegistrationState, Server, WorkloadState,
};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn server(namespace: &str, name: &str, created: &str) -> Server {
    Server {
        created: created.into(),
        ..testing::registrable(namespace, name)
    }
}

/// A cluster with one ConfigMap key and one Deployment, which does what it is told.
#[derive(Clone, Default)]
struct World {
    file: Option<String>,
    rolled_to: Option<String>,
    complete: bool,
    writes: usize,
    rolls: usize,
}

impl World {
    fn registry(&self, servers: &[Server]) -> Registry {
        let observations = LiteLlmConfigMap::observe(&Settings::default())
            .into_iter()
            .map(|read| Observation {
                id: read.id,
                state: match read.source {
                    ReadSource::ConfigKey(_) => Observed::ConfigKey(self.file.clone()),
                    _ => Observed::Workload(Some(WorkloadState {
                        rolled_to: self.rolled_to.clone(),
                        complete: self.complete,
                        message: "1 of 2".into(),
                    })),
                },
            });
        Registry {
            instance: "mcp-operator".into(),
            servers: servers.to_vec(),
            observations: observations.collect(),
        }
    }

    fn plan(&self, servers: &[Server]) -> Plan {
        LiteLlmConfigMap::plan(&Settings::default(), &self.registry(servers))
    }

    fn carry_out(&mut self, plan: &Plan) {
        for step in &plan.steps {
            match &step.action {
                Action::WriteConfigKey(write) => {
                    self.file.clone_from(&write.content);
                    self.writes += 1;
                }
                Action::Roll(roll) => {
                    assert!(self.complete, "a second rollout while one is going on");
                    self.rolled_to = Some(roll.value.clone());
                    self.complete = false;
                    self.rolls += 1;
                }
                Action::Send(_) => panic!("nothing is sent"),
            }
        }
    }

    /// Carries plans out until there is nothing left to do; rollouts end in between.
    fn settle(&mut self, servers: &[Server]) -> Plan {
        for _ in 0..10 {
            let plan = self.plan(servers);
            if plan.steps.is_empty() && self.complete {
                return plan;
            }
            self.carry_out(&plan);
            self.complete = true;
        }
        panic!("does not settle");
    }
}

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
    world.settle(&[server("tools", "a", "1")]);
    world.settle(&[]);
    assert_eq!(
        (world.file.as_deref(), world.rolls),
        (Some("{}\n"), 2),
        "the last one that leaves is a change"
    );
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

/// What is registered stays so: the file is not written.
#[test]
fn a_file_that_no_config_map_holds_is_not_written() {
    let mut long = server("tools", "a", "1");
    long.description = "x".repeat(1 << 20);
    let plan = World::default().plan(&[long]);
    assert!(plan.steps.is_empty());
    assert_eq!(plan.registrations[0].state, RegistrationState::Pending);
    assert_eq!(plan.registrations[0].reason, "ConfigurationTooLarge");
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

fn any_servers() -> impl Strategy<Value = Vec<Server>> {
    let server = ("[a-c]-?[a-c]", "[a-c]-?[a-c]{0,50}", "[1-3]")
        .prop_map(|(namespace, name, created)| server(&namespace, &name, &created));
    prop::collection::vec(server, 0..6).prop_map(|mut servers| {
        servers.sort_by_key(Server::key);
        servers.dedup_by_key(|server| server.key());
        servers
    })
}

proptest! {
    #[test]
    fn any_two_states_converge(before in any_servers(), after in any_servers(), shuffle in any::<bool>()) {
        let mut world = World { complete: true, ..World::default() };
        world.settle(&before);
        let settled = world.settle(&after);
        prop_assert!(world.plan(&after).steps.is_empty());
        prop_assert!(settled.registrations.iter().all(|registration| registration.state != RegistrationState::Pending));
        let mut reordered = after;
        if shuffle { reordered.reverse(); }
        prop_assert!(world.plan(&reordered).steps.is_empty(), "the order of servers must not matter");
    }
}
