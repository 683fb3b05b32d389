//! Requests of registrars against a real HTTP server that does what a gateway should not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get};
use futures::StreamExt;
use futures::future::BoxFuture;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use mcp_operator_api::v1alpha1::{Connection, ConnectionAuth, ConnectionSecretKey};
use mcp_operator_connections::{
    Connections, ExchangeError, Purpose, RetryAfterGate, SecretLookup, Session,
};
use mcp_operator_core::registration_plan::{HttpRequest, HttpResponse};
use mcp_operator_core::retry::Classify;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// More than any list that makes sense, piece by piece and without saying so before.
async fn endless() -> Response {
    let piece = || futures::future::ready(Ok::<_, std::io::Error>(vec![b' '; 1 << 20]));
    Body::from_stream(
        futures::stream::repeat_with(piece)
            .take(64)
            .then(|piece| piece),
    )
    .into_response()
}

async fn echo(request: Request) -> String {
    format!(
        "{} {} {:?}",
        request.method(),
        request.uri(),
        request.headers()
    )
}

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_secs(30)).await;
    "late"
}

fn gateway() -> Router {
    let busy = || async {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().unwrap());
        (StatusCode::TOO_MANY_REQUESTS, headers, "later")
    };
    Router::new()
        .route("/echo", any(echo))
        .route("/elsewhere", get(|| async { Redirect::temporary("/echo") }))
        .route("/endless", get(endless))
        .route("/slow", get(slow))
        .route("/busy", get(busy))
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn plain() -> String {
    let (listener, address) = listener().await;
    tokio::spawn(async move { axum::serve(listener, gateway()).await });
    format!("http://{address}")
}

/// A cluster with one Secret.
struct OneSecret(&'static str);

impl SecretLookup for OneSecret {
    fn namespace(&self) -> &'static str {
        "mcp-operator-system"
    }

    fn secret<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>> {
        let secret = (name == "master").then(|| Secret {
            data: Some([("key".to_owned(), ByteString(self.0.into()))].into()),
            ..Secret::default()
        });
        Box::pin(futures::future::ready(Ok(secret)))
    }
}

async fn open(connection: Connection, gate: &RetryAfterGate) -> Session {
    let connections = Connections::new(&[connection]).unwrap();
    Session::open(&OneSecret("sk-secret"), &connections, gate).await
}

async fn send(
    connection: Connection,
    request: HttpRequest,
    purpose: Purpose,
) -> Result<HttpResponse, ExchangeError> {
    open(connection, &RetryAfterGate::default())
        .await
        .send(&request, purpose)
        .await
}

fn connection(base_url: String) -> Connection {
    Connection {
        name: "gateway".into(),
        base_url,
        timeout_milliseconds: Some(3000),
        ..Connection::default()
    }
}

fn request(method: &str, path: &str) -> HttpRequest {
    HttpRequest {
        connection: "gateway".into(),
        method: method.into(),
        path: path.into(),
        headers: vec![("x-trace".into(), "1".into())],
        body: (method != "GET").then(|| "{}".into()),
    }
}

async fn read(path: &str) -> Result<HttpResponse, ExchangeError> {
    send(
        connection(plain().await),
        request("GET", path),
        Purpose::Read,
    )
    .await
}

#[tokio::test]
async fn a_request_arrives_as_it_was_planned() {
    let sent = send(
        connection(plain().await),
        request("POST", "/echo?a=b"),
        Purpose::Change,
    )
    .await;
    let answer = sent.unwrap();
    assert_eq!(answer.status, 200);
    for part in [
        "POST /echo?a=b",
        r#""x-trace": "1""#,
        r#""content-type": "application/json""#,
        "mcp-operator/",
    ] {
        assert!(answer.body.contains(part), "{part} in {}", answer.body);
    }
    assert!(!answer.body.contains("authorization"));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    assert_eq!(read("/elsewhere").await.unwrap().status, 307);
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let error = read("/endless").await.unwrap_err();
    assert!(matches!(error, ExchangeError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_not_waited_for() {
    let error = read("/slow").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "connection gateway: no answer within 3000 ms"
    );
    assert_eq!(error.category(), "Timeout");
}

#[tokio::test]
async fn a_busy_gateway_says_when_it_wants_to_be_asked_again() {
    let answer = read("/busy").await.unwrap();
    assert_eq!(answer.status, 429);
    assert!(answer.headers.contains(&("retry-after".into(), "7".into())));
}

#[tokio::test]
async fn what_a_plugin_must_not_do_is_not_sent() {
    let sent = |method: &'static str, path: &'static str, purpose| async move {
        let sent = send(connection(plain().await), request(method, path), purpose).await;
        sent.unwrap_err().category()
    };
    assert_eq!(
        sent("POST", "/echo", Purpose::Read).await,
        "RequestForbidden"
    );
    assert_eq!(
        sent("GET", "/echo", Purpose::Change).await,
        "RequestForbidden"
    );
    assert_eq!(
        sent("CONNECT", "/echo", Purpose::Change).await,
        "RequestForbidden"
    );
    assert_eq!(
        sent("GET", "//elsewhere.test/", Purpose::Read).await,
        "RequestForbidden"
    );
    let other = HttpRequest {
        connection: "other".into(),
        ..request("GET", "/echo")
    };
    let error = send(connection(plain().await), other, Purpose::Read)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no connection other: add it to spec.connections")
    );
}

#[tokio::test]
async fn nobody_there_is_told_in_the_words_of_the_network() {
    let (listener, address) = listener().await;
    drop(listener);
    let sent = send(
        connection(format!("http://{address}")),
        request("GET", "/"),
        Purpose::Read,
    )
    .await;
    let error = sent.unwrap_err();
    assert_eq!(error.category(), "ConnectionFailed");
    assert!(error.to_string().contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn a_service_that_asks_for_a_pause_gets_no_further_request() {
    let gate = RetryAfterGate::default();
    let base_url = plain().await;
    let session = open(connection(base_url.clone()), &gate).await;
    assert_eq!(session.retry_after(), None);
    let busy = session.send(&request("GET", "/busy"), Purpose::Read).await;
    assert_eq!(busy.unwrap().status, 429);
    // Also over another session.
    let session = open(connection(base_url), &gate).await;
    let error = session.send(&request("GET", "/echo"), Purpose::Read).await;
    let error = error.unwrap_err();
    assert_eq!(error.category(), "TooManyRequests");
    assert!(
        session
            .retry_after()
            .is_some_and(|pause| pause > Duration::from_secs(5))
    );
}

#[tokio::test]
async fn the_credential_is_sent_and_never_shown() {
    let authenticated = |secret: &str| Connection {
        auth: Some(ConnectionAuth {
            secret_key_ref: ConnectionSecretKey {
                name: secret.into(),
                key: "key".into(),
            },
        }),
        ..connection(String::new())
    };
    let base_url = plain().await;
    let to = |connection: Connection| Connection {
        base_url: base_url.clone(),
        ..connection
    };
    let echoed = send(
        to(authenticated("master")),
        request("GET", "/echo"),
        Purpose::Read,
    )
    .await;
    let echoed = echoed.unwrap().body;
    // reqwest marks the header as sensitive, so the echo of the server is the proof that it was sent.
    assert!(
        echoed.contains(r#""authorization": "Bearer [redacted]""#),
        "{echoed}"
    );
    let error = send(
        to(authenticated("other")),
        request("GET", "/echo"),
        Purpose::Read,
    )
    .await;
    let error = error.unwrap_err();
    assert_eq!(error.category(), "CredentialUnavailable");
    assert_eq!(
        error.to_string(),
        "connection gateway: there is no Secret other in the operator's namespace mcp-operator-system: create it there, or correct spec.connections"
    );
}

/// The gateway behind TLS.
async fn serve_tls(listener: TcpListener, tls: rustls::ServerConfig) {
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let service = TowerToHyperService::new(gateway());
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, service) = (acceptor.clone(), service.clone());
        tokio::spawn(async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            }
        });
    }
}

#[tokio::test]
async fn a_certificate_is_trusted_by_the_authority_that_is_named() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let (ours, other) = (made("localhost"), made("localhost"));
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(ours.signing_key.serialize_der()));
    let tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![ours.cert.der().clone()], key)
        .unwrap();
    let (listener, address) = listener().await;
    tokio::spawn(serve_tls(listener, tls));
    let trusting = |authority: String| Connection {
        ca_bundle: Some(authority),
        ..connection(format!("https://localhost:{}", address.port()))
    };
    let trusted = send(
        trusting(ours.cert.pem()),
        request("GET", "/echo"),
        Purpose::Read,
    )
    .await;
    assert_eq!(trusted.unwrap().status, 200);
    let error = send(
        trusting(other.cert.pem()),
        request("GET", "/echo"),
        Purpose::Read,
    )
    .await
    .unwrap_err();
    assert_eq!(error.category(), "ConnectionFailed");
    assert!(error.to_string().contains("certificate"), "{error}");
}
