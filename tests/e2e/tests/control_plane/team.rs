//! A team that may write MCPServers in its namespace, and nothing else.

use anyhow::{Result, ensure};
use mcp_e2e::eventually;
use serde_json::{Value, json};

use crate::world::{SOON, World};

/// A team of a namespace, as which requests are sent.
pub(crate) struct Team {
    pub(crate) world: World,
    user: String,
}

impl Team {
    pub(crate) fn new(namespace: &str) -> Result<Self> {
        let world = World::new(namespace);
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": { "name": "servers", "namespace": namespace },
            "rules": [{ "apiGroups": ["mcp.litellm.ai"], "resources": ["mcpservers"], "verbs": ["*"] }],
        });
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": { "name": "servers", "namespace": namespace },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "servers" },
            "subjects": [{ "kind": "ServiceAccount", "name": "dev", "namespace": namespace }],
        });
        for object in [role, binding] {
            world.kubectl.apply(&object.to_string())?;
        }
        let user = format!("--as=system:serviceaccount:{namespace}:dev");
        let team = Self { world, user };
        eventually("the team has its rights", SOON, || {
            team.run(&["get", "mcpservers"], "").map(drop)
        })?;
        Ok(team)
    }

    /// `kubectl`, as the team.
    pub(crate) fn run(&self, args: &[&str], input: &str) -> Result<String> {
        let who = ["--namespace", &self.world.namespace, &self.user];
        self.world.kubectl.pipe(&[args, &who].concat(), input)
    }

    pub(crate) fn apply(&self, spec: Value) -> Result<String> {
        let server = self.world.server("a", spec).to_string();
        self.run(&["apply", "--filename", "-"], &server)
    }

    /// The only error of a server that must be refused.
    pub(crate) fn refused(&self, spec: Value) -> Result<String> {
        let error = match self.apply(spec.clone()) {
            Ok(_) => anyhow::bail!("{spec} was accepted"),
            Err(error) => error.to_string(),
        };
        ensure!(!error.contains("\n* "), "one error: {error}");
        Ok(error)
    }

    /// As an administrator of the platform, who gives the namespace an annotation.
    pub(crate) fn allow(&self, annotation: &str) -> Result<()> {
        let annotate = ["annotate", "namespace", &self.world.namespace, annotation];
        self.world.kubectl.run(&annotate).map(drop)
    }
}
