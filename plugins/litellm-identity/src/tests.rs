use mcp_plugin_sdk::testing::{self, registrable_since as server};
use mcp_plugin_sdk::{RegistrationState, Server};
use proptest::prelude::*;

use super::name::collisions;
use super::*;

fn names(servers: &[Server]) -> Vec<Result<String, Refusal>> {
    assign_names(servers, |_| None)
        .into_iter()
        .map(|assigned| assigned.name)
        .collect()
}

fn name_of(namespace: &str, name: &str) -> String {
    names(&[server(namespace, name, "1")]).remove(0).unwrap()
}

#[test]
fn names_are_readable_and_differ_where_they_read_alike() {
    let long = "x".repeat(49);
    let found = [
        name_of("tools", "weather"),
        name_of("data-science", "jupyter"),
        name_of("data", "science-jupyter"),
        name_of("data", "science.jupyter"),
        name_of("namespace", &format!("{long}a")),
        name_of("namespace", &format!("{long}b")),
        name_of(&"n".repeat(63), "weather"),
    ];
    assert_eq!(
        found,
        [
            "tools_weather",
            "data_science_jupyter_kfvrju5g",
            "data_science_jupyter_ce2cupry",
            "data_science_jupyter_iryvy3jb",
            "namespace_xxxxxxxxxxxxx_lb7zhpgy4zrhotvq",
            "namespace_xxxxxxxxxxxxx_n2z6gww6b46jfcjx",
            "nnnnnnnnnnnnnnn_weather_7nw4cdmld4f6t7bd",
        ]
    );
}

/// Names do not let that happen; if it does, nobody who is there already loses anything.
#[test]
fn of_several_with_one_name_the_oldest_has_it_in_any_order() {
    let mut servers = [
        server("a", "b-c", "2026-02"),
        server("a-b", "c", "2026-01"),
        server("a", "b.c", "2026-03"),
    ];
    let one_name = vec![Ok("a_b_c".to_owned()); servers.len()];
    for _ in 0..servers.len() {
        let refusals = collisions(&servers, &one_name);
        assert_eq!(refusals.len(), 2);
        for (index, refusal) in refusals {
            let server = &servers[index];
            assert_ne!(server.key(), "a-b/c");
            let registration = refusal.registration(server);
            assert_eq!(registration.state, RegistrationState::Refused);
            assert_eq!(registration.reason, "NameCollision");
            assert!(
                registration.message.starts_with("MCPServer a-b/c is older"),
                "{registration:?}"
            );
        }
        servers.rotate_left(1);
    }
}

/// The other server is there or not, older or younger: a name and what LiteLLM grants to it never change hands.
#[test]
fn a_name_does_not_depend_on_other_servers() {
    let (victim, other) = (
        server("data-science", "jupyter", "2026-02"),
        server("data", "science-jupyter", "2026-01"),
    );
    let alone = names(std::slice::from_ref(&victim));
    let both = names(&[victim, other.clone()]);
    assert_eq!(both[0], alone[0]);
    assert_ne!(both[1], both[0]);
    assert_eq!(names(&[other])[0], both[1]);
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
            |server| server.allowed_tools = Some(vec!["os.environ/A".into()]),
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

proptest! {
    #[test]
    fn names_are_what_litellm_and_providers_take(
        namespace in "[a-z0-9][-a-z0-9]{0,62}",
        name in "[a-z][-.a-z0-9]{0,49}",
    ) {
        let name = names(&[server(&namespace, &name, "1")]).remove(0).unwrap();
        prop_assert!(name.len() <= 40 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    }

    /// Few characters, so that many servers read alike.
    #[test]
    fn no_two_servers_have_one_name(parts in prop::collection::btree_set(("[ab]([-ab]{0,3}[ab])?", "[ab]([-.ab]{0,4}[ab])?"), 2..64)) {
        let names: std::collections::BTreeSet<_> = parts.iter().map(|(namespace, name)| name_of(namespace, name)).collect();
        prop_assert_eq!(names.len(), parts.len());
    }

    /// The same with names that have to be cut.
    #[test]
    fn no_two_long_servers_have_one_name(parts in prop::collection::btree_set(("[ab][-ab]{0,61}[ab]", "[ab][-.ab]{0,47}[ab]"), 2..16)) {
        let names: std::collections::BTreeSet<_> = parts.iter().map(|(namespace, name)| name_of(namespace, name)).collect();
        prop_assert_eq!(names.len(), parts.len());
    }

    /// A name of one form is none of another one.
    #[test]
    fn forms_of_names_do_not_meet(namespace in "[a-z0-9][-a-z0-9]{0,62}", name in "[a-z][-.a-z0-9]{0,49}") {
        let assigned = name_of(&namespace, &name);
        let is_plain = namespace.len() + name.len() < 40 && !namespace.contains('-') && !name.contains(['-', '.']);
        let digits = assigned.rsplit('_').next().unwrap().len();
        let underscores = assigned.matches('_').count();
        if is_plain {
            prop_assert_eq!(underscores, 1);
        } else {
            prop_assert!(underscores >= 2 && digits == if namespace.len() + name.len() + 10 <= 40 { 8 } else { 16 }, "{}", assigned);
        }
    }
}
