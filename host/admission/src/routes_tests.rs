use futures::future::{BoxFuture, FutureExt, ready};
use futures::stream;
use mcp_operator_policy::{NamespaceFacts, NamespaceLookup, Snapshot, Snapshots};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

struct NoNamespaces;

impl NamespaceLookup for NoNamespaces {
    fn namespace<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<NamespaceFacts, String>> {
        let facts = NamespaceFacts {
            name: name.to_owned(),
            ..NamespaceFacts::default()
        };
        ready(Ok(facts)).boxed()
    }
}

fn limited() -> Limited {
    Limited::new(AdmissionState {
        snapshots: Snapshots::fixed(Snapshot::default()),
        namespaces: Arc::new(NoNamespaces),
        build: mcp_operator_core::build::Settings::default(),
    })
}

fn review() -> String {
    let object = json!({ "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "metadata": { "name": "a" }, "spec": {} });
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1", "operation": "CREATE", "name": "a", "namespace": "tools", "userInfo": {}, "dryRun": false,
            "kind": { "group": "mcp.litellm.ai", "version": "v1alpha1", "kind": "MCPServer" },
            "resource": { "group": "mcp.litellm.ai", "version": "v1alpha1", "resource": "mcpservers" },
            "object": object,
        },
    })
    .to_string()
}

fn request(body: Body) -> Request {
    Request::post("/validate/mcpserver?timeout=1s")
        .body(body)
        .unwrap()
}

async fn ask(limited: Limited, request: Request) -> (StatusCode, Value) {
    let router = routes(Arc::new(limited));
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, MAX_BODY_BYTES).await.unwrap();
    (
        parts.status,
        serde_json::from_slice(&body).unwrap_or_default(),
    )
}

#[tokio::test]
async fn a_review_is_answered_and_anything_else_is_none() {
    let (status, answer) = ask(limited(), request(Body::from(review()))).await;
    assert_eq!(
        (status, &answer["response"]["allowed"]),
        (StatusCode::OK, &json!(true))
    );
    let (status, _) = ask(limited(), request(Body::from("garbage"))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read() {
    let mut said = request(Body::from_stream(stream::pending::<
        Result<Vec<u8>, std::io::Error>,
    >()));
    let length = (MAX_BODY_BYTES + 1).to_string().parse().unwrap();
    said.headers_mut().insert(header::CONTENT_LENGTH, length);
    assert_eq!(ask(limited(), said).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let unsaid = request(Body::from_stream(stream::repeat_with(|| {
        Ok::<_, std::io::Error>(vec![b' '; 1 << 20])
    })));
    assert_eq!(
        ask(limited(), unsaid).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_ends_with_the_requests_time() {
    let slow = request(Body::from_stream(stream::pending::<
        Result<Vec<u8>, std::io::Error>,
    >()));
    let began = Instant::now();
    assert_eq!(ask(limited(), slow).await.0, StatusCode::REQUEST_TIMEOUT);
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn too_many_at_once_are_sent_away() {
    let full = Limited {
        requests: Semaphore::new(0),
        ..limited()
    };
    let (status, _) = ask(full, request(Body::from(review()))).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let without_memory = Limited {
        body_memory: Semaphore::new(0),
        ..limited()
    };
    let (status, _) = ask(without_memory, request(Body::from(review()))).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_judged_in_time_says_so_in_time() {
    let busy = Limited {
        active: Semaphore::new(0),
        ..limited()
    };
    let began = Instant::now();
    let (status, answer) = ask(busy, request(Body::from(review()))).await;
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["response"]["status"]["code"], 504);
}

#[test]
fn the_api_servers_patience_bounds_the_time() {
    assert_eq!(time_limit(Some("timeout=5s")), Duration::from_millis(4750));
    assert_eq!(
        time_limit(Some("a=b&timeout=30s")),
        Duration::from_millis(29_750)
    );
    assert_eq!(time_limit(None), Duration::from_millis(9750));
    assert_eq!(
        time_limit(Some("timeout=soon")),
        Duration::from_millis(9750)
    );
}
