use mcp_plugin_sdk::testing::{self, registrable_since as server};
use mcp_plugin_sdk::{RegistrationState, Server};
use proptest::prelude::*;

use super::*;

fn names(servers: &[Server]) -> Vec<Result<String, Refusal>> {
    assign_names(servers, |_| None)
        .into_iter()
        .map(|assigned| assigned.name)
        .collect()
}

#[test]
fn of_several_with_one_name_the_oldest_has_it_in_any_order() {
    let mut servers = [
        server("a", "b-c", "2026-02"),
        server("a-b", "c", "2026-01"),
        server("a", "b.c", "2026-03"),
    ];
    for _ in 0..servers.len() {
        for NamedServer { server, name } in assign_names(&servers, |_| None) {
            match (server.key().as_str(), name) {
                ("a-b/c", name) => assert_eq!(name, Ok("a_b_c".into())),
                (_, name) => {
                    let registration = name.unwrap_err().registration(server);
                    assert_eq!(registration.state, RegistrationState::Refused);
                    assert_eq!(registration.reason, "NameCollision");
                    assert!(
                        registration.message.starts_with("MCPServer a-b/c is older"),
                        "{registration:?}"
                    );
                }
            }
        }
        servers.rotate_left(1);
    }
}

/// A server that cannot be registered anyway takes no name from one that can.
#[test]
fn a_refused_server_holds_no_name() {
    let harmful = Server {
        transport: "stdio".into(),
        ..server("a-b", "c", "2026-01")
    };
    let not_by_this_strategy = server("a.b", "c", "2026-01");
    let refuse =
        |server: &Server| (server.namespace == "a.b").then(|| Refusal::new("Not", "this way"));
    let servers = [harmful, not_by_this_strategy, server("a", "b-c", "2026-02")];
    let assigned = assign_names(&servers, refuse);
    assert!(assigned[0].name.is_err() && assigned[1].name.is_err());
    assert_eq!(assigned[2].name, Ok("a_b_c".into()));
}

#[test]
fn what_would_harm_litellm_is_refused() {
    type Change = fn(&mut Server);
    let cases: [(Change, &str); 6] = [
        (
            |server| server.transport = "stdio".into(),
            "TransportNotSupported",
        ),
        (|server| server.url = String::new(), "InvalidUrl"),
        (
            |server| server.description = "os.environ/LITELLM_MASTER_KEY".into(),
            "EnvironmentReference",
        ),
        (
            |server| server.access_groups = vec!["a".into(), "os.environ/A".into()],
            "EnvironmentReference",
        ),
        (
            |server| server.allowed_tools = vec!["os.environ/A".into()],
            "EnvironmentReference",
        ),
        (
            |server| server.extra = vec![testing::extra("auth", r#"{"type":"magic"}"#)],
            "AuthNotSupported",
        ),
    ];
    for (change, reason) in cases {
        let mut server = server("a", "b", "1");
        change(&mut server);
        let refusal = names(std::slice::from_ref(&server)).remove(0).unwrap_err();
        assert_eq!(refusal.registration(&server).reason, reason);
    }
}

#[test]
fn long_names_are_cut_and_kept_apart() {
    let long = "x".repeat(49);
    let names = names(&[
        server("namespace", &format!("{long}a"), "1"),
        server("namespace", &format!("{long}b"), "1"),
    ]);
    let [Ok(first), Ok(second)] = names.as_slice() else {
        panic!("{names:?}");
    };
    assert_ne!(first, second);
    assert!(first.starts_with("namespace_xxx"));
}

proptest! {
    #[test]
    fn names_are_what_litellm_and_providers_take(
        namespace in "[a-z0-9][-a-z0-9]{0,62}",
        name in "[a-z][-.a-z0-9]{0,49}",
    ) {
        let name = names(&[server(&namespace, &name, "1")]).remove(0).unwrap();
        prop_assert!(name.len() <= 40 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    }

    #[test]
    fn no_two_servers_have_one_name(parts in prop::collection::btree_set(("[a-b]-?[a-b]", "[a-b]-?[a-b]{0,50}"), 0..8)) {
        let servers: Vec<_> = parts.iter().map(|(namespace, name)| server(namespace, name, "1")).collect();
        let names: Vec<_> = names(&servers).into_iter().filter_map(Result::ok).collect();
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        prop_assert_eq!(distinct.len(), names.len());
    }
}
