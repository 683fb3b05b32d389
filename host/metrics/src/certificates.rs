//! The webhook's certificate.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateRole {
    /// The webhook proves itself with it.
    Serving,
    /// The authority that has signed that one.
    Authority,
}

impl CertificateRole {
    fn label(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Authority => "ca",
        }
    }
}

/// Says until when the certificates in use are valid. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CertificateMetrics(Family<[(&'static str, &'static str); 1], Gauge>);

impl CertificateMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "mcp_operator_certificate_expiration_timestamp_seconds",
            "Until when the webhook's certificate (serving) and its authority (ca) are valid, in seconds since 1970",
            self.0.clone(),
        );
    }

    /// This one is in use now, and valid until then, in seconds since 1970.
    pub fn record(&self, role: CertificateRole, not_after: i64) {
        let labels = [("certificate", role.label())];
        self.0.get_or_create(&labels).set(not_after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Metrics};

    #[test]
    fn the_present_certificate_takes_the_place_of_the_one_before() {
        let metrics = Metrics::new("1.0.0");
        let certificates = metrics.certificates();
        certificates.record(CertificateRole::Serving, 1_800_000_000);
        certificates.record(CertificateRole::Authority, 1_900_000_000);
        certificates.record(CertificateRole::Serving, 1_850_000_000);
        let text = metrics.encode(Format::Prometheus);
        let name = "mcp_operator_certificate_expiration_timestamp_seconds";
        let serving = format!(r#"{name}{{certificate="serving"}} 1850000000"#);
        let authority = format!(r#"{name}{{certificate="ca"}} 1900000000"#);
        assert!(
            text.contains(&serving) && text.contains(&authority),
            "{text}"
        );
    }
}
