//! The HTTPS listener: every connection a task of its own, all of them finished before the end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// A client that is slower than this is not the API server.
const PATIENCE: Duration = Duration::from_secs(10);

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
    let connections = Arc::new(GracefulShutdown::new());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                tokio::spawn(connection(
                    stream,
                    acceptor.clone(),
                    router.clone(),
                    connections.clone(),
                ));
            }
            Err(error) => {
                // Out of file descriptors: others will be closed.
                warn!(%error, "connection not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let connections = Arc::into_inner(connections).context("a connection is still being made");
    if let Ok(connections) = connections {
        // What has not ended by now is a client that keeps an idle connection.
        let _ = timeout(PATIENCE, connections.shutdown()).await;
    }
    Ok(())
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    router: Router,
    connections: Arc<GracefulShutdown>,
) {
    let stream = match timeout(PATIENCE, acceptor.accept(stream)).await {
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
    let connection =
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let watched = connections.watch(connection.into_owned());
    drop(connections);
    if let Err(error) = watched.await {
        debug!(%error, "connection ended");
    }
}
