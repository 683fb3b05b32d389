//! The key of the hashes of Secrets.

use mcp_testkit::objects::secret;

use super::*;
use crate::hash_key::{KEY, SECRET};
use crate::obtain_hash_key;

fn put_secret(api: &ApiServer, value: &str) {
    let mut secret = secret(NAMESPACE, "mcp-weather-secrets", json!({ "token": value }));
    secret["metadata"]["labels"] = json!({ "mcp.litellm.ai/server": NAME });
    api.put(secret);
}

fn deployment(api: &ApiServer) -> Value {
    api.get("Deployment", NAMESPACE, CHILD).unwrap()
}

fn template(api: &ApiServer) -> Value {
    deployment(api)["spec"]["template"].clone()
}

/// The debug form tells the id of the key.
async fn key_of(api: &ApiServer) -> String {
    let key = obtain_hash_key(&api.client(), OPERATOR_NAMESPACE).await;
    format!("{:?}", key.unwrap())
}

#[tokio::test(start_paused = true)]
async fn replicas_share_one_random_key_that_is_never_overwritten() {
    let api = api_server();
    let client = api.client();
    let (one, other) = tokio::join!(
        obtain_hash_key(&client, OPERATOR_NAMESPACE),
        obtain_hash_key(&client, OPERATOR_NAMESPACE)
    );
    assert_eq!(
        format!("{:?}", one.unwrap()),
        format!("{:?}", other.unwrap())
    );
    let stored = api.get("Secret", OPERATOR_NAMESPACE, SECRET).unwrap();
    assert_eq!(key_of(&api).await, key_of(&api).await);
    assert_eq!(api.get("Secret", OPERATOR_NAMESPACE, SECRET), Some(stored));
    assert_ne!(key_of(&api).await, key_of(&api_server()).await);
}

#[tokio::test(start_paused = true)]
async fn a_secret_without_a_key_is_told_and_kept() {
    let api = api_server();
    let theirs = secret(OPERATOR_NAMESPACE, SECRET, json!({ KEY: "AAAA" }));
    api.put(theirs);
    let stored = api.get("Secret", OPERATOR_NAMESPACE, SECRET);
    let error = obtain_hash_key(&api.client(), OPERATOR_NAMESPACE).await;
    let message = error.unwrap_err().to_string();
    assert!(
        message.contains("must have 32 bytes in data.key: delete it"),
        "{message}"
    );
    assert_eq!(api.get("Secret", OPERATOR_NAMESPACE, SECRET), stored);
}

/// Another key says nothing about the data: the pods stay, and the next change of the data replaces them once.
#[tokio::test(start_paused = true)]
async fn another_key_replaces_no_pods() {
    let world = World::new().await;
    put_secret(&world.api, "AAAA");
    world.put_server(everything());
    world.converge().await;
    let (before, pods) = (deployment(&world.api), template(&world.api));

    world.api.delete("Secret", OPERATOR_NAMESPACE, SECRET);
    let restarted = World::on(world.api.clone()).await;
    restarted.reconcile().await.unwrap();
    assert_eq!(template(&restarted.api), pods);
    let seen = |deployment: &Value| {
        deployment["metadata"]["annotations"]["mcp.litellm.ai/secrets-seen"].clone()
    };
    assert_ne!(seen(&deployment(&restarted.api)), seen(&before));
    restarted.api.clear_log();
    restarted.reconcile().await.unwrap();
    assert_eq!(restarted.written(), [""; 0]);

    put_secret(&restarted.api, "BBBB");
    restarted.reconcile().await.unwrap();
    let replaced = template(&restarted.api);
    assert_ne!(replaced, pods);
    restarted.reconcile().await.unwrap();
    assert_eq!(template(&restarted.api), replaced);
}
