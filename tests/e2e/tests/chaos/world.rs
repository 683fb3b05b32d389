//! What the replicas live in: a control plane, a gateway, and a way to the webhook.

use std::fs;

use anyhow::Result;
use mcp_e2e::{Environment, LiteLlm, OwnCluster};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::service::WebhookService;

/// Namespace of the operator.
pub(crate) const OPERATOR: &str = "mcp-operator-system";

/// What is asked for is noted where the referee needs it: of MCPServers, and of the lease. So is what a user is told who lists
/// what is stored: an answer that never came says nothing of it.
const AUDIT_POLICY: &str = r"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Request
  verbs: [create, update, patch, delete]
  resources:
  - {group: mcp.litellm.ai, resources: [mcpservers, mcpservers/status]}
  - {group: coordination.k8s.io, resources: [leases]}
- level: RequestResponse
  users: [admin]
  verbs: [list]
  resources:
  - {group: mcp.litellm.ai, resources: [mcpservers]}
  - {group: apps, resources: [deployments]}
  - {group: '', resources: [serviceaccounts, services, configmaps]}
- level: Metadata
";

pub(crate) struct World {
    pub(crate) own: OwnCluster,
    pub(crate) litellm: LiteLlm,
    pub(crate) service: WebhookService,
    /// The socket of the Service.
    pub(crate) folder: TempDir,
}

impl World {
    /// Starts it, without an operator: MCPServers are to be registered with the stand-in.
    pub(crate) fn start() -> Result<Self> {
        let logs = Environment::open()?.logs;
        let folder = tempfile::tempdir()?;
        let service = WebhookService::start(folder.path())?;
        let policy = logs.join("chaos-audit-policy.yaml");
        fs::write(&policy, AUDIT_POLICY)?;
        let egress = logs.join("chaos-egress.yaml");
        fs::write(&egress, service.egress().to_string())?;
        let own = OwnCluster::start(
            "chaos",
            &[
                // The later one of two is taken.
                &format!("--audit-policy-file={}", policy.display()),
                &format!("--egress-selector-config-file={}", egress.display()),
            ],
        )?;
        let litellm = LiteLlm::start()?;
        for object in gateway(&litellm) {
            own.kubectl().apply(&object.to_string())?;
        }
        own.kubectl()
            .run(&["delete", "mcpplugin", "litellm-configmap"])?;
        Ok(Self {
            own,
            litellm,
            service,
            folder,
        })
    }
}

fn gateway(litellm: &LiteLlm) -> [Value; 2] {
    [
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "key", "namespace": OPERATOR },
            "stringData": { "token": "first" },
        }),
        json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": "api" },
            "spec": {
                "source": { "builtin": "litellm-admin-api" }, "priority": 10,
                "connections": [{
                    "name": "litellm", "baseUrl": litellm.url(), "timeoutMilliseconds": 3000,
                    "auth": { "secretKeyRef": { "name": "key", "key": "token" } },
                }],
            },
        }),
    ]
}
