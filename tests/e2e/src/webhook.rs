//! An admission webhook of somebody else, which fails when it is told to.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// More than the API server waits for an answer.
const SILENCE: Duration = Duration::from_secs(30);

/// Answers with a failure as often as it should, and then allows everything. It ends with the process.
pub struct FailingWebhook {
    address: SocketAddr,
    certificate: String,
    calls: Arc<AtomicUsize>,
}

impl FailingWebhook {
    /// Starts one that fails this many times.
    ///
    /// # Errors
    /// When no port is free.
    pub fn start(failures: usize) -> Result<Self> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(["127.0.0.1".to_owned()])?.self_signed(&key)?;
        let own: CertificateDer<'static> = certificate.der().clone();
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![own], private)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (config, calls) = (Arc::new(config), Arc::<AtomicUsize>::default());
        let counted = calls.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, counted) = (config.clone(), counted.clone());
                // A client that hangs up in the middle has nobody who waits for an answer.
                thread::spawn(move || serve(stream, config, &counted, failures));
            }
        });
        Ok(Self {
            address,
            certificate: certificate.pem(),
            calls,
        })
    }

    /// How the API server reaches and trusts it: `clientConfig` of a webhook.
    pub fn client_config(&self) -> Value {
        let url = format!("https://{}/", self.address);
        json!({ "url": url, "caBundle": BASE64_STANDARD.encode(&self.certificate) })
    }

    /// How often it was asked.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    calls: &AtomicUsize,
    failures: usize,
) -> Result<()> {
    stream.set_read_timeout(Some(SILENCE))?;
    let connection = ServerConnection::new(config)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let review: Value = serde_json::from_slice(&body(&mut stream)?)?;
    let answer = if calls.fetch_add(1, Ordering::Relaxed) < failures {
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            .to_owned()
    } else {
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": { "uid": review["request"]["uid"], "allowed": true },
        });
        let review = review.to_string();
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{review}",
            review.len()
        )
    };
    let stream = stream.get_mut();
    stream.write_all(answer.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(())
}

/// The body of one request of HTTP/1.1, which the API server always gives a length.
fn body(stream: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().context("a length that is none")?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(body)
}
