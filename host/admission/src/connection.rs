//! One connection: what is asked on it, and for how long it stays.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Version, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::peer_shares::Peer;

/// For the first request after the handshake.
pub(crate) const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// Between two requests. The API server closes what it does not use after 90 s: were it this side that closes first, a
/// request could be on its way at that moment, and would be lost.
pub(crate) const IDLE: Duration = Duration::from_mins(2);
/// After this, a connection takes no further requests: another replica has its turn, and a client certificate is looked at
/// again.
pub(crate) const LIFE: Duration = Duration::from_mins(10);

/// One connection.
pub(crate) struct Connection {
    peer: Peer,
    accepted: Instant,
    activity: watch::Sender<Activity>,
    /// This replica ends: there are others.
    leaving: CancellationToken,
}

#[derive(Clone, Copy, Default)]
struct Activity {
    /// Requests without an answer.
    running: usize,
    /// Whether there ever was one.
    asked: bool,
}

impl Connection {
    pub(crate) fn new(peer: Peer, leaving: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            peer,
            leaving,
            accepted: Instant::now(),
            activity: watch::Sender::default(),
        })
    }

    /// Waits until nothing has been asked for longer than is allowed.
    pub(crate) async fn idle(&self) {
        let mut activity = self.activity.subscribe();
        loop {
            let now = *activity.borrow_and_update();
            let allowed = if now.asked { IDLE } else { FIRST_REQUEST };
            tokio::select! {
                // The sender is a part of this very connection.
                _ = activity.changed() => {}
                () = sleep(allowed), if now.running == 0 => return,
            }
        }
    }

    /// Waits until the connection has lived long enough. HTTP/2 ends without losing a request. In HTTP/1.1 only an answer can
    /// say that it is the last one ([`track`]), so that the end is forced much later.
    pub(crate) async fn old(&self, http2: bool) {
        let more = if http2 { Duration::ZERO } else { IDLE * 2 };
        sleep((LIFE + more).saturating_sub(self.accepted.elapsed())).await;
    }
}

/// A request that has no answer yet.
struct Running<'a>(&'a Connection);

impl<'a> Running<'a> {
    fn begin(connection: &'a Connection) -> Self {
        connection.activity.send_modify(|activity| {
            activity.running += 1;
            activity.asked = true;
        });
        Self(connection)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0
            .activity
            .send_modify(|activity| activity.running = activity.running.saturating_sub(1));
    }
}

/// Tells the routes who asks, and the client when it is the last time.
pub(crate) async fn track(
    State(connection): State<Arc<Connection>>,
    mut request: Request,
    next: Next,
) -> Response {
    let _running = Running::begin(&connection);
    request.extensions_mut().insert(connection.peer);
    let is_http1 = request.version() <= Version::HTTP_11;
    let mut response = next.run(request).await;
    let is_last = connection.leaving.is_cancelled() || connection.accepted.elapsed() > LIFE;
    if is_http1 && is_last {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_asks_nothing_has_less_time_than_who_asked() {
        let began = Instant::now();
        let connection = Connection::new(Peer::NONE, CancellationToken::new());
        connection.idle().await;
        assert_eq!(began.elapsed(), FIRST_REQUEST);
        let running = Running::begin(&connection);
        let hour = Duration::from_hours(1);
        timeout(hour, connection.idle()).await.unwrap_err();
        drop(running);
        let began = Instant::now();
        connection.idle().await;
        assert_eq!(began.elapsed(), IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_connection_ends_later_where_a_request_could_be_lost() {
        for (http2, expected) in [(true, LIFE), (false, LIFE + IDLE * 2)] {
            let began = Instant::now();
            Connection::new(Peer::NONE, CancellationToken::new())
                .old(http2)
                .await;
            assert_eq!(began.elapsed(), expected);
        }
    }
}
