//! Whom the webhook serves: clients with a certificate of an authority in a file, if the platform wants that.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};
use webpki::EndEntityCert;

use super::serving_cert::ServingCert;

/// How often the file is looked at: those of Secrets and ConfigMaps change by themselves.
const INTERVAL: Duration = Duration::from_secs(10);

/// Object identifier of a common name.
const COMMON_NAME: [u64; 4] = [2, 5, 4, 3];

/// The file with the authorities, and the names that are allowed.
#[derive(Debug)]
pub(crate) struct ClientCa {
    file: PathBuf,
    /// Empty: all of the authorities.
    names: Vec<String>,
    /// What the file said when it was last read, whether or not that could be used.
    seen: Vec<u8>,
}

impl ClientCa {
    pub(crate) fn new(file: PathBuf, names: Vec<String>) -> Self {
        Self {
            file,
            names,
            seen: Vec::new(),
        }
    }

    /// What the listener serves with, and what keeps it up to date.
    ///
    /// # Errors
    /// When the file cannot be used now: then nobody may be served.
    pub(crate) fn serve(
        mut self,
        cert: ServingCert,
    ) -> Result<(
        impl Future<Output = ()> + use<>,
        watch::Receiver<Arc<ServerConfig>>,
    )> {
        let clients = self.read()?.context("the file is empty");
        let clients = clients.with_context(|| self.problem())?;
        let (tls, served) = watch::channel(cert.tls(Some(clients)));
        let reload = async move {
            loop {
                sleep(INTERVAL).await;
                match self.read() {
                    Ok(None) => {}
                    Ok(clients) => {
                        tls.send_replace(cert.tls(clients));
                        info!(file = %self.file.display(), "new client CA");
                    }
                    Err(error) => {
                        warn!(
                            error = format!("{error:#}"),
                            "the client CA stays as it was"
                        );
                    }
                }
            }
        };
        Ok((reload, served))
    }

    /// What verifies clients, if the file is another one than before.
    fn read(&mut self) -> Result<Option<Arc<dyn ClientCertVerifier>>> {
        let pem = std::fs::read(&self.file).with_context(|| self.problem())?;
        if pem == self.seen {
            return Ok(None);
        }
        let clients = verifier(&pem, &self.names).with_context(|| self.problem());
        self.seen = pem;
        clients.map(Some)
    }

    fn problem(&self) -> String {
        let file = self.file.display();
        format!("--webhook-client-ca {file} cannot be used: give a file with certificates in PEM")
    }
}

fn verifier(pem: &[u8], names: &[String]) -> Result<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate?)?;
    }
    ensure!(!roots.is_empty(), "there is no certificate in it");
    Ok(Arc::new(NamedClients {
        authorities: WebPkiClientVerifier::builder(Arc::new(roots)).build()?,
        names: names.to_vec(),
    }))
}

/// Clients of these authorities, with one of these names if there are any.
#[derive(Debug)]
struct NamedClients {
    authorities: Arc<dyn ClientCertVerifier>,
    names: Vec<String>,
}

impl ClientCertVerifier for NamedClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.authorities.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .authorities
            .verify_client_cert(certificate, intermediates, now)?;
        if self.names.is_empty() || has_name(certificate, &self.names) {
            return Ok(verified);
        }
        let refusal = CertificateError::ApplicationVerificationFailure;
        Err(Error::InvalidCertificate(refusal))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

/// Whether the common name or a DNS name of a certificate is one of these.
fn has_name(certificate: &CertificateDer<'_>, names: &[String]) -> bool {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else {
        return false;
    };
    let common = common_names(&DistinguishedName::in_sequence(certificate.subject()));
    names.iter().any(|allowed| {
        common.iter().any(|name| name == allowed.as_bytes())
            || certificate.valid_dns_names().any(|name| name == allowed)
    })
}

/// The common names in a subject, as the bytes that they are: what is not of ASCII in UTF-8 is no name that is
/// allowed.
fn common_names(subject: &DistinguishedName) -> Vec<Vec<u8>> {
    let attributes = yasna::parse_der(subject.as_ref(), |subject| {
        subject.collect_sequence_of(|part| {
            part.collect_set_of(|attribute| {
                attribute.read_sequence(|attribute| {
                    let kind = attribute.next().read_oid()?;
                    let value = attribute.next().read_tagged_der()?;
                    let is_common = kind.components().as_slice() == COMMON_NAME;
                    Ok(is_common.then(|| value.value().to_vec()))
                })
            })
        })
    });
    attributes
        .unwrap_or_default()
        .into_iter()
        .flatten()
        .flatten()
        .collect()
}

#[cfg(test)]
#[path = "client_ca_tests.rs"]
mod tests;
