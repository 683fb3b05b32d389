//! The HTTPS listener: every connection a task of its own, all of them finished before the end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
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

/// A client that is slower than this is not the API server.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a client that has not finished its handshake gets when everything ends.
const LAST_HANDSHAKE: Duration = Duration::from_secs(1);

/// Serves until `shutdown`, then lets what is going on end.
///
/// # Errors
/// When the listener itself fails.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    router: Router,
    shutdown: CancellationToken,
) -> Result<()> {
    let acceptor = TlsAcceptor::from(tls);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(connection(
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
    if timeout(PATIENCE, connections.wait()).await.is_err() {
        warn!(connections = connections.len(), "not answered in time");
    }
    Ok(())
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    router: Router,
    shutdown: CancellationToken,
) {
    let handshake = tokio::select! {
        handshake = timeout(PATIENCE, acceptor.accept(stream)) => handshake,
        () = after(&shutdown, LAST_HANDSHAKE) => return,
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
        .header_read_timeout(PATIENCE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(PATIENCE));
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
    use axum::routing::get;
    use jiff::Timestamp;
    use tokio::sync::Notify;

    use super::*;
    use crate::webhook::{certificate, identity};

    /// Somebody who only connects must not keep others from being answered, or the program from ending.
    #[tokio::test]
    async fn what_is_being_answered_at_the_end_is_answered() {
        crate::telemetry::install_crypto();
        let bundle = certificate::issue(&["localhost".to_owned()], Timestamp::now()).unwrap();
        let tls = Arc::new(identity::tls(&bundle).unwrap());
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
            .add_root_certificate(reqwest::Certificate::from_pem(bundle.ca.as_bytes()).unwrap())
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
        timeout(PATIENCE / 2, serving)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert!(client.get(url).send().await.is_err(), "nobody listens");
    }
}
