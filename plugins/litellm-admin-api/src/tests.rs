use mcp_plugin_sdk::RegistrationState::{self, Pending, Refused};
use mcp_plugin_sdk::testing::{self, registrable, registrable_since as server};
use mcp_plugin_sdk::{Plan, Server};
use serde_json::{Value, json};

use super::*;
use crate::world::World;

mod convergence;
mod obstacles;
mod passes;

/// What was sent since the last look.
fn requests(world: &mut World) -> Vec<String> {
    let requests = std::mem::take(&mut world.requests);
    requests.into_iter().map(|(method, _)| method).collect()
}

/// Somebody else's entry.
fn foreign(name: &str, is_config: bool) -> Value {
    json!({
        "server_id": format!("id-of-{name}"), "server_name": name, "alias": null, "url": "http://elsewhere/mcp",
        "transport": "http", "is_config": is_config, "mcp_info": { "server_name": name },
    })
}

fn reasons(plan: &Plan) -> Vec<&str> {
    let registrations = plan.registrations.iter();
    registrations
        .map(|registration| registration.reason.as_str())
        .collect()
}

#[test]
fn an_entry_says_everything_that_litellm_keeps() {
    let mut world = World::default();
    let full = Server {
        access_groups: vec!["developers".into()],
        allowed_tools: vec!["add".into()],
        ..registrable("tools", "git-hub")
    };
    world.settle(&[full]);
    assert_eq!(
        world.entries,
        [json!({
            "server_id": "mcp-operator.tools.git-hub",
            "server_name": "tools_git_hub", "alias": "tools_git_hub",
            "url": "http://mcp-git-hub.tools.svc.cluster.local:8080/mcp", "transport": "http",
            "description": "Auto-registered from MCPServer/git-hub",
            "mcp_access_groups": ["developers"], "allowed_tools": ["add"],
            "mcp_info": {
                "managed_by": "mcp-operator", "namespace": "tools", "name": "git-hub", "owner": "platform",
                "spec_hash": world.entries[0]["mcp_info"]["spec_hash"],
            },
            "source_url": world.entries[0]["source_url"],
            "is_config": false,
        })]
    );
    assert_eq!(
        world.entries[0]["mcp_info"]["spec_hash"]
            .as_str()
            .map(str::len),
        Some(16)
    );
}

#[test]
fn one_request_for_each_server_that_changed() {
    let mut world = World::default();
    let mut servers = vec![
        registrable("a", "a"),
        registrable("a", "b"),
        registrable("a", "c"),
    ];
    let plan = world.settle(&servers);
    assert_eq!(requests(&mut world), ["POST", "POST", "POST"]);
    assert!(
        plan.registrations
            .iter()
            .all(|registration| registration.state == RegistrationState::Registered)
    );
    assert_eq!(plan.registrations[0].registered_name, "a_a");

    servers[1].description = "another".into();
    servers.remove(0);
    world.settle(&servers);
    assert_eq!(requests(&mut world), ["DELETE", "PUT"]);
    world.settle(&servers);
    assert!(requests(&mut world).is_empty());
    world.settle(&[]);
    assert_eq!(requests(&mut world), ["DELETE", "DELETE"]);
    assert!(world.entries.is_empty());
}

#[test]
fn what_somebody_edited_is_mended() {
    let mut world = World::default();
    let servers = [Server {
        access_groups: vec!["auditors".into(), "developers".into()],
        ..registrable("a", "a")
    }];
    world.settle(&servers);
    let before = world.entries[0].clone();
    for (field, edited) in [
        ("url", json!("http://evil/mcp")),
        ("transport", json!("stdio")),
        ("server_name", json!("b")),
        (
            "mcp_access_groups",
            json!(["auditors", "developers", "everybody"]),
        ),
        ("mcp_access_groups", json!([])),
        ("allowed_tools", json!(["drop_tables"])),
        ("description", json!("Nothing to see here")),
        ("description", Value::Null),
    ] {
        world.entries[0][field] = edited;
        world.requests.clear();
        world.settle(&servers);
        assert_eq!(requests(&mut world), ["PUT"], "{field}");
        assert_eq!(world.entries[0], before);
    }
}

#[test]
fn what_litellm_shows_otherwise_was_not_edited() {
    let mut world = World::default();
    let servers = [Server {
        access_groups: vec!["auditors".into(), "developers".into()],
        description: String::new(),
        ..registrable("a", "a")
    }];
    world.settle(&servers);
    for (field, shown) in [
        ("mcp_access_groups", json!(["developers", "auditors"])),
        ("allowed_tools", Value::Null),
        ("description", Value::Null),
    ] {
        world.entries[0][field] = shown;
    }
    assert!(world.plan(&servers).steps.is_empty());
}

#[test]
fn entries_of_others_are_not_touched() {
    let mut world = World::default();
    let mut lookalike = foreign("lookalike", false);
    lookalike["server_id"] = json!("mcp-operator.a.gone");
    let mut other_instance = foreign("other", false);
    other_instance["mcp_info"]["managed_by"] = json!("mcp-operator-2");
    let in_file = json!({
        "server_id": "mcp-operator.a.file", "server_name": "a_file", "is_config": true,
        "mcp_info": { "managed_by": "mcp-operator" },
    });
    world.entries = vec![
        foreign("weather", false),
        lookalike,
        other_instance,
        in_file,
    ];
    let before = world.entries.clone();
    world.settle(&[registrable("a", "a")]);
    assert_eq!(world.entries[..4], before);
    world.settle(&[]);
    assert_eq!(world.entries, before);
}

#[test]
fn what_is_taken_is_refused() {
    let mut id_taken = foreign("x", false);
    id_taken["server_id"] = json!("mcp-operator.a.b");
    let mut alias = foreign("z", false);
    alias["alias"] = json!("A_b");
    for (entry, reason) in [
        (foreign("a_b", false), "NameCollision"),
        // LiteLLM would mix the tools of both.
        (foreign("a_b", true), "NameCollision"),
        (alias, "NameCollision"),
        (id_taken, "IdTaken"),
    ] {
        let mut world = World {
            entries: vec![entry],
            ..World::default()
        };
        let plan = world.settle(&[registrable("a", "b")]);
        assert_eq!(plan.registrations[0].state, RegistrationState::Refused);
        assert_eq!(plan.registrations[0].reason, reason);
        assert!(requests(&mut world).is_empty());
    }
}

/// After a swap from the other strategy: LiteLLM knows the entry until its pods are replaced.
#[test]
fn an_entry_of_ours_in_the_file_is_waited_for() {
    let mut in_file = foreign("y", true);
    in_file["server_id"] = json!("mcp-operator.a.b");
    in_file["mcp_info"]["managed_by"] = json!("mcp-operator");
    let mut world = World {
        entries: vec![in_file],
        ..World::default()
    };
    let plan = world.settle(&[registrable("a", "b")]);
    assert_eq!(plan.registrations[0].state, Pending);
    assert_eq!(plan.registrations[0].reason, "LeavingConfigurationFile");
    world.entries.clear();
    let plan = world.settle(&[registrable("a", "b")]);
    assert_eq!(plan.registrations[0].reason, "Registered");
}

#[test]
fn an_older_server_gets_the_name_of_a_younger_one() {
    let mut world = World::default();
    let younger = server("a", "b-c", "2026-02");
    world.settle(std::slice::from_ref(&younger));
    world.requests.clear();
    let plan = world.settle(&[younger, server("a-b", "c", "2026-01")]);
    assert_eq!(requests(&mut world), ["DELETE", "POST"]);
    assert_eq!(plan.registrations[0].reason, "NameCollision");
    assert_eq!(plan.registrations[1].state, RegistrationState::Registered);
}

#[test]
fn settings_are_judged() {
    let settings = testing::settings::<Settings>(json!({ "connection": "", "requestsPerPass": 2 }));
    let fields: Vec<_> = settings
        .check()
        .into_iter()
        .map(|finding| finding.field)
        .collect();
    assert_eq!(fields, ["connection", "requestsPerPass"]);
}

/// LiteLLM would send the name of the variable.
#[test]
fn a_credential_of_litellms_environment_is_refused() {
    let mut server = registrable("a", "a");
    let mut world = World::default();
    world.settle(std::slice::from_ref(&server));
    server.extra = vec![testing::extra("auth", r#"{"type":"bearerToken"}"#)];
    let plan = world.settle(&[server]);
    assert_eq!(plan.registrations[0].state, Refused);
    assert_eq!(plan.registrations[0].reason, "AuthNotSupported");
    assert!(
        plan.registrations[0]
            .message
            .contains("use the plugin litellm-configmap")
    );
    assert!(
        world.entries.is_empty(),
        "nobody is served without what the server asks for"
    );
}

#[test]
fn an_entry_is_known_by_its_mark_where_its_source_is_not_kept() {
    let mut world = World::default();
    let servers = [registrable("a", "a")];
    world.settle(&servers);
    world.entries[0]["source_url"] = Value::Null;
    let plan = world.plan(&servers);
    assert!(plan.steps.is_empty());
    assert_eq!(reasons(&plan), ["Registered"]);
}
