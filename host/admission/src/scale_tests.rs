use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt, ready};
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_operator_policy::{
    NamespaceFacts, NamespaceLookup, ServerLookup, Snapshot, Snapshots, UnavailablePlugin,
};

use super::*;
use crate::handlers::{mutate, validate};

/// A cluster with this MCPServer, or an API server that does not answer.
struct Stored(Result<Option<Value>, String>);

impl ServerLookup for Stored {
    fn server<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<DynamicObject>, String>> {
        assert_eq!((namespace, name), ("tools", "a"));
        let read = |server| serde_json::from_value(server).unwrap();
        ready(self.0.clone().map(|found| found.map(read))).boxed()
    }
}

impl NamespaceLookup for Stored {
    fn namespace<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<NamespaceFacts, String>> {
        let facts = NamespaceFacts {
            name: name.to_owned(),
            ..NamespaceFacts::default()
        };
        ready(Ok(facts)).boxed()
    }
}

fn server() -> Value {
    json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": "a", "namespace": "tools", "labels": { "team": "a" } },
        "spec": { "image": { "repository": "acme/mcp" }, "replicas": 2 },
    })
}

fn state(stored: Result<Option<Value>, String>, snapshots: Snapshots) -> AdmissionState {
    let stored = Arc::new(Stored(stored));
    AdmissionState {
        snapshots,
        namespaces: stored.clone(),
        servers: stored,
        build: mcp_operator_core::build::Settings::default(),
        operator_namespace: None,
        trace_id: || None,
    }
}

fn empty(stored: Result<Option<Value>, String>) -> AdmissionState {
    state(stored, Snapshots::fixed(Snapshot::default()))
}

/// What the API server sends for `kubectl scale`.
fn scale(spec: &Value) -> AdmissionRequest<DynamicObject> {
    let object = |spec: &Value| json!({ "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": { "name": "a", "namespace": "tools" }, "spec": spec, "status": { "replicas": 2 } });
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1", "operation": "UPDATE", "name": "a", "namespace": "tools", "userInfo": {}, "dryRun": false,
            "kind": { "group": "autoscaling", "version": "v1", "kind": "Scale" },
            "resource": { "group": "mcp.litellm.ai", "version": "v1alpha1", "resource": "mcpservers" },
            "subResource": "scale",
            "object": object(spec), "oldObject": object(&json!({ "replicas": 2 })),
        },
    });
    review::parse(review.to_string().as_bytes()).unwrap()
}

async fn update(spec: &Value) -> AdmissionRequest<DynamicObject> {
    let state = empty(Ok(Some(server())));
    as_update(&state, &scale(spec)).await.unwrap()
}

#[tokio::test]
async fn what_is_judged_is_the_server_with_other_replicas() {
    let judged = update(&json!({ "replicas": 7 })).await;
    let (object, old) = (judged.object.unwrap(), judged.old_object.unwrap());
    let mut expected = server();
    assert_eq!(serde_json::to_value(old).unwrap(), expected);
    expected["spec"]["replicas"] = json!(7);
    assert_eq!(serde_json::to_value(object).unwrap(), expected);
    assert_eq!(judged.kind.kind, "MCPServer");
    assert_eq!(judged.sub_resource, None);
    let none = update(&json!({})).await.object.unwrap();
    assert_eq!(none.data["spec"]["replicas"], 0, "a zero is left out");
}

#[tokio::test]
async fn replicas_out_of_bounds_are_refused_by_their_name() {
    let answer = async |replicas: i64| {
        let request = scale(&json!({ "replicas": replicas }));
        validate(&empty(Ok(Some(server()))), &request, None).await
    };
    for (replicas, message) in [
        (100_000, "100000: should be less than or equal to 1000"),
        (1001, "1001: should be less than or equal to 1000"),
        (-1, "-1: should be greater than or equal to 0"),
    ] {
        let answer = answer(replicas).await;
        assert!(!answer.allowed, "{replicas}");
        assert_eq!(answer.uid, "1");
        assert_eq!(
            answer.result.message,
            format!(
                "MCPServer.mcp.litellm.ai \"a\" is invalid: spec.replicas: Invalid value: {message}"
            )
        );
    }
    for replicas in [0, 1, 1000] {
        assert!(answer(replicas).await.allowed, "{replicas}");
    }
}

/// By the same path: a rule that cannot be asked refuses it, as it refuses every other update.
#[tokio::test]
async fn rules_are_asked_about_it() {
    let spec = json!({ "source": { "builtin": "rule" }, "match": { "objectSelector": { "matchLabels": { "team": "a" } } } });
    let rule: McpPlugin = serde_json::from_value(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": "rule" }, "spec": spec,
    }))
    .unwrap();
    let missing = vec![UnavailablePlugin::new(&rule, None)];
    let snapshots = Snapshots::fixed(Snapshot::with_unavailable(Vec::new(), missing, true));
    let request = scale(&json!({ "replicas": 3 }));
    let state = state(Ok(Some(server())), snapshots);
    let answer = validate(&state, &request, None).await;
    assert!(!answer.allowed);
    assert!(
        answer.result.message.contains("plugin rule is not loaded"),
        "{}",
        answer.result.message
    );
    let completed = mutate(&state, &request, None).await;
    assert!(completed.allowed && completed.patch.is_none());
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_not_scaled_and_what_is_leaving_is() {
    let request = scale(&json!({ "replicas": 3 }));
    for (stored, code, message) in [
        (Ok(None), 404, "there is no MCPServer tools/a"),
        (
            Err("MCPServer tools/a cannot be read: no".to_owned()),
            500,
            "MCPServer tools/a cannot be read: no",
        ),
    ] {
        let answer = validate(&empty(stored), &request, None).await;
        assert!(!answer.allowed);
        assert_eq!(
            (answer.result.code, answer.result.message.as_str()),
            (code, message)
        );
    }
    let mut leaving = server();
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let starting = state(Ok(Some(leaving)), Snapshots::channel().1);
    assert!(validate(&starting, &request, None).await.allowed);
}

/// Those of its last write may be no longer in force.
#[tokio::test]
async fn a_scale_is_judged_by_the_plugins_in_force() {
    let mut stored = server();
    stored["metadata"]["annotations"] =
        json!({ "mcp.litellm.ai/plugins-revision": "0123456789abcdef" });
    let state = empty(Ok(Some(stored)));
    let update = as_update(&state, &scale(&json!({ "replicas": 3 }))).await;
    assert_eq!(crate::revision::noted(&update.unwrap()), None);
}
