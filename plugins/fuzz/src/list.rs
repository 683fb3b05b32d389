//! LiteLLM's lists: of its servers and of their health, and what it answers where it has none.

use litellm_admin_api::LiteLlmAdminApi;
use litellm_identity::{SERVERS_PATH, parse_server_list};
use mcp_plugin_sdk::testing::settings;
use mcp_plugin_sdk::{
    Action, HttpResponse, Observation, Observed, ReadSource, Registrar, Registry,
};
use serde_json::{Value, json};

use crate::servers::{INSTANCE, assert_all_are_told, servers};

/// What LiteLLM may answer with, by the first byte.
const STATUSES: [u16; 8] = [200, 200, 200, 200, 401, 404, 500, 429];
/// The most requests of one plan.
const REQUESTS: usize = 200;

/// A byte for the status; then the list, and behind a line of `---` the report of health.
pub(crate) fn run(data: &[u8]) {
    let Some((first, answers)) = data.split_first() else {
        return;
    };
    let Ok(answers) = std::str::from_utf8(answers) else {
        return;
    };
    let (list, health) = answers.split_once("\n---\n").unwrap_or((answers, "[]"));
    read(list);
    let status = STATUSES[usize::from(*first) % STATUSES.len()];
    plan(status, list, health);
}

fn read(list: &str) {
    let listed = match parse_server_list(list) {
        Ok(listed) => listed,
        Err(error) => {
            // The place is one of this text.
            let said = error.to_string();
            let place = said
                .split("byte ")
                .nth(1)
                .and_then(|rest| rest.split(' ').next());
            let place: Option<usize> = place.and_then(|place| place.parse().ok());
            return assert!(place.is_some_and(|place| place <= list.len()), "{said}");
        }
    };
    for server in &listed {
        if server.is_owned_by(INSTANCE) {
            let key = server.key(INSTANCE).unwrap_or_default();
            assert!(
                server.has_id_of(INSTANCE) && key.contains('/'),
                "{server:?}"
            );
            assert!(!server.is_from_config_file());
        }
        assert!(
            !server.is_owned_by("another"),
            "the mark of one is not that of another"
        );
    }
}

fn plan(status: u16, list: &str, health: &str) {
    let settings = settings(json!({ "verifyHealth": true, "requestsPerPass": REQUESTS }));
    let servers = servers();
    let reads = LiteLlmAdminApi::observe(&settings);
    let observations = reads.into_iter().map(|read| {
        let path = match &read.source {
            ReadSource::Http(request) => request.path.as_str(),
            _ => "",
        };
        let (status, body) = match path {
            SERVERS_PATH => (status, list),
            _ if path.ends_with("/health") => (200, health),
            _ => (404, "{}"),
        };
        Observation {
            id: read.id,
            state: Observed::Http(HttpResponse {
                status,
                headers: vec![("date".into(), "Sun, 29 Nov 2026 01:00:00 GMT".into())],
                body: body.into(),
            }),
        }
    });
    let registry = Registry {
        instance: INSTANCE.into(),
        servers: servers.clone(),
        observations: observations.collect(),
    };
    let plan = LiteLlmAdminApi::plan(&settings, &registry);
    assert_all_are_told(&servers, &plan);
    assert!(plan.steps.len() <= REQUESTS);
    let is_list = status == 200 && parse_server_list(list).is_ok();
    for step in &plan.steps {
        let Action::Send(request) = &step.action else {
            unreachable!("nothing but requests: {step:?}");
        };
        let mark = format!("{INSTANCE}.");
        match request.method.as_str() {
            "DELETE" => {
                let id = request.path.strip_prefix(SERVERS_PATH);
                let id = id
                    .and_then(|rest| rest.strip_prefix('/'))
                    .unwrap_or_default();
                assert!(
                    id.starts_with(&mark) && !id.contains(['/', '?', '#']),
                    "{request:?}"
                );
            }
            "POST" | "PUT" => {
                assert!(is_list, "what is there is not known: {request:?}");
                assert_eq!(request.path, SERVERS_PATH);
                let body: Value = serde_json::from_str(request.body.as_deref().unwrap_or_default())
                    .unwrap_or_default();
                let id = body["server_id"].as_str().unwrap_or_default();
                assert!(id.starts_with(&mark), "{request:?}");
            }
            other => unreachable!("{other}"),
        }
    }
}
