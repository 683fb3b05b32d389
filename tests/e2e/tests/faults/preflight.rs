//! What cannot work is refused by the chart with its reason, before anything is made.

use anyhow::{Result, ensure};
use mcp_cluster::{Cache, Helm, Kubectl};
use mcp_e2e::{Operator, OwnCluster};
use serde_json::json;

const HOME: &str = "mcp-operator-system";
/// Of what the chart makes, what would stand outside of its namespace, or say that it was there.
const MADE: &str = "namespaces,clusterroles,clusterrolebindings,validatingadmissionpolicies,secrets,mcpplugins,validatingwebhookconfigurations";

/// Namespace and values, and what is said of them.
const REFUSED: [(&str, &str, &str); 8] = [
    (
        "kube-tools",
        "",
        "the operator writes nothing in namespaces that begin with kube-",
    ),
    (
        HOME,
        "certificates.mode=secret",
        "certificates.caBundle must have the certificate authority",
    ),
    (
        HOME,
        "certificates.mode=cert-manager",
        "the cluster has no cert-manager.io/v1: install cert-manager first",
    ),
    (
        HOME,
        "monitoring.serviceMonitor.enabled=true",
        "the cluster has no monitoring.coreos.com/v1: install the Prometheus Operator first",
    ),
    (
        HOME,
        "monitoring.alerts.enabled=true",
        "the cluster has no monitoring.coreos.com/v1: install the Prometheus Operator first",
    ),
    (
        HOME,
        "monitoring.dashboards.enabled=true,monitoring.dashboards.namespace=grafana",
        "there is no namespace grafana for the dashboards: create it first",
    ),
    (
        HOME,
        "watchNamespaces={team-a}",
        "there is no namespace team-a, in which the operator shall have permissions: create it first",
    ),
    (HOME, "certificates.mode=automatic", "'/certificates/mode'"),
];

#[test]
fn the_chart_refuses_what_cannot_work_and_says_what_helps() -> Result<()> {
    let own = OwnCluster::start("preflight", &[])?;
    let kubectl = own.kubectl();
    let install = Install {
        helm: Helm::build(&Cache::open()?, kubectl)?,
        kubectl,
    };
    // An operator that ran beside the cluster leaves its address.
    drop(Operator::start(&own.environment, "preflight")?);
    install.is_refused((HOME, "", "the webhook configurations point at https://"))?;
    let both = "mutatingwebhookconfiguration,validatingwebhookconfiguration";
    kubectl.run(&["delete", both, "mcp-operator"])?;
    for refused in REFUSED {
        install.is_refused(refused)?;
    }
    kubectl.apply(&of_another_operator().to_string())?;
    install.is_refused((
        HOME,
        "",
        "the cluster has an operator in the namespace elsewhere, and can have one only",
    ))
}

struct Install<'a> {
    helm: Helm,
    kubectl: &'a Kubectl,
}

impl Install<'_> {
    fn is_refused(&self, (namespace, values, why): (&str, &str, &str)) -> Result<()> {
        let made = || {
            self.kubectl
                .run(&["get", MADE, "--all-namespaces", "--output=name"])
        };
        let before = made()?;
        let more = ["--create-namespace", "--set", values];
        let (name, chart) = ("mcp-operator", Helm::chart());
        let made_nothing = self.helm.release("install", name, namespace, &chart, &more);
        let Err(error) = made_nothing else {
            anyhow::bail!("{values} in {namespace} was installed");
        };
        ensure!(format!("{error:#}").contains(why), "{values}: {error:#}");
        let after = made()?;
        ensure!(before == after, "{values}: {before} before, {after} after");
        Ok(())
    }
}

/// The webhook of an operator in another namespace.
fn of_another_operator() -> serde_json::Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": "mcp-operator" },
        "webhooks": [{
            "name": "rules.mcpservers.mcp.litellm.ai", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": { "service": { "name": "mcp-operator-webhook-service", "namespace": "elsewhere" } },
        }],
    })
}
