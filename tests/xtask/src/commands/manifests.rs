//! `cargo xtask manifests`: the chart is the source of everything in `deploy/` that is installed.

mod helm;
mod kustomize;
mod schemas;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use mcp_cluster::{Cache, chart_tools, control_plane_tools, handle_signals, repository};

use self::helm::Helm;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write nothing: fail if a file differs from what the chart says, or the chart itself is wrong.
    #[arg(long)]
    check: bool,
}

/// Files of kustomize, from the same templates with these values.
struct Rendered {
    /// Of the chart.
    values: &'static [&'static str],
    /// Template, and the file that it becomes.
    files: &'static [(&'static str, &'static str)],
}

const CHART: &str = "deploy/chart";
const DEFINITIONS: [&str; 2] = ["mcpservers.yaml", "mcpplugins.yaml"];
const TENANTS: [&str; 1] = ["watchNamespaces={tools}"];
const ADMIN_API: [&str; 5] = [
    "plugins.litellm-admin-api.enabled=true",
    "plugins.litellm-configmap.enabled=false",
    "plugins.compliance.enabled=false",
    "plugins.tenancy.enabled=false",
    "plugins.validation.enabled=false",
];
const CERT_MANAGER: [&str; 1] = ["certificates.mode=cert-manager"];
const MONITORING: [&str; 3] = [
    "monitoring.serviceMonitor.enabled=true",
    "monitoring.alerts.enabled=true",
    "monitoring.dashboards.enabled=true",
];
const RENDERED: [Rendered; 5] = [
    Rendered {
        values: &[],
        files: &[
            ("confinement.yaml", "deploy/base/confinement.yaml"),
            ("network-policy.yaml", "deploy/base/network-policy.yaml"),
            ("operator.yaml", "deploy/base/operator.yaml"),
            ("plugins.yaml", "deploy/base/plugins.yaml"),
            ("rbac.yaml", "deploy/base/rbac.yaml"),
            ("user-roles.yaml", "deploy/base/user-roles.yaml"),
            ("webhook.yaml", "deploy/base/webhook.yaml"),
        ],
    },
    Rendered {
        values: &TENANTS,
        files: &[
            (
                "gateway.yaml",
                "deploy/components/tenant-namespaces/gateway.yaml",
            ),
            (
                "tenants.yaml",
                "deploy/overlays/tenant-namespaces/tools.yaml",
            ),
        ],
    },
    Rendered {
        values: &ADMIN_API,
        files: &[(
            "plugins.yaml",
            "deploy/overlays/litellm-admin-api/registrar.yaml",
        )],
    },
    Rendered {
        values: &CERT_MANAGER,
        files: &[(
            "certificate.yaml",
            "deploy/components/cert-manager/certificate.yaml",
        )],
    },
    Rendered {
        values: &MONITORING,
        files: &[
            (
                "service-monitor.yaml",
                "deploy/components/monitoring/service-monitor.yaml",
            ),
            (
                "prometheus-rule.yaml",
                "deploy/components/monitoring/prometheus-rule.yaml",
            ),
            (
                "dashboards.yaml",
                "deploy/components/monitoring/dashboards.yaml",
            ),
        ],
    },
];
const HEADER: &str = "# Made from deploy/chart by `cargo xtask manifests`, and never edited.\n";

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    handle_signals()?;
    let cache = Cache::open()?;
    let checkout = repository();
    let tools = chart_tools(&cache)?;
    let helm = Helm::new(&tools, checkout.join(CHART));
    let mut wanted = definitions(&checkout)?;
    for rendered in RENDERED {
        let folder = cache.folder("manifests")?;
        let made = helm.render(&folder, rendered.values)?;
        for (template, file) in rendered.files {
            let text = made.get(*template);
            let text = text.with_context(|| format!("the chart makes nothing of {template}"))?;
            wanted.push((checkout.join(file), format!("{HEADER}{text}")));
        }
    }
    if !arguments.check {
        for (file, text) in &wanted {
            fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        return Ok(());
    }
    let differing: Vec<String> = wanted
        .iter()
        .filter(|(file, text)| fs::read_to_string(file).ok().as_ref() != Some(text))
        .map(|(file, _)| file.display().to_string())
        .collect();
    if !differing.is_empty() {
        bail!(
            "{} is not what the chart says: run `cargo xtask manifests`",
            differing.join(", ")
        );
    }
    helm.lint()?;
    let schemas = schemas::write(&cache, &checkout)?;
    let count = helm.conform(&schemas)?;
    let kubectl = control_plane_tools(&cache)?.path("kubectl");
    let folders = kustomize::compare(&kubectl, &helm, &checkout)?;
    println!(
        "{} files are what the chart says; {count} sets of values conform; {folders} folders of kustomize make what Helm makes",
        wanted.len()
    );
    Ok(())
}

/// Helm installs what is in a folder of the chart, and only there.
fn definitions(checkout: &Path) -> Result<Vec<(PathBuf, String)>> {
    DEFINITIONS
        .iter()
        .map(|name| {
            let source = checkout.join("crds").join(name);
            let text = fs::read_to_string(&source)
                .with_context(|| format!("cannot read {}", source.display()))?;
            Ok((checkout.join(CHART).join("crds").join(name), text))
        })
        .collect()
}
