//! Makes certificates for the webhook, and reads them.

use std::net::IpAddr;

use anyhow::{Context, Result, bail};
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;

/// A certificate is valid from before it is made, for clocks that differ.
const BACKDATED: SignedDuration = SignedDuration::from_hours(1);

/// A certificate of the webhook and its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyPairPem {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// Makes a certificate authority and a certificate of it, for these names and addresses. The authority's key is thrown away:
/// it signs nothing else, ever. Gives the authority's certificate first, in PEM.
///
/// # Errors
/// When a name cannot stand in a certificate.
pub(super) fn issue(
    names: &[String],
    lifetime: SignedDuration,
    now: Timestamp,
) -> Result<(String, KeyPairPem)> {
    let ca_key = KeyPair::generate().context("cannot make a key")?;
    let mut ca = params(&[], lifetime, now)?;
    // A name of its own for each: clients find the authority of a certificate by its name.
    let ca_name = format!("mcp-operator-webhook-ca-{}", now.as_second());
    ca.distinguished_name.push(DnType::CommonName, ca_name);
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
    let mut served = params(names, lifetime, now)?;
    served
        .distinguished_name
        .push(DnType::CommonName, "mcp-operator-webhook");
    served.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = served
        .signed_by(&key, &issuer)
        .context("cannot sign the serving certificate")?;
    let pair = KeyPairPem {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    };
    Ok((ca_certificate.pem(), pair))
}

fn params(names: &[String], lifetime: SignedDuration, now: Timestamp) -> Result<CertificateParams> {
    let mut params =
        CertificateParams::new(names.to_vec()).context("a name cannot stand in a certificate")?;
    params.not_before = date(now - BACKDATED)?;
    params.not_after = date(now + lifetime)?;
    Ok(params)
}

fn date(at: Timestamp) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(at.as_second()).context("no certificate has such a date")
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// When it was made, if it is one of [`issue`].
    pub(super) issued: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) names: Vec<String>,
}

impl Facts {
    /// Of the first certificate in a PEM text.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn of(pem: &str) -> Result<Self> {
        let (_, pem) = parse_x509_pem(pem.as_bytes()).context("this is no certificate in PEM")?;
        let certificate = pem.parse_x509().context("this is no certificate")?;
        let validity = certificate.validity();
        let moment = |seconds| Timestamp::from_second(seconds).context("a date of no calendar");
        let names = certificate.subject_alternative_name()?;
        let names = names
            .into_iter()
            .flat_map(|names| &names.value.general_names);
        Ok(Self {
            issued: moment(validity.not_before.timestamp())? + BACKDATED,
            expires: moment(validity.not_after.timestamp())?,
            names: names.filter_map(text).collect(),
        })
    }

    /// Refuses a certificate that no client would accept now for these names.
    ///
    /// # Errors
    /// Why not, as a sentence.
    pub(super) fn check(&self, names: &[String], now: Timestamp) -> Result<()> {
        if let Some(missing) = names.iter().find(|name| !self.names.contains(name)) {
            bail!("it is not for {missing}");
        }
        if now >= self.expires {
            bail!("it has expired at {}", self.expires);
        }
        if now < self.issued - BACKDATED {
            bail!("it is valid only from {}", self.issued - BACKDATED);
        }
        Ok(())
    }
}

fn text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            v4.or(v6).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_says_what_it_was_made_for() {
        let names = [
            "webhook.ns.svc".to_owned(),
            "127.0.0.1".into(),
            "::1".into(),
        ];
        let now: Timestamp = "2026-01-31T10:00:00Z".parse().unwrap();
        let day = SignedDuration::from_hours(24);
        let (ca, pair) = issue(&names, day * 90, now).unwrap();
        let facts = Facts::of(&pair.certificate).unwrap();
        assert_eq!(facts.issued, now);
        assert_eq!(facts.expires, now + day * 90);
        assert_eq!(facts.names, names);
        facts.check(&names, now).unwrap();
        let says = |names: &[String], now| facts.check(names, now).unwrap_err().to_string();
        assert_eq!(says(&["other".into()], now), "it is not for other");
        assert!(says(&names, now + day * 90).starts_with("it has expired"));
        assert!(says(&names, now - day).starts_with("it is valid only from 2026-01-31T09:00:00Z"));
        assert_eq!(Facts::of(&ca).unwrap().names, [""; 0]);
        assert!(Facts::of("-----BEGIN").is_err());
        assert!(Facts::of(&pair.key).is_err());
    }
}
