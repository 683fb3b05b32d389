//! An operator that may read Secrets and pods in single namespaces only, as a platform may want it.

use super::running::{Running, ready_reason};
use super::*;

const SECRET: &str = "mcp-weather-secrets";

/// An API server that refuses to list Secrets and pods of all namespaces at once.
fn without_all_namespaces() -> ApiServer {
    let api = api_server();
    for kind in ["Secret", "Pod"] {
        let everywhere = Match::verb(Verb::List).kind(kind).namespace("");
        api.deny(everywhere, "cannot list at the cluster scope");
    }
    api
}

fn put_secret(api: &ApiServer, value: &str) {
    let mut secret = mcp_testkit::objects::secret(NAMESPACE, SECRET, json!({ "token": value }));
    secret["metadata"]["labels"] = json!({ "mcp.litellm.ai/server": NAME });
    api.put(secret);
}

/// What the Deployment says about Secrets: which were seen, and what its pods were replaced for.
fn stamps(api: &ApiServer) -> (String, Value) {
    let deployment = api.get("Deployment", NAMESPACE, CHILD).unwrap_or_default();
    let annotations = |object: &Value| object["metadata"]["annotations"].clone();
    let seen = annotations(&deployment)["mcp.litellm.ai/secrets-seen"].to_string();
    let template = annotations(&deployment["spec"]["template"]);
    (seen, template["mcp.litellm.ai/secret-hash"].clone())
}

fn ready_message(api: &ApiServer) -> String {
    let server = api.get("MCPServer", NAMESPACE, NAME).unwrap_or_default();
    let conditions = server["status"]["conditions"].as_array().cloned();
    let mut conditions = conditions.unwrap_or_default().into_iter();
    let ready = conditions.find(|found| found["type"] == "Ready");
    ready.unwrap_or_default()["message"].to_string()
}

#[tokio::test(start_paused = true)]
async fn what_may_be_read_in_its_namespace_alone_replaces_the_pods_of_a_server() {
    let running = Running::start(World::on(without_all_namespaces()).await);
    put_secret(&running.api, "AAAA");
    running.put(NAME, everything());
    running.wait_for(|api| stamps(api).0.contains(SECRET)).await;
    running.roll_out_all();
    let (_, first) = stamps(&running.api);
    put_secret(&running.api, "BBBB");
    running.wait_for(|api| stamps(api).1 != first).await;
    running
        .wait_for(|api| ready_reason(api, NAME).is_some())
        .await;
    let message = ready_message(&running.api);
    assert!(!message.contains("cannot list"), "{message}");
    let everywhere = Match::verb(Verb::Watch).kind("Secret").namespace("");
    assert!(running.api.requests_of(&everywhere).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_read_in_its_namespace_either_is_told() {
    let api = without_all_namespaces();
    let here = Match::verb(Verb::List).kind("Secret").namespace(NAMESPACE);
    api.deny(here, "cannot list in the namespace");
    let running = Running::start(World::on(api).await);
    running.put(NAME, everything());
    running
        .wait_for(|api| api.get("Deployment", NAMESPACE, CHILD).is_some())
        .await;
    running.roll_out_all();
    running
        .wait_for(|api| ready_message(api).contains("when a Secret changes"))
        .await;
    let message = ready_message(&running.api);
    assert!(
        message.contains("cannot list in the namespace"),
        "{message}"
    );
}

/// Who is let into all namespaces later needs no restart, and no watch of a single one any more.
#[tokio::test(start_paused = true)]
async fn all_namespaces_may_be_read_at_last() {
    let running = Running::start(World::on(without_all_namespaces()).await);
    put_secret(&running.api, "AAAA");
    running.put(NAME, everything());
    running.wait_for(|api| stamps(api).0.contains(SECRET)).await;
    running.api.heal();
    let everywhere = Match::verb(Verb::Watch).kind("Secret").namespace("");
    running
        .wait_for(|api| !api.requests_of(&everywhere).is_empty())
        .await;
    let (_, first) = stamps(&running.api);
    put_secret(&running.api, "BBBB");
    running.wait_for(|api| stamps(api).1 != first).await;
}
