//! A small MCP server: streamable HTTP at `/mcp`, `/health`, `/ready` and `/metrics`.
//!
//! Environment: `PORT` (8080), `READY_AFTER_SECONDS` (0), `TOKEN` (none): who does not send it as a bearer token is not let
//! in to `/mcp`.

mod tools;

use std::env;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tools::Tools;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let port: u16 = number("PORT", 8080)?;
    let ready_after = Duration::from_secs(number("READY_AFTER_SECONDS", 0)?);
    let stop = CancellationToken::new();
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        .await
        .with_context(|| format!("cannot listen on port {port}"))?;
    eprintln!("listening on port {port}");
    let stopping = stop.clone();
    tokio::spawn(async move {
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            terminate.recv().await;
        }
        stopping.cancel();
    });
    let router = router(ready_after, stop.clone());
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await
        .context("the server failed")
}

fn router(ready_after: Duration, stop: CancellationToken) -> Router {
    // Clients reach it by the name of its Service, which only the cluster knows.
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .with_cancellation_token(stop);
    let mcp = StreamableHttpService::new(
        || Ok(Tools::default()),
        Arc::<LocalSessionManager>::default(),
        config,
    );
    let began = Instant::now();
    let ready = move || async move {
        if began.elapsed() >= ready_after {
            (StatusCode::OK, "ready")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "starting")
        }
    };
    Router::new()
        .nest_service("/mcp", mcp)
        .layer(from_fn(authenticate))
        .route("/health", get(|| async { "ok" }))
        .route("/ready", get(ready))
        .route("/metrics", get(tools::metrics))
}

async fn authenticate(request: Request, next: Next) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION);
    match env::var("TOKEN") {
        Ok(token) if sent.is_none_or(|sent| sent != format!("Bearer {token}").as_str()) => {
            StatusCode::UNAUTHORIZED.into_response()
        }
        _ => next.run(request).await,
    }
}

fn number<T: std::str::FromStr>(variable: &str, default: T) -> Result<T> {
    match env::var(variable) {
        Ok(text) => text
            .parse()
            .ok()
            .with_context(|| format!("{variable}={text} is no number")),
        Err(_) => Ok(default),
    }
}
