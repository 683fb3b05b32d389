//! What fuzz targets reach of this crate: parts that nobody else needs from outside.

use axum::Router;
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse};
use mcp_operator_core::admission::Decision;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::Connection;
use crate::peer_shares::Peer;
use crate::server::{self, Drain};
use crate::{heap_cost, review};

/// Bytes of memory that judging this body is charged.
pub fn heap_cost(body: &[u8]) -> usize {
    heap_cost::of(body)
}

/// Whether a body is the review of an update, as it is read where the object is passed over.
///
/// # Errors
/// What is wrong with it.
pub fn is_update(body: &[u8]) -> Result<bool, String> {
    review::head(body).map(|head| head.is_update())
}

/// The answer to a request, by what was decided.
pub fn respond(request: &AdmissionRequest<DynamicObject>, decision: Decision) -> AdmissionResponse {
    review::respond(request, decision)
}

/// Serves one connection as it comes out of TLS, until it ends.
pub async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
) {
    let drain = Drain::default();
    let connection = Connection::new(Peer::NONE, drain.announced.clone());
    server::serve_stream(stream, false, &connection, router, &drain).await;
}
