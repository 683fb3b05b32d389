//! One key of one ConfigMap, as it is now.

use std::collections::BTreeMap;
use std::pin::pin;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};

use crate::watch::{events, trim_metadata};

/// Says what a key holds: at first, and whenever it may have changed. Nothing: there is no such ConfigMap, or no such key in
/// it. Never ends.
pub async fn follow_config_map_key(
    client: Client,
    namespace: &str,
    name: &str,
    key: &str,
    say: impl Fn(Option<&str>),
) {
    let api: Api<ConfigMap> = Api::namespaced(client, namespace);
    let one = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = pin!(events("ConfigMap by its name", api, one, |map| {
        trim_metadata(&mut map.metadata);
    }));
    let of_data = |data: &Option<BTreeMap<String, String>>| data.as_ref()?.get(key).cloned();
    let mut listed = None;
    while let Some(event) = events.next().await {
        match event {
            Event::Init => listed = None,
            Event::InitApply(map) => listed = of_data(&map.data),
            Event::InitDone => say(listed.take().as_deref()),
            Event::Apply(map) => say(of_data(&map.data).as_deref()),
            Event::Delete(_) => say(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mcp_testkit::ApiServer;
    use serde_json::json;
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_key_is_told_at_first_when_it_changes_and_when_it_is_gone() {
        let server = ApiServer::new();
        let map = |data| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "one", "namespace": "home" }, "data": data });
        server.put(map(json!({ "other": "x" })));
        let (told, mut heard) = mpsc::unbounded_channel();
        let client = server.client();
        let follow = tokio::spawn(async move {
            let say = |value: Option<&str>| drop(told.send(value.map(str::to_owned)));
            follow_config_map_key(client, "home", "one", "filter", say).await;
        });
        let mut next = async || {
            let heard = timeout(Duration::from_secs(10), heard.recv()).await;
            heard.unwrap().unwrap()
        };
        assert_eq!(next().await, None);
        server.put(map(json!({ "filter": "debug" })));
        assert_eq!(next().await.as_deref(), Some("debug"));
        server.put(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "two", "namespace": "home" }, "data": { "filter": "no" } }));
        server.put(map(json!({ "filter": "warn" })));
        assert_eq!(next().await.as_deref(), Some("warn"));
        server.put(map(json!({})));
        assert_eq!(next().await, None);
        follow.abort();
    }
}
