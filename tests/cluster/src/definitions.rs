//! Custom resource definitions of other projects, out of the Go modules that `tests/definitions` pins.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Deserializer, Value};

use crate::cache::repository;
use crate::command::capture;
use crate::machine;

/// Go module, and the file in it.
type Source = (&'static str, &'static str);

const EXTERNAL_SECRETS: Source = (
    "github.com/external-secrets/external-secrets",
    "config/crds/bases/external-secrets.io_externalsecrets.yaml",
);
const SERVICE_MONITORS: Source = (
    "github.com/prometheus-operator/prometheus-operator",
    "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
);
const PROMETHEUS_RULES: Source = (
    "github.com/prometheus-operator/prometheus-operator",
    "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
);
const REPORTS: Source = (
    "github.com/openreports/reports-api",
    "config/crd/openreports.io_reports.yaml",
);
const CERT_MANAGER: [Source; 2] = [
    (
        "github.com/cert-manager/cert-manager",
        "deploy/crds/cert-manager.io_certificates.yaml",
    ),
    (
        "github.com/cert-manager/cert-manager",
        "deploy/crds/cert-manager.io_issuers.yaml",
    ),
];

/// Manifests of the definitions that an MCPServer or the operator can make use of. Apply them server-side: they are long.
#[derive(Debug, Clone)]
pub struct Definitions {
    /// ExternalSecret, of external-secrets.
    pub external_secrets: PathBuf,
    /// ServiceMonitor, of the Prometheus operator.
    pub service_monitors: PathBuf,
    /// PrometheusRule, of the same.
    pub prometheus_rules: PathBuf,
    /// Report, of openreports.io.
    pub reports: PathBuf,
    /// Certificate and Issuer, of cert-manager.
    pub cert_manager: [PathBuf; 2],
}

impl Definitions {
    /// Downloads what is not there yet.
    ///
    /// # Errors
    /// When Go is missing or a module cannot be downloaded.
    pub fn fetch() -> Result<Self> {
        machine::ensure_go()?;
        Ok(Self {
            external_secrets: fetch(EXTERNAL_SECRETS)?,
            service_monitors: fetch(SERVICE_MONITORS)?,
            prometheus_rules: fetch(PROMETHEUS_RULES)?,
            reports: fetch(REPORTS)?,
            cert_manager: [fetch(CERT_MANAGER[0])?, fetch(CERT_MANAGER[1])?],
        })
    }
}

fn fetch((module, file): Source) -> Result<PathBuf> {
    let mut download = Command::new("go");
    download
        .current_dir(repository().join("tests/definitions"))
        .args(["mod", "download", "-json", module]);
    let answer = capture(&mut download)?;
    let answer: Value = Deserializer::from_str(&answer)
        .into_iter()
        .next()
        .with_context(|| format!("go mod download said nothing about {module}"))??;
    let folder = answer["Dir"]
        .as_str()
        .with_context(|| format!("{module} was not downloaded: {answer}"))?;
    Ok(PathBuf::from(folder).join(file))
}
