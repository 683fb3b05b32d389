//! A certificate that somebody else renews, as files: cert-manager's, in a Secret that is mounted.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use mcp_operator_metrics::CertificateMetrics;
use tokio::time::sleep;
use tracing::{info, warn};

use super::certificate::{Facts, KeyPairPem};
use super::serving_cert::ServingCert;

/// How often the files are looked at. Their content is compared: those of a Secret are links to links.
const INTERVAL: Duration = Duration::from_secs(10);

/// A folder with `tls.crt` and `tls.key`, in PEM.
pub(crate) struct CertificateFiles {
    folder: PathBuf,
    seen: KeyPairPem,
    serving: ServingCert,
}

impl CertificateFiles {
    /// # Errors
    /// When there is no certificate with its key in the folder now.
    pub(crate) fn open(folder: PathBuf, metrics: CertificateMetrics) -> Result<Self> {
        let problem = || {
            let folder = folder.display();
            format!(
                "--webhook-cert-dir {folder} cannot be used: it must have tls.crt and tls.key, in PEM"
            )
        };
        let seen = read(&folder).with_context(problem)?;
        let serving = ServingCert::new(&seen, metrics).with_context(problem)?;
        let this = Self {
            folder,
            seen,
            serving,
        };
        this.record_authority();
        Ok(this)
    }

    /// What the listener serves with.
    pub(crate) fn serving(&self) -> ServingCert {
        self.serving.clone()
    }

    /// For as long as the process runs.
    pub(crate) async fn run(mut self) {
        loop {
            sleep(INTERVAL).await;
            match self.reload() {
                Ok(None) => {}
                Ok(Some(facts)) => {
                    info!(expires = %facts.expires, "new certificate of the webhook");
                }
                // Of two files, one may be the new one already.
                Err(error) => {
                    let error = format!("{error:#}");
                    warn!(error, "the webhook's certificate stays as it was");
                }
            }
        }
    }

    fn reload(&mut self) -> Result<Option<Facts>> {
        let found = read(&self.folder)?;
        if found == self.seen {
            return Ok(None);
        }
        let facts = Facts::of(&found.certificate)?;
        self.serving.replace(&found)?;
        self.seen = found;
        self.record_authority();
        Ok(Some(facts))
    }

    /// Whoever renews the certificate may leave its authority beside it, as cert-manager does.
    fn record_authority(&self) {
        if let Ok(authority) = fs::read_to_string(self.folder.join("ca.crt")) {
            self.serving.signed_by(&authority);
        }
    }
}

fn read(folder: &std::path::Path) -> Result<KeyPairPem> {
    let read = |name: &str| {
        let file = folder.join(name);
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    Ok(KeyPairPem {
        certificate: read("tls.crt")?,
        key: read("tls.key")?,
    })
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use mcp_operator_metrics::{Format, Metrics};

    use super::super::certificate::issue;
    use super::*;

    #[test]
    fn new_files_are_served_when_they_fit() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let pair = || {
            let names = ["localhost".to_owned()];
            issue(&names, SignedDuration::from_hours(1), Timestamp::now())
                .unwrap()
                .1
        };
        let metrics = Metrics::new("1.0.0");
        let open = || CertificateFiles::open(folder.path().to_owned(), metrics.certificates());
        let error = format!("{:#}", open().err().unwrap());
        assert!(
            error.contains("it must have tls.crt and tls.key"),
            "{error}"
        );
        let (first, second) = (pair(), pair());
        write("tls.crt", &first.certificate);
        write("tls.key", &first.key);
        let mut files = open().unwrap();
        assert_eq!(files.reload().unwrap(), None);
        write("tls.crt", &second.certificate);
        files.reload().unwrap_err();
        write("tls.key", &second.key);
        write("ca.crt", &first.certificate);
        assert!(files.reload().unwrap().is_some());
        assert_eq!(files.reload().unwrap(), None);
        let expires = |pem: &str| Facts::of(pem).unwrap().expires.as_second();
        let text = metrics.encode(Format::OpenMetrics);
        for (role, pem) in [("serving", &second.certificate), ("ca", &first.certificate)] {
            let line = format!(
                r#"mcp_operator_certificate_expiration_timestamp_seconds{{certificate="{role}"}} {}"#,
                expires(pem)
            );
            assert!(text.contains(&line), "{line}\n{text}");
        }
    }
}
