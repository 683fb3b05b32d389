//! The webhook's certificate, judged as the API server judges it: by the authorities of the configurations.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use mcp_operator_api::names::installation::CONFIGURATION;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};
use serde_json::Value;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Finding;
use super::installation::{Found, Installation, place, webhooks};

const CERTIFICATE_KEY: &str = "tls.crt";
/// Of a Secret whose key was read and forgotten: whether it was that of the certificate.
pub(super) const KEY_FITS: &str = "keyFits";

pub(super) fn check(installation: &Installation) -> Vec<Finding> {
    if installation.webhook_service().is_none() {
        return Vec::new();
    }
    let name = installation.certificate_secret();
    let at = place("Secret", &installation.namespace, &name);
    let renewal = renewal(installation);
    let served = match installation.object("Secret", &installation.namespace, &name) {
        Found::Unread => return Vec::new(),
        Found::Missing => {
            return vec![Finding::wrong(
                at,
                "it is not there: the webhook has no certificate",
                renewal,
            )];
        }
        Found::There(secret) => decoded(&secret["data"][CERTIFICATE_KEY]),
    };
    let chain = served.as_deref().map(certificates).unwrap_or_default();
    let Some(leaf) = chain.first() else {
        return vec![Finding::wrong(
            at,
            format!("it has no certificate in {CERTIFICATE_KEY}"),
            renewal,
        )];
    };
    let mut findings: Vec<Finding> = expiry(leaf, installation.time(), &at, &renewal)
        .into_iter()
        .collect();
    let secret = installation.object("Secret", &installation.namespace, &name);
    if secret.there().is_some_and(|it| it[KEY_FITS] == false) {
        let what = format!(
            "its tls.key is not the key of {CERTIFICATE_KEY}: the operator cannot serve with it"
        );
        findings.push(Finding::wrong(&at, what, renewal.clone()));
    }
    for (kind, found) in installation.webhook_configurations() {
        for webhook in found.there().into_iter().flat_map(webhooks) {
            let bundle = &webhook["clientConfig"]["caBundle"];
            let Some(error) = refused_by(bundle, installation) else {
                continue;
            };
            let at = place(kind, "", CONFIGURATION);
            let webhook = webhook["name"].as_str().unwrap_or_default();
            findings.push(Finding::wrong(at, format!("by the caBundle of {webhook} the API server refuses the certificate that is served: {error}"), renewal.clone()));
            break;
        }
    }
    findings
}

/// Why whoever trusts these authorities refuses what the operator serves; nothing where one of the two is not there, which others
/// say.
pub(super) fn refused_by(bundle: &Value, installation: &Installation) -> Option<String> {
    let bundle = decoded(bundle).filter(|bundle| !bundle.is_empty())?;
    let name = installation.certificate_secret();
    let secret = installation.object("Secret", &installation.namespace, &name);
    let chain = certificates(&decoded(&secret.there()?["data"][CERTIFICATE_KEY])?);
    let (namespace, service) = installation.webhook_service()?;
    let host = format!("{service}.{namespace}.svc");
    refusal(&chain, &bundle, &host, installation.time())
}

/// Whether the key of a Secret is that of its certificate.
pub(super) fn key_fits(secret: &Value) -> bool {
    let chain = decoded(&secret["data"][CERTIFICATE_KEY]).unwrap_or_default();
    let key = decoded(&secret["data"]["tls.key"]).unwrap_or_default();
    let key = PrivateKeyDer::from_pem_slice(&key);
    key.is_ok_and(|key| {
        CertifiedKey::from_der(certificates(&chain), key, &default_provider()).is_ok()
    })
}

/// Who mends it.
fn renewal(installation: &Installation) -> String {
    if installation.has_mounted_certificate() {
        "whoever makes the certificate (cert-manager) renews it, and has it trusted: kubectl describe certificate".into()
    } else {
        "the operator that leads makes it, renews it and has it trusted: its log says why it does not".into()
    }
}

fn decoded(value: &Value) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(value.as_str()?).ok()
}

fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem)
        .filter_map(Result::ok)
        .collect()
}

/// Renewals come after two thirds of the time.
fn expiry(leaf: &CertificateDer<'_>, now: Timestamp, at: &str, renewal: &str) -> Option<Finding> {
    let (issued, expires) = validity(leaf)?;
    if now >= expires {
        return Some(Finding::wrong(
            at,
            format!("the certificate has expired at {expires}: no MCPServer can be written"),
            renewal,
        ));
    }
    let late = issued + expires.duration_since(issued) * 5 / 6;
    (now >= late).then(|| {
        Finding::wrong(
            at,
            format!("the certificate expires at {expires}, and should have been renewed"),
            renewal,
        )
    })
}

/// From when, and until when, a certificate is valid.
fn validity(certificate: &CertificateDer<'_>) -> Option<(Timestamp, Timestamp)> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let validity = certificate.validity();
    let moment = |seconds| Timestamp::from_second(seconds).ok();
    Some((
        moment(validity.not_before.timestamp())?,
        moment(validity.not_after.timestamp())?,
    ))
}

/// Why whoever trusts these authorities refuses a certificate; nothing if it does not, or if it has expired, which is said once.
fn refusal(
    chain: &[CertificateDer<'_>],
    bundle: &[u8],
    host: &str,
    now: Timestamp,
) -> Option<String> {
    let mut roots = RootCertStore::empty();
    let mut expired = None;
    // rustls does not look at the dates of those that it trusts; the API server does.
    for authority in certificates(bundle) {
        match validity(&authority).filter(|(_, end)| *end <= now) {
            Some((_, end)) => expired = Some(end),
            None => _ = roots.add(authority),
        }
    }
    if let (true, Some(expired)) = (roots.is_empty(), expired) {
        return Some(format!(
            "the authority that signed it has expired at {expired}"
        ));
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
    let Ok(verifier) = verifier.build() else {
        return Some("there is no certificate authority in it".into());
    };
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let (leaf, intermediates) = chain.split_first()?;
    let seconds = now.as_second().try_into().unwrap_or_default();
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    let error = verifier
        .verify_server_cert(leaf, intermediates, &name, &[], time)
        .err()?;
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => None,
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => Some("another authority has signed it".into()),
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => Some(format!("it is not for {host}")),
        other => Some(other.to_string()),
    }
}
