use futures::stream;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};

use super::*;
use crate::namespaces::Namespaces;
use crate::plugins::{Snapshot, Snapshots};

fn load() -> Load {
    Load::new(State {
        snapshots: Snapshots::fixed(Snapshot::default()),
        namespaces: Namespaces::fixed(Vec::new()),
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

async fn ask(load: Load, request: Request) -> (StatusCode, Value) {
    let service = TowerToHyperService::new(routes(Arc::new(load)));
    let (parts, body) = service.call(request).await.unwrap().into_parts();
    let body = to_bytes(body, LARGEST_BODY).await.unwrap();
    (
        parts.status,
        serde_json::from_slice(&body).unwrap_or_default(),
    )
}

#[tokio::test]
async fn a_review_is_answered_and_anything_else_is_none() {
    let (status, answer) = ask(load(), request(Body::from(review()))).await;
    assert_eq!(
        (status, &answer["response"]["allowed"]),
        (StatusCode::OK, &json!(true))
    );
    let (status, _) = ask(load(), request(Body::from("garbage"))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read() {
    let mut said = request(Body::from_stream(stream::pending::<
        Result<Vec<u8>, std::io::Error>,
    >()));
    let length = (LARGEST_BODY + 1).to_string().parse().unwrap();
    said.headers_mut().insert(header::CONTENT_LENGTH, length);
    assert_eq!(ask(load(), said).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let unsaid = request(Body::from_stream(stream::repeat_with(|| {
        Ok::<_, std::io::Error>(vec![b' '; 1 << 20])
    })));
    assert_eq!(ask(load(), unsaid).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_ends_with_the_requests_time() {
    let slow = request(Body::from_stream(stream::pending::<
        Result<Vec<u8>, std::io::Error>,
    >()));
    let began = Instant::now();
    assert_eq!(ask(load(), slow).await.0, StatusCode::REQUEST_TIMEOUT);
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn too_many_at_once_are_sent_away() {
    let full = Load {
        admitted: Semaphore::new(0),
        ..load()
    };
    let (status, _) = ask(full, request(Body::from(review()))).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let without_memory = Load {
        bodies: Semaphore::new(0),
        ..load()
    };
    let (status, _) = ask(without_memory, request(Body::from(review()))).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_judged_in_time_says_so_in_time() {
    let busy = Load {
        working: Semaphore::new(0),
        ..load()
    };
    let began = Instant::now();
    let (status, answer) = ask(busy, request(Body::from(review()))).await;
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["response"]["status"]["code"], 504);
}

#[test]
fn the_api_servers_patience_bounds_the_time() {
    assert_eq!(
        time_to_answer(Some("timeout=5s")),
        Duration::from_millis(4750)
    );
    assert_eq!(
        time_to_answer(Some("a=b&timeout=30s")),
        Duration::from_millis(29_750)
    );
    assert_eq!(time_to_answer(None), Duration::from_millis(9750));
    assert_eq!(
        time_to_answer(Some("timeout=soon")),
        Duration::from_millis(9750)
    );
}
