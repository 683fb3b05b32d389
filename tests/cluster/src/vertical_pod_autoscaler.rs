//! The VerticalPodAutoscaler's own admission controller, which gives pods the resources that are recommended for them. Its
//! recommender, which needs the usage of real pods, is played by whoever writes a recommendation into a status.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Result;

use crate::cache::{Cache, make_folder};
use crate::kubectl::Kubectl;
use crate::pki;
use crate::ports::free_port;
use crate::process::Process;
use crate::tools::{VERTICAL_POD_AUTOSCALER_DEFINITIONS, vertical_pod_autoscaler_tools};

/// One that runs beside a cluster; it stops when this is dropped.
pub struct VerticalPodAutoscaler {
    _process: Process,
}

impl VerticalPodAutoscaler {
    /// What it registers itself as, some seconds after it started.
    pub const WEBHOOK: &str = "vpa-webhook-config";

    /// Starts it, with its definitions installed. Certificates and log are in a folder.
    ///
    /// # Errors
    /// When it cannot be built or started, or the cluster refuses its definitions.
    pub fn start(cache: &Cache, kubectl: &Kubectl, folder: &Path) -> Result<Self> {
        let tools = vertical_pod_autoscaler_tools(cache)?;
        make_folder(folder)?;
        pki::write_server(folder, "webhook", Ipv4Addr::LOCALHOST.into())?;
        let definitions = tools.path(VERTICAL_POD_AUTOSCALER_DEFINITIONS);
        let definitions = definitions.to_string_lossy();
        kubectl.run(&["apply", "--server-side", "--filename", &definitions])?;
        kubectl.run(&[
            "wait",
            "--for=condition=Established",
            "crd/verticalpodautoscalers.autoscaling.k8s.io",
            "crd/verticalpodautoscalercheckpoints.autoscaling.k8s.io",
        ])?;
        let (port, metrics) = (free_port()?, free_port()?);
        let file = |name: &str| folder.join(name).display().to_string();
        let process = Process::start(
            &tools.path("admission-controller"),
            |command| {
                command.arg("--kubeconfig").arg(kubectl.kubeconfig());
                command.arg(format!("--client-ca-file={}", file("ca.crt")));
                command.arg(format!("--tls-cert-file={}", file("webhook.crt")));
                command.arg(format!("--tls-private-key={}", file("webhook.key")));
                command.arg("--register-by-url");
                command.arg(format!("--webhook-address=https://{}", Ipv4Addr::LOCALHOST));
                command.arg(format!("--webhook-port={port}"));
                command.arg(format!("--port={port}"));
                command.arg(format!("--address={}:{metrics}", Ipv4Addr::LOCALHOST));
            },
            &folder.join("admission-controller.log"),
        )?;
        Ok(Self { _process: process })
    }
}
