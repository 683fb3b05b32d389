use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{WatchEvent, WatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::objects::config_map;
use crate::{ApiServer, Match, Verb, WatchEnd};

type Events = Pin<Box<dyn Stream<Item = kube::Result<WatchEvent<ConfigMap>>>>>;

fn maps(server: &ApiServer) -> Api<ConfigMap> {
    Api::namespaced(server.client(), "tools")
}

async fn watch(server: &ApiServer, params: WatchParams, since: u64) -> Events {
    Box::pin(
        maps(server)
            .watch(&params, &since.to_string())
            .await
            .unwrap(),
    )
}

fn line(event: &WatchEvent<ConfigMap>) -> String {
    match event {
        WatchEvent::Added(map) => format!("added {}", map.name_any()),
        WatchEvent::Modified(map) => format!("modified {}", map.name_any()),
        WatchEvent::Deleted(map) => format!("deleted {}", map.name_any()),
        WatchEvent::Bookmark(_) => "bookmark".into(),
        WatchEvent::Error(status) => format!("error {}", status.code),
    }
}

async fn next(events: &mut Events) -> Option<String> {
    let event = events.try_next().await.unwrap()?;
    Some(line(&event))
}

fn label(server: &ApiServer, value: &str) {
    server.edit("ConfigMap", "tools", "a", |object| {
        object["metadata"]["labels"] = json!({ "is": value });
    });
}

#[tokio::test]
async fn changes_come_in_their_order_from_a_version_on() {
    let server = ApiServer::new();
    server.put(config_map("tools", "before", json!({})));
    let since = server.resource_version();
    server.put(config_map("tools", "a", json!({})));
    server.put(config_map("other", "elsewhere", json!({})));
    let mut events = watch(&server, WatchParams::default(), since).await;
    label(&server, "new");
    server.bookmark();
    server.delete("ConfigMap", "tools", "a");
    for expected in ["added a", "modified a", "bookmark", "deleted a"] {
        assert_eq!(next(&mut events).await.as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn what_matches_no_longer_is_gone() {
    let server = ApiServer::new();
    let mut events = watch(
        &server,
        WatchParams::default().labels("is=in"),
        server.resource_version(),
    )
    .await;
    server.put(config_map("tools", "a", json!({})));
    for value in ["out", "in", "out"] {
        label(&server, value);
    }
    assert_eq!(next(&mut events).await.as_deref(), Some("added a"));
    assert_eq!(next(&mut events).await.as_deref(), Some("deleted a"));
}

#[tokio::test]
async fn a_version_that_is_forgotten_is_too_old() {
    let server = ApiServer::new();
    let since = server.resource_version();
    server.compact();
    let mut events = watch(&server, WatchParams::default(), since).await;
    assert_eq!(next(&mut events).await.as_deref(), Some("error 410"));
    assert_eq!(next(&mut events).await, None);
    let mut events = watch(&server, WatchParams::default(), server.resource_version()).await;
    server.end_watches("ConfigMap", WatchEnd::Expired);
    assert_eq!(next(&mut events).await.as_deref(), Some("error 410"));
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_after_its_time_or_when_it_is_told_to() {
    let server = ApiServer::new();
    let mut events = watch(
        &server,
        WatchParams::default().timeout(60),
        server.resource_version(),
    )
    .await;
    assert_eq!(next(&mut events).await, None);
    let mut events = watch(&server, WatchParams::default(), server.resource_version()).await;
    server.end_watches("Secret", WatchEnd::Closed);
    server.end_watches("ConfigMap", WatchEnd::Reset);
    assert!(events.try_next().await.is_err());
}

#[tokio::test]
async fn a_watch_can_begin_with_what_is_there() {
    let server = ApiServer::new();
    server.put(config_map("tools", "a", json!({})));
    let mut events = watch(&server, WatchParams::default().initial_events(), 0).await;
    assert_eq!(next(&mut events).await.as_deref(), Some("added a"));
    assert_eq!(next(&mut events).await.as_deref(), Some("bookmark"));
}

#[tokio::test(start_paused = true)]
async fn a_watcher_goes_on_after_everything_that_can_happen_to_it() {
    let server = ApiServer::new();
    server.put(config_map("tools", "a", json!({})));
    let api: Api<PartialObjectMeta<ConfigMap>> = Api::namespaced(server.client(), "tools");
    let only = watcher::Config::default().fields("metadata.name=a");
    let mut events = watcher(api, only)
        .filter_map(|event| async { event.ok() })
        .boxed();
    let mut reads = async |name: &str| {
        let name = name.to_owned();
        tokio::time::timeout(Duration::from_mins(10), async {
            loop {
                match events.next().await.unwrap() {
                    Event::Apply(map) | Event::InitApply(map)
                        if map.labels().get("is") == Some(&name) =>
                    {
                        return;
                    }
                    _ => {}
                }
            }
        })
        .await
        .unwrap();
    };
    label(&server, "listed");
    reads("listed").await;
    label(&server, "watched");
    reads("watched").await;
    for how in [WatchEnd::Closed, WatchEnd::Reset, WatchEnd::Expired] {
        server.end_watches("ConfigMap", how);
        label(&server, &format!("{how:?}"));
        reads(&format!("{how:?}")).await;
    }
    let lists = server.requests_of(&Match::verb(Verb::List)).len();
    assert!(lists >= 2, "a version that is too old needs a new list");
}

#[tokio::test]
async fn a_condition_is_waited_for() {
    let server = ApiServer::new();
    let (other, waits) = (server.clone(), server.clone());
    let waiting = tokio::spawn(async move {
        waits
            .wait_for(|server| server.get("ConfigMap", "tools", "a").is_some())
            .await
    });
    other.idle().await;
    other.put(config_map("tools", "a", json!({})));
    assert_eq!(waiting.await.unwrap(), Ok(()));
}
