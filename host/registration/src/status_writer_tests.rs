use mcp_operator_api::names::conditions::LITELLM_REGISTERED;
use mcp_operator_core::conditions::ConditionStatus;
use mcp_testkit::{ApiServer, Failure, Match, Times, Verb};

use super::*;
use crate::test_cluster::{condition, server_store, serving};

fn status_writes() -> Match {
    Match::verb(Verb::Apply)
        .kind("MCPServer")
        .subresource("status")
}

/// Writes the same about all servers.
async fn write(server: &ApiServer, servers: &ServerStore, stop: &CancellationToken) -> bool {
    let client = server.client();
    let writer = StatusWriter {
        client: &client,
        servers,
        stop,
    };
    let draft = ConditionDraft::new(LITELLM_REGISTERED, ConditionStatus::True, "Registered", "");
    let guarded = servers.all();
    let readable = guarded.iter().filter_map(|it| it.readable());
    let said: Vec<_> = readable
        .map(|server| Said {
            server,
            draft: draft.clone(),
            registered_name: "tools_weather".into(),
            generation: server.metadata.generation,
            remote_url: None,
        })
        .collect();
    writer.write(&said).await
}

async fn cluster() -> (ApiServer, ServerStore, CancellationToken) {
    let server = ApiServer::new();
    server.put(serving("weather"));
    let servers = server_store(&server).await;
    (server, servers, CancellationToken::new())
}

#[tokio::test]
async fn a_status_is_written_for_the_server_with_this_uid() {
    let (server, servers, stop) = cluster().await;
    assert!(write(&server, &servers, &stop).await);
    let weather = server.get("MCPServer", "tools", "weather").unwrap();
    let expected = Some("True Registered: ".to_owned());
    assert_eq!(condition(&weather, LITELLM_REGISTERED), expected);
    assert!(
        condition(&weather, "Available").is_some(),
        "that of another writer"
    );
    let write = &server.requests_of(&status_writes())[0];
    assert_eq!(write.body["metadata"]["uid"], weather["metadata"]["uid"]);
    assert_eq!(
        write.field_manager.as_deref(),
        Some(field_managers::REGISTRY)
    );
}

/// Also before the watch shows what was written.
#[tokio::test]
async fn a_status_that_says_it_already_is_not_written() {
    let (server, servers, stop) = cluster().await;
    for _ in 0..3 {
        assert!(write(&server, &servers, &stop).await);
    }
    assert_eq!(server.requests_of(&status_writes()).len(), 1);
}

#[tokio::test]
async fn a_server_that_was_deleted_needs_no_status() {
    let (server, servers, stop) = cluster().await;
    server.before(status_writes(), |server, _| {
        server.delete("MCPServer", "tools", "weather");
    });
    assert!(write(&server, &servers, &stop).await);
    assert_eq!(server.requests_of(&status_writes())[0].code, Some(404));
}

/// The API server writes it all the same: the next pass must not take it for what is known about the namesake.
#[tokio::test]
async fn a_status_that_a_namesake_got_is_not_taken_for_its_own() {
    let (server, servers, stop) = cluster().await;
    server.before(status_writes(), |server, _| {
        server.delete("MCPServer", "tools", "weather");
        server.put(serving("weather"));
    });
    assert!(!write(&server, &servers, &stop).await);
    let namesake = server.get("MCPServer", "tools", "weather").unwrap();
    let mut shown: McpServer = serde_json::from_value(namesake).unwrap();
    shown.metadata.resource_version = Some("1".into());
    shown.status = None;
    assert_eq!(
        servers.latest(&shown).status,
        None,
        "nothing is laid over it"
    );
}

#[tokio::test]
async fn a_write_that_fails_is_reported() {
    for failure in [
        Failure::new(409, "Conflict", "the object has been modified"),
        Failure::forbidden("not allowed"),
        Failure::internal("no space left"),
    ] {
        let (server, servers, stop) = cluster().await;
        server.fail(status_writes(), failure, Times::Once);
        assert!(!write(&server, &servers, &stop).await);
        assert!(
            write(&server, &servers, &stop).await,
            "and written the next time"
        );
    }
}

#[tokio::test]
async fn after_a_stop_no_status_is_written() {
    let (server, servers, stop) = cluster().await;
    stop.cancel();
    assert!(!write(&server, &servers, &stop).await);
    assert!(server.requests_of(&status_writes()).is_empty());
}

#[test]
fn only_what_is_new_is_an_update() {
    let mut server: McpServer = serde_json::from_value(serving("weather")).unwrap();
    server.metadata.uid = Some("1".into());
    let draft = |status, reason: &str| ConditionDraft::new(LITELLM_REGISTERED, status, reason, "");
    let registered = draft(ConditionStatus::True, "Registered");
    let shown = server.clone();
    let said = |draft: &ConditionDraft, name: &str| Said {
        server: &shown,
        draft: draft.clone(),
        registered_name: name.into(),
        generation: Some(1),
        remote_url: None,
    };
    let first = status_update(&server, &said(&registered, "tools_weather")).unwrap();
    assert_eq!(first.server, ServerKey::new("tools", "weather"));
    assert_eq!(first.body["metadata"]["uid"], "1");
    server.status = serde_json::from_value(first.body["status"].clone()).unwrap();
    let updates = |said: &Said<'_>| status_update(&server, said).is_some();
    assert!(!updates(&said(&registered, "tools_weather")));
    assert!(updates(&said(&registered, "another")));
    let refused = draft(ConditionStatus::False, "NameTaken");
    assert!(updates(&said(&refused, "tools_weather")));
    let mut elsewhere = said(&registered, "tools_weather");
    elsewhere.remote_url = Some("https://mcp.example.com/mcp".into());
    assert!(updates(&elsewhere));
    let mut older = said(&registered, "tools_weather");
    older.generation = Some(0);
    assert!(updates(&older));
}
