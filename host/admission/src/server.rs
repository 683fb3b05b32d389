//! The HTTPS listener: every connection a task of its own, all of them finished before the end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// For a handshake, for the headers of a request, and for all answers after the shutdown: a client that is slower than
/// this is not the API server.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// What a client has for the rest of its handshake after the shutdown.
const HANDSHAKE_GRACE: Duration = Duration::from_secs(1);

/// Streams of a connection at once. The API server opens another connection, or waits, where it has more requests.
const MAX_STREAMS: u32 = 256;
/// Bytes of one stream that are on their way or not read yet.
const STREAM_WINDOW: u32 = 64 << 10;
/// The same of a connection. The API server sends all its requests over one: as much as all streams together can have, so that
/// large bodies that wait to be read leave room for small ones.
const CONNECTION_WINDOW: u32 = MAX_STREAMS * STREAM_WINDOW;

/// Serves until `shutdown`, then waits until the requests that are here are answered.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    router: Router,
    shutdown: CancellationToken,
) {
    let acceptor = TlsAcceptor::from(tls);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(serve_connection(
                    stream,
                    acceptor.clone(),
                    router.clone(),
                    shutdown.clone(),
                ));
            }
            Err(error) => {
                // Out of file descriptors: others will be closed.
                warn!(%error, "connection not accepted");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if timeout(CLIENT_TIMEOUT, connections.wait()).await.is_err() {
        warn!(connections = connections.len(), "not answered in time");
    }
}

async fn serve_connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    router: Router,
    shutdown: CancellationToken,
) {
    let handshake = tokio::select! {
        handshake = timeout(CLIENT_TIMEOUT, acceptor.accept(stream)) => handshake,
        () = after(&shutdown, HANDSHAKE_GRACE) => return,
    };
    let stream = match handshake {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return debug!(%error, "no TLS"),
        Err(_) => return debug!("no TLS in time"),
    };
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(CLIENT_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(Some(CLIENT_TIMEOUT));
    let mut connection =
        pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            // An idle connection ends now, another one after its answers.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "connection ended");
    }
}

async fn after(shutdown: &CancellationToken, pause: Duration) {
    shutdown.cancelled().await;
    sleep(pause).await;
}

#[cfg(test)]
mod tests {
    use axum::extract::Request;
    use axum::routing::{get, post};
    use rustls::crypto::ring;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore};
    use tokio::sync::Notify;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;

    use super::*;

    /// A certificate for `localhost`, in PEM, and what serves with it.
    fn certificate() -> (String, Arc<ServerConfig>) {
        // Fails only if there is one already, which is then the same.
        let _ = ring::default_provider().install_default();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let tls = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        (made.cert.pem(), Arc::new(tls))
    }

    /// Somebody who only connects must not keep others from being answered, or the program from ending.
    #[tokio::test]
    async fn what_is_being_answered_at_the_end_is_answered() {
        let (pem, tls) = certificate();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let (begun, released) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = {
            let (begun, released) = (begun.clone(), released.clone());
            || async move {
                begun.notify_one();
                released.notified().await;
                "answered"
            }
        };
        let slow = Router::new().route("/", get(handler));
        let serving = tokio::spawn(serve(listener, tls, slow, shutdown.clone()));
        let _pending_handshake = TcpStream::connect(address).await.unwrap();
        let client = reqwest::Client::builder()
            .add_root_certificate(reqwest::Certificate::from_pem(pem.as_bytes()).unwrap())
            .resolve("localhost", address)
            .build()
            .unwrap();
        let url = format!("https://localhost:{}/", address.port());
        let asked = tokio::spawn({
            let (client, url) = (client.clone(), url.clone());
            async move { client.get(url).send().await?.text().await }
        });
        begun.notified().await;
        shutdown.cancel();
        // Nobody new is accepted while what is going on ends.
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
        released.notify_one();
        assert_eq!(asked.await.unwrap().unwrap(), "answered");
        timeout(CLIENT_TIMEOUT / 2, serving).await.unwrap().unwrap();
        assert!(client.get(url).send().await.is_err(), "nobody listens");
    }

    /// The API server has one connection for the requests of all teams: bodies that nobody reads must not fill it.
    #[tokio::test]
    async fn bodies_that_wait_to_be_read_hold_up_no_other_request_of_the_connection() {
        let (pem, tls) = certificate();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let unread = |request: Request| async move {
            let _unread = request;
            std::future::pending::<()>().await;
        };
        let router = Router::new()
            .route("/unread", post(unread))
            .route("/read", post(|body: String| async move { body }));
        tokio::spawn(serve(listener, tls, router, shutdown.clone()));

        let stream = TcpStream::connect(address).await.unwrap();
        let (mut client, connection) = h2::client::handshake(trusting(&pem, stream).await)
            .await
            .unwrap();
        tokio::spawn(connection);
        let mut streams = Vec::new();
        for _ in 0..8 {
            let (response, mut body) = client.send_request(post_to("/unread"), false).unwrap();
            body.send_data(vec![b'a'; 1 << 20].into(), true).unwrap();
            streams.push(response);
        }
        let (response, mut body) = client.send_request(post_to("/read"), false).unwrap();
        body.send_data("a small one".into(), true).unwrap();
        let answer = timeout(CLIENT_TIMEOUT, response).await.unwrap().unwrap();
        assert_eq!(answer.status(), 200);
    }

    fn post_to(path: &str) -> axum::http::Request<()> {
        axum::http::Request::post(format!("https://localhost{path}"))
            .body(())
            .unwrap()
    }

    async fn trusting(pem: &str, stream: TcpStream) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
            .unwrap();
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let localhost = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(localhost, stream).await.unwrap()
    }
}
