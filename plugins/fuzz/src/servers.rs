//! The servers that are wanted, and what every plan says of them.

use mcp_plugin_sdk::testing::{registrable, registrable_since};
use mcp_plugin_sdk::{Plan, Server};

/// The installation that asks.
pub(crate) const INSTANCE: &str = "mcp-operator";

/// One of each: with a name that LiteLLM takes, with one that it does not, and an older one of the other namespace.
pub(crate) fn servers() -> Vec<Server> {
    vec![
        registrable("tools", "weather"),
        registrable("tools", "git-hub"),
        registrable_since("data", "jupyter", "2020-01-01T00:00:00Z"),
    ]
}

/// Each server is told how it stands, once, and as long as that is nothing to do, nothing is done for it.
pub(crate) fn assert_all_are_told(servers: &[Server], plan: &Plan) {
    let mut told: Vec<&str> = plan
        .registrations
        .iter()
        .map(|it| it.server.as_str())
        .collect();
    let mut wanted: Vec<String> = servers.iter().map(Server::key).collect();
    told.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(told, wanted);
    for registration in &plan.registrations {
        assert!(!registration.reason.is_empty() && !registration.message.is_empty());
        assert!(
            registration.message.len() < 4096,
            "{}",
            registration.message
        );
    }
}
