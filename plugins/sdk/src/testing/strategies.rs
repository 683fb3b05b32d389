//! Strategies for property tests of registrars.

use proptest::prelude::*;

use super::{extra, registrable_since};
use crate::Server;

/// Up to five different servers, made of few enough values that names, URLs and texts collide. `transports` is a regular
/// expression of their transports, `with_auth` the probability that one has `spec.litellm.auth`. Needs the feature
/// `proptest`.
pub fn any_servers(transports: &'static str, with_auth: f64) -> impl Strategy<Value = Vec<Server>> {
    prop::collection::vec(any_server(transports, with_auth), 0..6).prop_map(|mut servers| {
        servers.sort_by_key(Server::key);
        servers.dedup_by_key(|server| server.key());
        servers
    })
}

fn any_server(transports: &'static str, with_auth: f64) -> impl Strategy<Value = Server> {
    let names = ("[a-c]-?[a-c]", "[a-c]-?[a-c]{0,50}", "[1-3]");
    let tools = prop_oneof![1 => Just(None), 4 => any_texts().prop_map(Some)];
    let shown = ("[x-z]{0,1}", any_texts(), tools);
    let reached = (
        "http://[a-b]:808[0-1]/(mcp|sse)",
        transports,
        prop::option::of("[p-q]"),
    );
    let auth = Just(extra("auth", r#"{"type":"apiKey"}"#));
    let auth = prop::option::weighted(with_auth, auth);
    (names, shown, reached, auth).prop_map(|(names, shown, reached, auth)| Server {
        description: shown.0,
        access_groups: shown.1,
        allowed_tools: shown.2,
        url: reached.0,
        transport: reached.1,
        labels: reached
            .2
            .map(|team| ("team".into(), team))
            .into_iter()
            .collect(),
        extra: auth.into_iter().collect(),
        ..registrable_since(&names.0, &names.1, &names.2)
    })
}

fn any_texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-b]{1,2}", 0..3)
}
