use mcp_plugin_sdk::RegistrationState::{self, Pending, Refused};
use mcp_plugin_sdk::testing::{self, registrable};
use mcp_plugin_sdk::{HttpResponse, Observation, Observed, Server};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::world::World;

fn server(namespace: &str, name: &str, created: &str) -> Server {
    Server {
        created: created.into(),
        ..registrable(namespace, name)
    }
}

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
    let servers = [registrable("a", "a")];
    world.settle(&servers);
    world.entries[0]["url"] = json!("http://evil/mcp");
    world.requests.clear();
    world.settle(&servers);
    assert_eq!(requests(&mut world), ["PUT"]);
    assert_eq!(world.entries[0]["url"], servers[0].url.as_str());
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
fn on_request_it_says_what_litellm_cannot_reach() {
    let servers = [registrable("a", "a"), registrable("a", "b")];
    let mut world = World::default();
    world.settle(&servers);
    let settings = testing::settings::<Settings>(json!({ "verifyHealth": true }));
    let reads = LiteLlmAdminApi::observe(&settings);
    assert_eq!(reads.len(), 3);
    let mut registry = world.registry(&servers);
    let body = json!([
        { "server_id": "mcp-operator.a.a", "status": "unhealthy" },
        { "server_id": "mcp-operator.a.b", "status": "unknown" },
    ]);
    registry.observations.push(Observation {
        id: reads[2].id.clone(),
        state: Observed::Http(HttpResponse {
            status: 200,
            headers: Vec::new(),
            body: body.to_string(),
        }),
    });
    let plan = LiteLlmAdminApi::plan(&settings, &registry);
    let reasons: Vec<&str> = plan
        .registrations
        .iter()
        .map(|registration| registration.reason.as_str())
        .collect();
    assert_eq!(reasons, ["Unhealthy", "Registered"]);
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
fn a_pass_is_bounded_and_the_next_goes_on() {
    let mut world = World::default();
    let servers: Vec<_> = (0..450)
        .map(|number| registrable("a", &format!("s{number}")))
        .collect();
    let first = world.plan(&servers);
    assert_eq!(first.steps.len(), 200);
    assert!(
        first
            .registrations
            .iter()
            .all(|registration| registration.state == RegistrationState::Pending)
    );
    world.settle(&servers);
    assert_eq!(world.requests.len(), 450);
}

#[test]
fn answers_that_are_no_list() {
    let servers = [registrable("a", "a")];
    let answer = |status, body: &str| {
        Observed::Http(HttpResponse {
            status,
            headers: Vec::new(),
            body: body.into(),
        })
    };
    let auth =
        r#"{"error":{"message":"Received API Key = sk-...","type":"auth_error","code":"401"}}"#;
    for (observed, state, reason, says) in [
        (
            answer(401, auth),
            Refused,
            "AccessDenied",
            "(HTTP 401): use a key",
        ),
        (answer(403, "no"), Refused, "AccessDenied", "proxy_admin"),
        (
            answer(404, r#"{"detail":"Not Found"}"#),
            Refused,
            "NoAdminApi",
            "baseUrl",
        ),
        (answer(429, ""), Pending, "LiteLLMUnavailable", "HTTP 429"),
        (
            answer(
                503,
                r#"{"detail":"MCP server configuration could not be refreshed"}"#,
            ),
            Pending,
            "LiteLLMUnavailable",
            "could not be refreshed",
        ),
        (
            answer(200, "<html>"),
            Pending,
            "UnreadableAnswer",
            "baseUrl",
        ),
        (
            Observed::Unavailable("connection refused".into()),
            Pending,
            "LiteLLMUnavailable",
            "connection refused",
        ),
    ] {
        let mut registry = World::default().registry(&servers);
        registry.observations[0].state = observed;
        let plan = LiteLlmAdminApi::plan(&Settings::default(), &registry);
        assert!(plan.steps.is_empty());
        let registration = &plan.registrations[0];
        assert_eq!(
            (registration.state, registration.reason.as_str()),
            (state, reason)
        );
        assert!(
            registration.message.contains(says),
            "{}",
            registration.message
        );
        assert!(!registration.message.contains("sk-"));
    }
}

/// Without one, LiteLLM lists, and refuses every change.
#[test]
fn a_litellm_without_a_database_is_told_apart() {
    let world = World {
        no_database: true,
        ..World::default()
    };
    let plan = world.plan(&[registrable("a", "a")]);
    assert!(plan.steps.is_empty());
    assert_eq!(plan.registrations[0].state, RegistrationState::Refused);
    assert_eq!(plan.registrations[0].reason, "NoDatabase");
}

#[test]
fn settings_are_judged() {
    let settings =
        testing::settings::<Settings>(json!({ "connection": "", "requestsPerPass": 1001 }));
    let fields: Vec<_> = settings
        .check()
        .into_iter()
        .map(|finding| finding.field)
        .collect();
    assert_eq!(fields, ["connection", "requestsPerPass"]);
}

fn any_servers() -> impl Strategy<Value = Vec<Server>> {
    let server = ("[a-c]-?[a-c]", "[a-c]-?[a-c]{0,50}", "[1-3]", "[x-z]{0,1}").prop_map(
        |(namespace, name, created, description)| Server {
            description,
            ..server(&namespace, &name, &created)
        },
    );
    prop::collection::vec(server, 0..6).prop_map(|mut servers| {
        servers.sort_by_key(Server::key);
        servers.dedup_by_key(|server| server.key());
        servers
    })
}

proptest! {
    #[test]
    fn any_two_states_converge(before in any_servers(), after in any_servers(), taken in "[a-c]_[a-c]") {
        let mut world = World { entries: vec![foreign(&taken, false)], ..World::default() };
        world.settle(&before);
        let settled = world.settle(&after);
        prop_assert!(settled.registrations.iter().all(|registration| registration.state != RegistrationState::Pending));
        prop_assert_eq!(&world.entries[0], &foreign(&taken, false));
        let registered = settled.registrations.iter().filter(|registration| registration.state == RegistrationState::Registered);
        prop_assert_eq!(world.entries.len(), 1 + registered.count());
        let mut reordered = after;
        reordered.reverse();
        prop_assert!(world.plan(&reordered).steps.is_empty(), "the order of servers must not matter");
    }
}
