//! Where the API server reaches the webhook, and the certificate that proves that it is the webhook.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use mcp_operator_runtime::obtain_shared_secret;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use serde_json::json;

use super::certificate::{Bundle, issue};

/// Name of the Secret that all replicas share.
const SECRET: &str = "mcp-operator-webhook";
const CA: &str = "ca.crt";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

/// Where the API server reaches the webhook.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    /// Through a Service of the cluster.
    Service {
        /// Its namespace: the operator's own.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// At an address outside of it: for an operator that does not run in the cluster.
    Address(SocketAddr),
}

impl Endpoint {
    fn names(&self) -> Vec<String> {
        match self {
            Self::Service { namespace, name } => ["", ".cluster.local"]
                .map(|domain| format!("{name}.{namespace}.svc{domain}"))
                .to_vec(),
            Self::Address(address) => vec![address.ip().to_string()],
        }
    }
}

/// What the webhook serves with.
#[derive(Clone)]
pub(crate) struct ServingCert {
    /// What the API server must trust, in PEM.
    pub(crate) ca: String,
    bundle: Bundle,
}

impl ServingCert {
    /// Takes the certificate that other replicas serve with, or makes one. One for an address is this process' own.
    ///
    /// # Errors
    /// When the Secret cannot be read or written, or what is in it is no certificate.
    pub(crate) async fn obtain(client: &Client, endpoint: &Endpoint) -> Result<Self> {
        let bundle = match endpoint {
            Endpoint::Service { namespace, .. } => shared(client, namespace, endpoint).await?,
            Endpoint::Address(_) => issue(&endpoint.names(), Timestamp::now())?,
        };
        Ok(Self {
            ca: bundle.ca.clone(),
            bundle,
        })
    }

    /// For the TLS listener: with `clients`, only for those that it knows.
    ///
    /// # Errors
    /// When the certificate cannot be used.
    pub(crate) fn tls(
        &self,
        clients: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Result<Arc<ServerConfig>> {
        let tls = tls(&self.bundle, clients).context("the webhook's certificate cannot be used")?;
        Ok(Arc::new(tls))
    }
}

async fn shared(client: &Client, namespace: &str, endpoint: &Endpoint) -> Result<Bundle> {
    let make = || secret(&issue(&endpoint.names(), Timestamp::now())?);
    let shared = obtain_shared_secret(client, namespace, SECRET, make).await?;
    read(&shared).with_context(|| {
        format!("Secret {namespace}/{SECRET} has no certificate: delete it to get a new one")
    })
}

fn secret(bundle: &Bundle) -> Result<Secret> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": { "name": SECRET },
        "stringData": { CA: bundle.ca, CERTIFICATE: bundle.certificate, KEY: bundle.key },
    });
    serde_json::from_value(secret).context("cannot make a Secret")
}

fn read(secret: &Secret) -> Option<Bundle> {
    let data = secret.data.as_ref()?;
    let text = |key: &str| {
        data.get(key)
            .and_then(|ByteString(bytes)| String::from_utf8(bytes.clone()).ok())
    };
    Some(Bundle {
        ca: text(CA)?,
        certificate: text(CERTIFICATE)?,
        key: text(KEY)?,
    })
}

fn tls(bundle: &Bundle, clients: Option<Arc<dyn ClientCertVerifier>>) -> Result<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(bundle.certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(bundle.key.as_bytes())?;
    let builder = ServerConfig::builder();
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(clients),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
impl ServingCert {
    /// One for this name.
    pub(super) fn for_name(name: &str) -> Self {
        let bundle = issue(&[name.to_owned()], Timestamp::now()).unwrap();
        Self {
            ca: bundle.ca.clone(),
            bundle,
        }
    }
}
