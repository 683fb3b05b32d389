//! What the listener proves itself with. It can be exchanged while connections are open: each handshake takes what is current.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anyhow::{Context, Result};
use mcp_operator_metrics::{CertificateMetrics, CertificateRole};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::{Facts, KeyPairPem};

/// The certificate that is served at present. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct ServingCert {
    current: Arc<Current>,
    metrics: CertificateMetrics,
}

struct Current {
    key: RwLock<Arc<CertifiedKey>>,
    /// What the certificate says of itself, if it can be read.
    facts: Mutex<Option<Facts>>,
}

impl ServingCert {
    /// # Errors
    /// When this is no certificate, no key, or one that is not the other's.
    pub(super) fn new(pair: &KeyPairPem, metrics: CertificateMetrics) -> Result<Self> {
        let key = certified_key(pair)?;
        let this = Self {
            current: Arc::new(Current {
                key: RwLock::new(key),
                facts: Mutex::default(),
            }),
            metrics,
        };
        this.remember(pair);
        Ok(this)
    }

    /// Serves this from now on; connections that are open stay.
    ///
    /// # Errors
    /// As [`ServingCert::new`]; then nothing changes.
    pub(super) fn replace(&self, pair: &KeyPairPem) -> Result<()> {
        let key = certified_key(pair)?;
        let current = self.current.key.write();
        *current.unwrap_or_else(PoisonError::into_inner) = key;
        self.remember(pair);
        Ok(())
    }

    /// What the certificate that is served says of itself, if it can be read.
    pub(super) fn facts(&self) -> Option<Facts> {
        let facts = self.current.facts.lock();
        facts.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells until when the authority of what is served is valid.
    pub(super) fn signed_by(&self, authority: &str) {
        self.record(CertificateRole::Authority, authority);
    }

    /// One of which no date can be read is served all the same, if it can be: it says nothing.
    fn remember(&self, pair: &KeyPairPem) {
        self.record(CertificateRole::Serving, &pair.certificate);
        let facts = self.current.facts.lock();
        *facts.unwrap_or_else(PoisonError::into_inner) = Facts::of(&pair.certificate).ok();
    }

    fn record(&self, role: CertificateRole, certificate: &str) {
        if let Ok(facts) = Facts::of(certificate) {
            self.metrics.record(role, facts.expires.as_second());
        }
    }

    /// For the TLS listener: with `clients`, only for those that it knows.
    pub(crate) fn tls(&self, clients: Option<Arc<dyn ClientCertVerifier>>) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder();
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(clients),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(self.current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(
            self.key
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
    }
}

/// Without the key.
impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

fn certified_key(pair: &KeyPairPem) -> Result<Arc<CertifiedKey>> {
    let chain = CertificateDer::pem_slice_iter(pair.certificate.as_bytes());
    let chain = chain
        .collect::<Result<Vec<_>, _>>()
        .context("no certificate in PEM")?;
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).context("no key in PEM")?;
    let key = CertifiedKey::from_der(chain, key, &ring::default_provider())
        .context("the certificate and the key do not fit")?;
    Ok(Arc::new(key))
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::super::certificate::issue;
    use super::*;

    fn pair() -> KeyPairPem {
        let names = ["localhost".to_owned()];
        issue(&names, SignedDuration::from_hours(1), Timestamp::now())
            .unwrap()
            .1
    }

    #[test]
    fn what_cannot_be_served_replaces_nothing() {
        let (first, second) = (pair(), pair());
        let cert = ServingCert::new(&first, CertificateMetrics::default()).unwrap();
        let served = || cert.current.key.read().unwrap().cert[0].clone();
        let before = served();
        let mixed = KeyPairPem {
            key: second.key.clone(),
            ..first
        };
        let error = cert.replace(&mixed).unwrap_err().to_string();
        assert_eq!(error, "the certificate and the key do not fit");
        let empty = KeyPairPem {
            certificate: String::new(),
            ..second.clone()
        };
        cert.replace(&empty).unwrap_err();
        assert_eq!(served(), before);
        cert.replace(&second).unwrap();
        assert_ne!(served(), before);
    }
}
