//! What the listener proves itself with. It can be exchanged while connections are open: each handshake takes what is current.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::KeyPairPem;

/// The certificate that is served at present. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct ServingCert(Arc<Current>);

struct Current(RwLock<Arc<CertifiedKey>>);

impl ServingCert {
    /// # Errors
    /// When this is no certificate, no key, or one that is not the other's.
    pub(super) fn new(pair: &KeyPairPem) -> Result<Self> {
        let key = certified_key(pair)?;
        Ok(Self(Arc::new(Current(RwLock::new(key)))))
    }

    /// Serves this from now on; connections that are open stay.
    ///
    /// # Errors
    /// As [`ServingCert::new`]; then nothing changes.
    pub(super) fn replace(&self, pair: &KeyPairPem) -> Result<()> {
        let key = certified_key(pair)?;
        *self.0.0.write().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }

    /// For the TLS listener: with `clients`, only for those that it knows.
    pub(crate) fn tls(&self, clients: Option<Arc<dyn ClientCertVerifier>>) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder();
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(clients),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(self.0.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(
            self.0
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
        let cert = ServingCert::new(&first).unwrap();
        let served = || cert.0.0.read().unwrap().cert[0].clone();
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
