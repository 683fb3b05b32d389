use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::refused;
use crate::objects::config_map;
use crate::{ApiServer, Failure, Fault, Match, Times, Verb};

fn maps(server: &ApiServer) -> Api<ConfigMap> {
    Api::namespaced(server.client(), "tools")
}

fn with_map() -> ApiServer {
    let server = ApiServer::new();
    server.put(config_map("tools", "a", json!({ "a": "1" })));
    server
}

#[tokio::test]
async fn exactly_the_requests_that_are_meant_fail() {
    let server = with_map();
    server.put(config_map("tools", "b", json!({})));
    let gets = Match::verb(Verb::Get).kind("ConfigMap").name("a");
    server.fail(gets, Failure::too_many_requests(3), Times::N(2));
    let api = maps(&server);
    for _ in 0..2 {
        assert!(api.get("b").await.is_ok());
        let status = refused(api.get("a").await);
        assert_eq!(status.code, 429);
        assert_eq!(status.details.unwrap().retry_after_seconds, 3);
    }
    assert!(api.get("a").await.is_ok());
    let codes: Vec<_> = server
        .requests()
        .iter()
        .filter_map(|request| request.code)
        .collect();
    assert_eq!(codes, [200, 429, 200, 429, 200]);
}

#[tokio::test]
async fn who_is_denied_is_denied_until_it_is_healed() {
    let server = with_map();
    server.deny(Match::any().kind("ConfigMap"), "configmaps is forbidden");
    assert_eq!(refused(maps(&server).get("a").await).reason, "Forbidden");
    assert_eq!(
        refused(maps(&server).list(&ListParams::default()).await).code,
        403
    );
    server.heal();
    assert!(maps(&server).get("a").await.is_ok());
}

#[tokio::test]
async fn a_connection_breaks_before_or_after_the_write() {
    let server = with_map();
    let delete = async || maps(&server).delete("a", &DeleteParams::default()).await;
    server.fail(
        Match::verb(Verb::Delete),
        Fault::ConnectionReset,
        Times::Once,
    );
    assert!(matches!(delete().await, Err(kube::Error::Service(_))));
    assert!(server.get("ConfigMap", "tools", "a").is_some());
    server.fail(Match::verb(Verb::Delete), Fault::AnswerLost, Times::Once);
    assert!(matches!(delete().await, Err(kube::Error::Service(_))));
    assert!(server.get("ConfigMap", "tools", "a").is_none());
    assert_eq!(server.writes()[1].code, None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_comes_late_or_never() {
    let server = with_map();
    server.fail(
        Match::verb(Verb::Get),
        Fault::Delay(Duration::from_secs(5)),
        Times::Once,
    );
    let began = Instant::now();
    maps(&server).get("a").await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(5));
    server.fail(Match::verb(Verb::Get), Fault::Hang, Times::Once);
    let answer = timeout(Duration::from_hours(1), async {
        maps(&server).get("a").await
    });
    assert!(answer.await.is_err());
    server.idle().await;
}

#[tokio::test]
async fn something_happens_in_the_middle_of_a_flow() {
    let server = with_map();
    let api = maps(&server);
    let found = api.get("a").await.unwrap();
    server.before(Match::verb(Verb::Replace), |server, request| {
        server.delete(&request.kind, &request.namespace, &request.name);
    });
    assert_eq!(
        refused(api.replace("a", &PostParams::default(), &found).await).code,
        404
    );
}

#[tokio::test]
async fn admission_changes_and_refuses() {
    let server = ApiServer::new();
    server.admit("ConfigMap", |object| {
        object["metadata"]["labels"]["seen"] = json!("yes");
    });
    server.validate("ConfigMap", |object| match object["data"]["bad"] {
        serde_json::Value::Null => Ok(()),
        _ => Err("bad data".into()),
    });
    let create = async |data| {
        let map = serde_json::from_value(config_map("tools", "a", data)).unwrap();
        maps(&server).create(&PostParams::default(), &map).await
    };
    let status = refused(create(json!({ "bad": "1" })).await);
    assert_eq!(
        status.message,
        "admission webhook \"testkit\" denied the request: bad data"
    );
    let made = create(json!({})).await.unwrap();
    assert_eq!(made.metadata.labels.unwrap()["seen"], "yes");
}
