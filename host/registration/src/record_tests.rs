use mcp_operator_core::retry::{Classify, ErrorClass};
use mcp_testkit::objects::config_map;
use mcp_testkit::{ApiServer, Match, Verb};

use super::*;
use crate::test_registrars::{FakeRegistrar, id_of};

fn records(server: &ApiServer) -> RecordConfigMap {
    RecordConfigMap::new(server.client(), "operator")
}

fn put(server: &ApiServer, text: &str) {
    server.put(config_map("operator", NAME, json!({ KEY: text })));
}

#[tokio::test]
async fn without_a_record_nothing_is_recorded() {
    let record = records(&ApiServer::new()).read().await.unwrap();
    assert!(record.active.is_none() && record.draining.is_empty());
}

#[tokio::test]
async fn what_is_written_is_read() {
    let server = ApiServer::new();
    let recorded = |id: &str| RecordedRegistrar::of(&*FakeRegistrar::new(id)).unwrap();
    let record = HandoverRecord {
        active: Some(recorded("a1")),
        draining: vec![recorded("b2")],
    };
    records(&server).write(&record).await.unwrap();
    let read = records(&server).read().await.unwrap();
    assert!(read.active.as_ref().unwrap().is(&*FakeRegistrar::new("a1")));
    assert!(!read.active.unwrap().is(&*FakeRegistrar::new("a2")));
    assert_eq!(id_of(&read.draining[0]), "b2");
}

/// As versions before this one wrote it.
#[tokio::test]
async fn the_format_stays_as_it_is() {
    let server = ApiServer::new();
    put(
        &server,
        r#"{"inForce":{"plugin":"a","spec":{"version":1}},"leaving":[{"plugin":"b","spec":{"version":2}}]}"#,
    );
    let read = records(&server).read().await.unwrap();
    assert_eq!(id_of(read.active.as_ref().unwrap()), "a1");
    assert_eq!(id_of(&read.draining[0]), "b2");
    records(&server).write(&read).await.unwrap();
    let map = server.get("ConfigMap", "operator", NAME).unwrap();
    let text = map["data"][KEY].as_str().unwrap();
    assert!(text.contains(r#""inForce""#) && text.contains(r#""leaving""#));
}

#[tokio::test]
async fn an_unreadable_record_says_what_to_do() {
    let server = ApiServer::new();
    put(&server, "{");
    let error = records(&server).read().await.unwrap_err();
    assert_eq!(error.category(), "UnreadableRecord");
    assert_eq!(error.class(), ErrorClass::External);
    assert_eq!(
        error.to_string(),
        "ConfigMap operator/mcp-operator-registry cannot be read (EOF while parsing an object at line 1 column 1): delete it; what a replaced registrar has left behind then stays"
    );
}

#[tokio::test]
async fn a_missing_permission_is_told() {
    let server = ApiServer::new();
    server.deny(Match::verb(Verb::Apply), "not allowed");
    let error = records(&server).write(&HandoverRecord::default()).await;
    assert_eq!(error.unwrap_err().category(), "Forbidden");
}
