//! The client for writes: its connections send nothing while the lease is not held.
//!
//! A check before each request would leave a gap: the request waits for a connection, for its turn in a task, or in a
//! process that was stopped in between. Here it is checked where bytes go to the kernel. What the kernel holds it sends for
//! no longer than [`UNACKNOWLEDGED`]: after a partition, nothing of before arrives.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioExecutor;
use kube::client::retry::RetryPolicy;
use kube::client::{Body, ConfigExt};
use kube::{Client, Config};
use tower::retry::RetryLayer;
use tower::{BoxError, ServiceBuilder, ServiceExt};

use super::leadership::Leadership;

/// A connection whose other side confirms nothing for so long is given up by the kernel. Less than the third of a lease that
/// is left for writes that are on their way.
const UNACKNOWLEDGED: Duration = Duration::from_secs(4);

/// A client for the cluster of `config`, whose connections work only while `leadership` is held.
///
/// # Errors
/// When the configuration cannot be used.
pub fn write_client(config: &Config, leadership: Leadership) -> kube::Result<Client> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    let fenced = connector.map_response(move |stream| Fenced {
        stream,
        leadership: leadership.clone(),
    });
    let connector = config.rustls_https_connector_with_connector(fenced)?;
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(RetryLayer::new(RetryPolicy::server_retry()))
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace.clone()))
}

/// A connection that fails when something is to be sent without the lease.
struct Fenced<S> {
    stream: S,
    leadership: Leadership,
}

impl<S> Fenced<S> {
    fn check(&self) -> io::Result<()> {
        if self.leadership.is_held() {
            Ok(())
        } else {
            Err(io::Error::other(
                "another replica may be the leader: nothing is written",
            ))
        }
    }
}

impl<S: Read + Unpin> Read for Fenced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: Write + Unpin> Write for Fenced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: Connection> Connection for Fenced<S> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use kube::api::PostParams;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    use super::super::leadership::uptime;
    use super::*;

    /// Answers requests on one connection, and counts their bytes.
    async fn answer(mut stream: TcpStream, received: Arc<AtomicUsize>) {
        let body = r#"{"metadata":{"name":"a","namespace":"n"}}"#;
        let answer = format!(
            "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut buffer = [0; 16 << 10];
        while let Ok(bytes @ 1..) = stream.read(&mut buffer).await {
            received.fetch_add(bytes, Ordering::SeqCst);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn without_the_lease_nothing_is_sent_not_even_over_connections_that_are_open() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&counted)));
            }
        });
        let leadership = Leadership::none();
        let config = Config::new(url.parse().unwrap());
        let client = write_client(&config, leadership.clone()).unwrap();
        let api: Api<ConfigMap> = Api::namespaced(client, "n");
        let is_created = async || {
            let (params, map) = (PostParams::default(), ConfigMap::default());
            let created = timeout(Duration::from_secs(5), api.create(&params, &map)).await;
            created.is_ok_and(|created| created.is_ok())
        };
        assert!(!is_created().await);
        assert_eq!(received.load(Ordering::SeqCst), 0);

        leadership.set(Some(uptime() + Duration::from_hours(1)));
        assert!(is_created().await && is_created().await);
        let sent = received.load(Ordering::SeqCst);
        assert!(sent > 0);

        leadership.set(Some(uptime()));
        assert!(!is_created().await);
        assert_eq!(received.load(Ordering::SeqCst), sent);
    }
}
