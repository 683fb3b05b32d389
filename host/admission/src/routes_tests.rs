use axum::body::to_bytes;
use futures::future::{BoxFuture, FutureExt, ready};
use futures::stream;
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_operator_metrics::{Format, Metrics};
use mcp_operator_policy::{
    NamespaceFacts, NamespaceLookup, NoStoredServers, Snapshot, Snapshots, UnavailablePlugin,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
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
    limited_by(Snapshots::fixed(Snapshot::default()))
}

fn limited_by(snapshots: Snapshots) -> Limited {
    Limited::new(state(snapshots), AdmissionMetrics::default())
}

pub(crate) fn state(snapshots: Snapshots) -> AdmissionState {
    AdmissionState {
        snapshots,
        namespaces: Arc::new(NoNamespaces),
        servers: Arc::new(NoStoredServers),
        build: mcp_operator_core::build::Settings::default(),
        operator_namespace: Some("mcp-operator-system".to_owned()),
        trace_id: || None,
    }
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

/// What the counter of requests says after these were asked, without its zeros.
async fn counted(requests: Vec<Request>, snapshots: Snapshots) -> Vec<String> {
    let metrics = Metrics::new("1.0.0");
    let limited = Arc::new(Limited::new(state(snapshots), metrics.admission()));
    for request in requests {
        routes(limited.clone()).oneshot(request).await.unwrap();
    }
    let text = metrics.encode(Format::OpenMetrics);
    let series = text
        .lines()
        .filter_map(|line| line.strip_prefix("mcp_operator_admission_requests_total"));
    series.map(str::to_owned).collect()
}

#[tokio::test]
async fn every_answer_is_counted_by_its_verdict_and_code() {
    let allowing = || Snapshots::fixed(Snapshot::default());
    let allowed = counted(vec![request(Body::from(review()))], allowing()).await;
    assert_eq!(
        allowed,
        [r#"{webhook="validate_mcpserver",verdict="allowed",code="200"} 1"#]
    );
    let garbage = counted(vec![request(Body::from("garbage"))], allowing()).await;
    assert_eq!(
        garbage,
        [r#"{webhook="validate_mcpserver",verdict="rejected",code="400"} 1"#]
    );
    let mutate = || {
        let request = Request::post("/mutate/mcpserver");
        request.body(Body::from(review())).unwrap()
    };
    let undecided = counted(vec![mutate(), mutate()], Snapshots::channel().1).await;
    assert_eq!(
        undecided,
        [r#"{webhook="mutate_mcpserver",verdict="undecided",code="503"} 2"#]
    );
    // The operator's own rule is about where the gateway may be sent to.
    let mut internal: Value = serde_json::from_str(&review()).unwrap();
    internal["request"]["object"]["spec"] = json!({ "remote": { "url": "https://10.0.0.1/mcp" } });
    let denied = counted(vec![request(Body::from(internal.to_string()))], allowing());
    assert_eq!(
        denied.await,
        [r#"{webhook="validate_mcpserver",verdict="denied",code="422"} 1"#]
    );
    let large = "x".repeat(2 * MAX_OBJECT_BYTES);
    let mut large_review: Value = serde_json::from_str(&review()).unwrap();
    large_review["request"]["object"]["spec"]["config"] = json!({ "a": large });
    let too_large = counted(
        vec![request(Body::from(large_review.to_string()))],
        allowing(),
    );
    assert_eq!(
        too_large.await,
        [r#"{webhook="validate_mcpserver",verdict="denied",code="413"} 1"#]
    );
}

async fn ask_at(path: &str, snapshots: Snapshots, review: String) -> Value {
    let request = Request::post(path).body(Body::from(review)).unwrap();
    let (status, answer) = ask(limited_by(snapshots), request).await;
    assert_eq!(status, StatusCode::OK);
    answer["response"].clone()
}

/// At a bare address, nothing keeps the API server from asking before the operator is ready.
#[tokio::test]
async fn nothing_is_admitted_before_all_plugins_were_tried() {
    for path in ["/validate/mcpserver", "/mutate/mcpserver"] {
        let answer = ask_at(path, Snapshots::channel().1, review()).await;
        assert_eq!(answer["allowed"], false, "{path}");
        assert_eq!(answer["status"]["code"], 503);
        assert_eq!(answer["status"]["reason"], "ServiceUnavailable");
        let message = answer["status"]["message"].as_str().unwrap();
        assert!(
            message.contains("has not loaded all plugins yet"),
            "{message}"
        );
        let mut deleting: Value = serde_json::from_str(&review()).unwrap();
        deleting["request"]["operation"] = json!("UPDATE");
        deleting["request"]["object"]["metadata"]["deletionTimestamp"] =
            json!("2026-01-01T00:00:00Z");
        let answer = ask_at(path, Snapshots::channel().1, deleting.to_string()).await;
        assert_eq!(answer["allowed"], true, "what is leaving may go");
    }
}

fn plugin(spec: &Value) -> McpPlugin {
    serde_json::from_value(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": "rule" }, "spec": spec,
    }))
    .unwrap()
}

#[tokio::test]
async fn a_plugin_that_is_not_loaded_refuses_servers_by_its_name_and_no_plugins() {
    let rule = plugin(&json!({ "source": { "builtin": "rule" } }));
    let missing = || {
        let missing = vec![UnavailablePlugin::new(&rule, None)];
        Snapshots::fixed(Snapshot::with_unavailable(Vec::new(), missing, true))
    };
    let mut readable: Value = serde_json::from_str(&review()).unwrap();
    readable["request"]["object"]["spec"] =
        json!({ "image": { "repository": "acme/mcp", "tag": "1" } });
    for path in ["/validate/mcpserver", "/mutate/mcpserver"] {
        let answer = ask_at(path, missing(), readable.to_string()).await;
        assert_eq!(answer["allowed"], false, "{path}");
        assert_eq!(
            answer["status"]["message"],
            "the request may be in order, but could not be judged: plugin rule is not loaded yet: try again in a moment"
        );
    }
    for snapshots in [missing(), Snapshots::channel().1] {
        let answer = ask_at("/validate/mcpplugin", snapshots, review()).await;
        assert_eq!(answer["allowed"], true, "it must be possible to mend it");
    }
}

#[tokio::test]
async fn a_rule_that_labels_can_evade_is_warned_of() {
    let selector = json!({ "matchLabels": { "team": "a" } });
    for (spec, warned) in [
        (json!({ "match": { "objectSelector": selector } }), true),
        (
            json!({ "match": { "objectSelector": { "matchExpressions": [{ "key": "team", "operator": "Exists" }] } } }),
            true,
        ),
        (
            json!({ "match": { "objectSelector": selector }, "mode": "audit" }),
            false,
        ),
        (json!({ "match": { "objectSelector": {} } }), false),
        (json!({ "match": { "namespaceSelector": selector } }), false),
    ] {
        let mut asked: Value = serde_json::from_str(&review()).unwrap();
        let mut object = json!({ "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": "rule" } });
        object["spec"] = spec.clone();
        object["spec"]["source"] = json!({ "builtin": "validation" });
        asked["request"]["object"] = object;
        let answer = ask_at(
            "/validate/mcpplugin",
            Snapshots::channel().1,
            asked.to_string(),
        )
        .await;
        assert_eq!(answer["allowed"], true);
        let warnings = answer["warnings"].as_array().cloned().unwrap_or_default();
        let found = warnings
            .iter()
            .filter(|text| {
                text.as_str()
                    .unwrap()
                    .starts_with("spec.match.objectSelector: ")
            })
            .count();
        assert_eq!(found, usize::from(warned), "{spec}: {warnings:?}");
    }
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

/// A review with an object of about so many bytes.
fn large(operation: &str, bytes: usize) -> Body {
    let mut review: Value = serde_json::from_str(&review()).unwrap();
    review["request"]["operation"] = json!(operation);
    review["request"]["object"]["spec"] = json!({ "config": { "a": "x".repeat(bytes) } });
    Body::from(review.to_string())
}

#[tokio::test]
async fn an_object_that_could_not_be_stored_is_refused_before_it_is_read() {
    for (operation, bytes) in [
        ("CREATE", MAX_OBJECT_BYTES + REVIEW_BYTES),
        ("CREATE", 3 << 20),
        ("UPDATE", MAX_OBJECT_BYTES * 2 + REVIEW_BYTES),
    ] {
        let (status, answer) = ask(limited(), request(large(operation, bytes))).await;
        assert_eq!(status, StatusCode::OK);
        let answer = &answer["response"];
        assert_eq!(
            (&answer["uid"], &answer["allowed"]),
            (&json!("1"), &json!(false))
        );
        assert_eq!(answer["status"]["code"], 413);
        let message = answer["status"]["message"].as_str().unwrap();
        assert!(message.contains("1572864 bytes of JSON"), "{message}");
    }
    for (operation, bytes) in [
        ("CREATE", MAX_OBJECT_BYTES),
        ("UPDATE", MAX_OBJECT_BYTES * 2),
    ] {
        // How long judging takes is not what this is about.
        let request = Request::post("/validate/mcpplugin").body(large(operation, bytes));
        let (_, answer) = ask(limited(), request.unwrap()).await;
        assert_eq!(answer["response"]["allowed"], true, "{operation}");
    }
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

/// A request to a router that listens on loopback: its head, with a body of this length announced.
async fn begin(address: std::net::SocketAddr, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /validate/mcpserver?timeout=30s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// The announced bodies would be all the memory that there is.
#[tokio::test]
async fn slow_bodies_do_not_hold_up_a_quick_one_and_are_ended() {
    let limited = Arc::new(limited());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(axum::serve(listener, routes(limited.clone())).into_future());
    let mut slow = Vec::new();
    for _ in 0..BODY_MEMORY.div_ceil(MAX_BODY_BYTES) {
        let mut stream = begin(address, MAX_BODY_BYTES).await;
        stream.write_all(b" ").await.unwrap();
        slow.push(stream);
    }
    // All of them are being read.
    while limited.requests.total() < slow.len() {
        tokio::task::yield_now().await;
    }
    let mut quick = begin(address, review().len()).await;
    quick.write_all(review().as_bytes()).await.unwrap();
    let mut answer = String::new();
    let answered = timeout(Duration::from_secs(3), quick.read_to_string(&mut answer));
    answered.await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for mut stream in slow {
        let mut answer = String::new();
        let ended = timeout(BODY_TIMEOUT, stream.read_to_string(&mut answer));
        ended.await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    serving.abort();
}

/// However much of it has come, it holds memory for no longer than a window without bytes.
#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_gives_its_memory_back_soon() {
    let much = Ok::<_, std::io::Error>(vec![b' '; 1 << 20]);
    let body = stream::iter([much]).chain(stream::pending());
    let request = Request::post("/validate/mcpserver?timeout=10s")
        .body(Body::from_stream(body))
        .unwrap();
    let limited = Arc::new(limited());
    let began = Instant::now();
    let answer = routes(limited.clone()).oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    assert!(began.elapsed() < Duration::from_millis(1500));
    assert_eq!(limited.body_memory.total(), 0);
}

/// Whoever sends requests that do not end, on whatever number of connections, leaves room for a peer that asks anew.
#[tokio::test(start_paused = true)]
async fn one_peer_cannot_take_all_requests_and_memory() {
    let from = |last: u8, body: Body| {
        let mut request = request(body);
        let peer = Peer::new([127, 0, 0, last].into());
        request.extensions_mut().insert(peer);
        request
    };
    let limited = Arc::new(limited());
    let mut stalled = tokio::task::JoinSet::new();
    for _ in 0..MAX_ACTIVE + MAX_QUEUED {
        let much = Ok::<_, std::io::Error>(vec![b' '; 1 << 20]);
        let body = stream::iter([much]).chain(stream::pending());
        stalled.spawn(routes(limited.clone()).oneshot(from(2, Body::from_stream(body))));
    }
    // A peer alone has half.
    let (requests, memory) = (MAX_ACTIVE + MAX_QUEUED, BODY_MEMORY / MEMORY_UNIT);
    while limited.requests.total() < requests / 2 || limited.body_memory.total() < memory / 2 {
        tokio::task::yield_now().await;
    }
    let answer = routes(limited.clone())
        .oneshot(from(3, Body::from(review())))
        .await;
    assert_eq!(answer.unwrap().status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn too_many_at_once_are_sent_away() {
    let full = Limited {
        requests: PeerShares::new(0),
        ..limited()
    };
    let (status, _) = ask(full, request(Body::from(review()))).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let without_memory = Limited {
        body_memory: PeerShares::new(0),
        ..limited()
    };
    let (status, _) = ask(without_memory, request(Body::from(review()))).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_judged_in_time_says_so_in_time() {
    let busy = Limited {
        active: PeerShares::new(0),
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
        Duration::from_millis(9750),
        "the caller's word is not taken for more than 10 s"
    );
    assert_eq!(time_limit(None), Duration::from_millis(9750));
    assert_eq!(
        time_limit(Some("timeout=soon")),
        Duration::from_millis(9750)
    );
}

/// Who reads an object gets it, whatever rules there are.
#[tokio::test]
async fn objects_are_converted_while_no_plugin_is_loaded() {
    let object =
        json!({ "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "spec": {} });
    let review = |desired: &str| {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview",
            "request": { "uid": "1", "desiredAPIVersion": desired, "objects": [object] },
        })
    };
    let convert = |body: String| Request::post("/convert").body(Body::from(body)).unwrap();
    let limited = || limited_by(Snapshots::channel().1);
    let beta = review("mcp.litellm.ai/v1beta1").to_string();
    let (_, answer) = ask(limited(), convert(beta)).await;
    assert_eq!(answer["kind"], "ConversionReview");
    assert_eq!(answer["response"]["uid"], "1");
    let converted = &answer["response"]["convertedObjects"][0];
    assert_eq!(converted["apiVersion"], "mcp.litellm.ai/v1beta1");

    let requests = ["mcp.litellm.ai/v1beta1", "mcp.litellm.ai/v2"].map(review);
    let requests = requests.map(|review| convert(review.to_string()));
    let requests = requests.into_iter().chain([convert("garbage".into())]);
    let mut counted = counted(requests.collect(), Snapshots::channel().1).await;
    counted.sort();
    assert_eq!(
        counted,
        [
            r#"{webhook="convert_mcpserver",verdict="allowed",code="200"} 1"#,
            r#"{webhook="convert_mcpserver",verdict="denied",code="422"} 1"#,
            r#"{webhook="convert_mcpserver",verdict="rejected",code="400"} 1"#,
        ]
    );
    let (status, _) = ask(limited(), convert(" ".repeat(MAX_BODY_BYTES + 1))).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}
