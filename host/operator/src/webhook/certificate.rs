//! Makes a certificate authority of the operator's own, and the certificate that the webhook serves with.

use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// Years that a certificate is valid.
const YEARS: i32 = 5;

/// What is served and what is trusted, all in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bundle {
    /// The authority's certificate: what the API server trusts.
    pub(super) ca: String,
    /// The serving certificate.
    pub(super) certificate: String,
    /// Its key.
    pub(super) key: String,
}

/// Makes both, for these names and addresses. The authority's key is thrown away: it signs nothing else, ever.
pub(super) fn issue(names: &[String], now: Timestamp) -> Result<Bundle> {
    let ca_key = KeyPair::generate().context("cannot make a key")?;
    let mut ca = params(&[], now)?;
    ca.distinguished_name
        .push(DnType::CommonName, "mcp-operator-webhook-ca");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    let ca_certificate = ca
        .self_signed(&ca_key)
        .context("cannot sign the certificate authority")?;
    let issuer = Issuer::new(ca, ca_key);

    let key = KeyPair::generate().context("cannot make a key")?;
    let mut served = params(names, now)?;
    served
        .distinguished_name
        .push(DnType::CommonName, "mcp-operator-webhook");
    served.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = served
        .signed_by(&key, &issuer)
        .context("cannot sign the serving certificate")?;
    Ok(Bundle {
        ca: ca_certificate.pem(),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

fn params(names: &[String], now: Timestamp) -> Result<CertificateParams> {
    let mut params =
        CertificateParams::new(names.to_vec()).context("a name cannot stand in a certificate")?;
    let today = now.to_zoned(TimeZone::UTC).date();
    // The first day of a month exists in every year. A year back, for clocks that differ.
    let month = u8::try_from(today.month()).unwrap_or(1);
    params.not_before = date_time_ymd(i32::from(today.year()) - 1, month, 1);
    params.not_after = date_time_ymd(i32::from(today.year()) + YEARS, month, 1);
    Ok(params)
}
