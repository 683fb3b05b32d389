//! An admission webhook of somebody else, which fails when it is told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Error, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::serve::Listener;
use base64::prelude::{BASE64_STANDARD, Engine};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Answers with a failure as often as it should, and then allows everything. It ends when this is dropped.
pub(crate) struct FailingWebhook {
    address: SocketAddr,
    certificate: String,
    calls: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl FailingWebhook {
    /// Starts one that fails this many times.
    ///
    /// # Errors
    /// When no port is free.
    pub(crate) fn start(failures: usize) -> Result<Self> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(["127.0.0.1".to_owned()])?.self_signed(&key)?;
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(Error::msg)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)?;
        let runtime = Runtime::new()?;
        let tcp = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = tcp.local_addr()?;
        let tls = TlsAcceptor::from(Arc::new(config));
        let calls = Arc::<AtomicUsize>::default();
        let router = Router::new()
            .fallback(answer)
            .with_state((calls.clone(), failures));
        runtime.spawn(axum::serve(TlsListener { tcp, tls }, router).into_future());
        Ok(Self {
            address,
            certificate: certificate.pem(),
            calls,
            _runtime: runtime,
        })
    }

    /// How the API server reaches and trusts it: `clientConfig` of a webhook.
    pub(crate) fn client_config(&self) -> Value {
        let url = format!("https://{}/", self.address);
        json!({ "url": url, "caBundle": BASE64_STANDARD.encode(&self.certificate) })
    }

    /// How often it was asked.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

async fn answer(
    State((calls, failures)): State<(Arc<AtomicUsize>, usize)>,
    review: Bytes,
) -> Result<String, StatusCode> {
    if calls.fetch_add(1, Ordering::Relaxed) < failures {
        return Err(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let review: Value = serde_json::from_slice(&review).map_err(|_| StatusCode::BAD_REQUEST)?;
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": { "uid": review["request"]["uid"], "allowed": true },
    });
    Ok(answer.to_string())
}

/// Accepts one handshake after the other: the API server is the only client.
struct TlsListener {
    tcp: TcpListener,
    tls: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            // A client that hangs up in the middle has nobody who waits for an answer.
            let (stream, client) = Listener::accept(&mut self.tcp).await;
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, client);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
