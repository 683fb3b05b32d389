//! The HTTPS listener: every connection a task of its own, all of them finished before the end, and no peer with so many of
//! them that others find none.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Router, middleware};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::connection::{Connection, IDLE, track};
use crate::peer_shares::{Peer, PeerShares};

/// For a handshake, for the headers of a request, and for all answers after the shutdown: a client that is slower than
/// this is not the API server.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections of all peers together; one peer alone has half. A process may have 1024 files open unless somebody allows it
/// more. An API server speaks HTTP/1.1 to webhooks: it has as many connections as it has requests to MCPServers at the same
/// time, which share its 600 places with everything else, and a few idle ones.
const CONNECTIONS: usize = 896;
/// Requests at once of one connection of HTTP/2; a client with more of them makes another connection.
const STREAMS: u32 = 64;
/// What is read ahead of a connection and not judged yet, headers included.
const READ_AHEAD: u32 = 64 << 10;
/// The headers of a request of HTTP/2.
const HEADERS: u32 = 16 << 10;
/// How often the log says that somebody has too many connections.
const WARN_INTERVAL: Duration = Duration::from_mins(1);
/// What a client has for the rest of its handshake after the shutdown.
const HANDSHAKE_GRACE: Duration = Duration::from_secs(1);

/// How a listener ends without losing a request.
#[derive(Clone, Default)]
pub struct Drain {
    /// From then on each answer of HTTP/1.1 says that it is the last one of its connection.
    pub announced: CancellationToken,
    /// From then on no connection is accepted, and those of HTTP/2 end.
    pub shutdown: CancellationToken,
    /// How long connections of HTTP/1.1 on which nothing is asked stay after that. Were they closed at once, a request could be
    /// on its way on one of them, which nobody sends again.
    pub idle_grace: Duration,
}

/// Serves until it is drained: until the requests that are here are answered. Each connection begins with what `tls` says at
/// that time.
pub async fn serve(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    router: Router,
    drain: Drain,
) {
    serve_shared(listener, tls, router, drain, PeerShares::new(CONNECTIONS)).await;
}

/// The next connection. An answer goes at once: otherwise the end of one can wait until the API server has acknowledged its
/// beginning, which that does after 40 ms.
async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, address) = listener.accept().await?;
    // Only a connection that is closed already does not take it.
    let _ = stream.set_nodelay(true);
    Ok((stream, address))
}

async fn serve_shared(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    router: Router,
    drain: Drain,
    shares: Arc<PeerShares>,
) {
    let connections = TaskTracker::new();
    let mut warned: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = drain.shutdown.cancelled() => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors: others will be closed.
                warn!(%error, "connection not accepted");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let peer = Peer::new(address.ip());
        let Some(share) = shares.try_take(peer, 1) else {
            // The newest is refused: what others wait for an answer on stays.
            if warned.is_none_or(|at| at.elapsed() > WARN_INTERVAL) {
                warn!(peer = %address.ip(), "too many connections: refused");
                warned = Some(Instant::now());
            }
            continue;
        };
        let acceptor = TlsAcceptor::from(tls.borrow().clone());
        let serving = serve_connection(stream, peer, acceptor, router.clone(), drain.clone());
        connections.spawn(async move {
            serving.await;
            drop(share);
        });
    }
    drop(listener);
    connections.close();
    let patience = drain.idle_grace + CLIENT_TIMEOUT;
    if timeout(patience, connections.wait()).await.is_err() {
        warn!(connections = connections.len(), "not answered in time");
    }
}

async fn serve_connection(
    stream: TcpStream,
    peer: Peer,
    acceptor: TlsAcceptor,
    router: Router,
    drain: Drain,
) {
    let connection = Connection::new(peer, drain.announced.clone());
    let handshake = tokio::select! {
        handshake = timeout(CLIENT_TIMEOUT, acceptor.accept(stream)) => handshake,
        () = after(&drain.shutdown, HANDSHAKE_GRACE) => return,
    };
    let stream = match handshake {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return debug!(%error, "no TLS"),
        Err(_) => return debug!("no TLS in time"),
    };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    serve_stream(stream, is_http2, &connection, router, &drain).await;
}

/// Serves what comes out of TLS.
pub(crate) async fn serve_stream(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    is_http2: bool,
    connection: &Arc<Connection>,
    router: Router,
    drain: &Drain,
) {
    let router = router.layer(middleware::from_fn_with_state(connection.clone(), track));
    let builder = builder();
    let service = TowerToHyperService::new(router);
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = end_of(connection, is_http2, drain) => {
            // An idle connection ends now, another one after its answers.
            served.as_mut().graceful_shutdown();
            match timeout(CLIENT_TIMEOUT, served).await {
                Ok(ended) => ended,
                Err(_) => return debug!("connection did not end"),
            }
        }
    };
    if let Err(error) = ended {
        debug!(%error, "connection ended");
    }
}

/// What bounds a connection for hyper.
fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // It runs while nothing is asked, too.
        .header_read_timeout(IDLE)
        .max_buf_size(READ_AHEAD as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(CLIENT_TIMEOUT))
        .keep_alive_timeout(CLIENT_TIMEOUT)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(READ_AHEAD)
        .initial_connection_window_size(READ_AHEAD)
        .max_header_list_size(HEADERS);
    builder
}

/// Waits until the connection has to end.
async fn end_of(connection: &Connection, is_http2: bool, drain: &Drain) {
    // Of HTTP/2 the other side is told, and sends elsewhere what it had sent too late.
    let grace = if is_http2 {
        Duration::ZERO
    } else {
        drain.idle_grace
    };
    tokio::select! {
        () = after(&drain.shutdown, grace) => {}
        () = connection.idle() => {}
        () = connection.old(is_http2) => {}
    }
}

async fn after(shutdown: &CancellationToken, pause: Duration) {
    shutdown.cancelled().await;
    sleep(pause).await;
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use rustls::crypto::ring;
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use tokio::sync::Notify;

    use super::*;

    /// A certificate for `localhost`, in PEM, and what serves with it.
    fn certificate() -> (String, watch::Receiver<Arc<ServerConfig>>) {
        // Fails only if there is one already, which is then the same.
        let _ = ring::default_provider().install_default();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let mut tls = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        (made.cert.pem(), watch::channel(Arc::new(tls)).1)
    }

    #[tokio::test]
    async fn answers_do_not_wait_for_acknowledgements() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, client) = tokio::join!(accept(&listener), TcpStream::connect(address));
        client.unwrap();
        assert!(accepted.unwrap().0.nodelay().unwrap());
    }

    /// Somebody who only connects must not keep others from being answered, or the program from ending.
    #[tokio::test]
    async fn what_is_being_answered_at_the_end_is_answered() {
        let (pem, tls) = certificate();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let drain = Drain::default();
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
        let serving = tokio::spawn(serve(listener, tls, slow, drain.clone()));
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
        drain.shutdown.cancel();
        // Nobody new is accepted while what is going on ends.
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
        released.notify_one();
        assert_eq!(asked.await.unwrap().unwrap(), "answered");
        timeout(CLIENT_TIMEOUT / 2, serving).await.unwrap().unwrap();
        assert!(client.get(url).send().await.is_err(), "nobody listens");
    }

    /// An API server speaks HTTP/1.1, keeps connections for 90 s, and sends nothing again: whatever it sends on one of them
    /// must be answered, and each answer has it open the next one elsewhere.
    #[tokio::test]
    async fn a_connection_of_http1_is_closed_by_an_answer_and_not_while_it_is_idle() {
        let (pem, tls) = certificate();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let drain = Drain {
            idle_grace: CLIENT_TIMEOUT,
            ..Drain::default()
        };
        let router = Router::new().route("/", get(|| async { "answered" }));
        let serving = tokio::spawn(serve(listener, tls, router, drain.clone()));
        let url = format!("https://localhost:{}/", address.port());
        let client = || {
            reqwest::Client::builder()
                .add_root_certificate(reqwest::Certificate::from_pem(pem.as_bytes()).unwrap())
                .resolve("localhost", address)
                .http1_only()
                .build()
                .unwrap()
        };
        let is_last = async |client: &reqwest::Client| {
            let answer = client.get(&url).send().await.unwrap();
            let is_last = answer
                .headers()
                .get("connection")
                .is_some_and(|it| it == "close");
            assert_eq!(answer.text().await.unwrap(), "answered");
            is_last
        };
        let (busy, idle) = (client(), client());
        assert!(!is_last(&busy).await && !is_last(&idle).await);
        drain.announced.cancel();
        assert!(is_last(&busy).await, "and a new one, which is taken still");
        assert!(is_last(&busy).await);
        drain.shutdown.cancel();
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
        // The connection of before: there is no other one.
        assert!(is_last(&idle).await);
        timeout(CLIENT_TIMEOUT / 2, serving).await.unwrap().unwrap();
    }

    /// A client whose connections come from this address of loopback.
    fn client_from(last: u8, pem: &str, address: std::net::SocketAddr) -> reqwest::Client {
        reqwest::Client::builder()
            .add_root_certificate(reqwest::Certificate::from_pem(pem.as_bytes()).unwrap())
            .resolve("localhost", address)
            .local_address(std::net::IpAddr::from([127, 0, 0, last]))
            .build()
            .unwrap()
    }

    #[tokio::test]
    async fn a_peer_with_many_connections_and_streams_leaves_room_for_another() {
        let (pem, tls) = certificate();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let drain = Drain::default();
        let router = Router::new()
            .route("/stalled", get(std::future::pending::<&str>))
            .route("/", get(|| async { "answered" }));
        let shares = PeerShares::new(64);
        let serving = serve_shared(listener, tls, router, drain, shares.clone());
        let serving = tokio::spawn(serving);
        let url = |path: &str| format!("https://localhost:{}{path}", address.port());

        let attacker = client_from(2, &pem, address);
        let mut stalled = tokio::task::JoinSet::new();
        for _ in 0..STREAMS * 2 {
            stalled.spawn(attacker.get(url("/stalled")).send());
        }
        let mut held = Vec::new();
        // Refused is who finds the end of the stream at once.
        for _ in 0..64 {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
            held.push(socket.connect(address).await.unwrap());
        }
        let mut byte = [0];
        let newest = held.last_mut().unwrap();
        let read = tokio::io::AsyncReadExt::read(newest, &mut byte);
        let read = timeout(Duration::from_secs(5), read).await.unwrap();
        assert!(matches!(read, Ok(0) | Err(_)), "the newest is refused");

        assert_eq!(shares.total(), 32);

        let asked = client_from(3, &pem, address).get(url("/")).send();
        let answer = timeout(Duration::from_secs(5), asked).await.unwrap();
        assert_eq!(answer.unwrap().text().await.unwrap(), "answered");
        stalled.abort_all();
        serving.abort();
    }
}
