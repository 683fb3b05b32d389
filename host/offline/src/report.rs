//! What the operator would tell in Reports of openreports.io, once these MCPServers are stored.

use std::collections::BTreeMap;
use std::io::{Write, stdout};

use anyhow::Result;
use kube::ResourceExt;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::report::{Violator, report};
use mcp_operator_core::yaml;
use mcp_operator_policy::{ReconcileInputs, default_and_validate};

use crate::Outcome;
use crate::check::{Admitted, unanswered};
use crate::documents::Document;
use crate::inputs::Inputs;

/// The servers that do not pass rules, by their namespace.
#[derive(Default)]
pub(crate) struct Reports(BTreeMap<String, BTreeMap<String, Violator>>);

impl Reports {
    /// Judges a server as the controller does: as it would be stored, or else as it was written. The outcome is that of
    /// admission, unless nobody can say.
    pub(crate) async fn judge(
        &mut self,
        inputs: &Inputs,
        document: &Document,
        admitted: Result<Admitted, Outcome>,
    ) -> Outcome {
        let admission = &inputs.admission;
        let (object, outcome) = match admitted {
            Ok((object, _)) => (Some(object), Outcome::Admitted),
            Err(Outcome::Unanswered) => return Outcome::Unanswered,
            Err(outcome) => (admission.definition.decode(&document.object).ok(), outcome),
        };
        // What no server can be made of is stored by nobody.
        let server = object.and_then(|object| serde_json::from_value::<McpServer>(object).ok());
        let Some(server) = server else {
            return outcome;
        };
        let (namespace, name) = (server.namespace().unwrap_or_default(), server.name_any());
        let reconcile = ReconcileInputs {
            build: &admission.state.build,
            namespace: inputs.namespaces.facts(&namespace),
        };
        let plugins = admission.state.snapshots.current();
        let judgement = match default_and_validate(&server, &reconcile, &plugins).await {
            Ok(judgement) => judgement,
            Err(error) => return unanswered(document, &error.to_string()),
        };
        let violations = judgement.violations();
        if !violations.is_empty() {
            let violator = Violator {
                name: name.clone(),
                uid: server.uid(),
                violations: violations.into(),
            };
            self.0.entry(namespace).or_default().insert(name, violator);
        }
        outcome
    }

    /// One document for each namespace.
    pub(crate) fn print(self) -> Result<()> {
        let mut is_first = true;
        for (namespace, servers) in self.0 {
            let servers: Vec<Violator> = servers.into_values().collect();
            let text = yaml::to_string(&report(&namespace, &servers))?;
            if !std::mem::take(&mut is_first) {
                writeln!(stdout(), "---")?;
            }
            write!(stdout(), "{text}")?;
        }
        Ok(())
    }
}
