//! `mcp-operator render`.

use std::io::{Write, stdout};

use anyhow::Result;
use kube::ResourceExt;
use mcp_operator_api::names::SERVER_KIND;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::build;
use mcp_operator_core::field::FieldError;
use mcp_operator_core::manifest::{Mutated, Objects};
use mcp_operator_core::yaml;
use mcp_operator_policy::{
    Judgement, PolicyError, ReconcileInputs, default_and_validate, mutate_objects,
};
use serde_json::Value;

use crate::Outcome;
use crate::check::{admitted, unanswered};
use crate::inputs::{Inputs, Sources};

/// Prints the objects that each MCPServer becomes.
///
/// # Errors
/// When the manifests or the plugins cannot be used.
pub async fn render(sources: Sources) -> Result<Outcome> {
    let inputs = Inputs::read(sources).await?;
    let mut worst = Outcome::Admitted;
    let mut is_first = true;
    for document in &inputs.servers {
        let object = match admitted(&inputs, document).await {
            Ok((object, _)) => object,
            Err(outcome) => {
                worst = worst.max(outcome);
                continue;
            }
        };
        match rendered(&inputs, object).await {
            Ok(Rendered::Objects(objects)) => {
                let texts = objects
                    .iter()
                    .map(|manifest| yaml::to_string(&manifest.object));
                let mut texts = texts.collect::<Result<Vec<_>, _>>()?;
                if texts.is_empty() {
                    texts.push(elsewhere(document.title().as_str()));
                }
                for text in texts {
                    if !std::mem::take(&mut is_first) {
                        writeln!(stdout(), "---")?;
                    }
                    write!(stdout(), "{text}")?;
                }
            }
            Ok(Rendered::Invalid(errors)) => {
                eprintln!("{}", refused(document.title().as_str(), &errors));
                worst = worst.max(Outcome::Denied);
            }
            Err(error) => worst = worst.max(unanswered(document, &error.to_string())),
        }
    }
    Ok(worst)
}

enum Rendered {
    Objects(Objects<Mutated>),
    Invalid(Vec<FieldError>),
}

/// What the controller does with an MCPServer, up to the step that writes.
async fn rendered(inputs: &Inputs, object: Value) -> Result<Rendered, PolicyError> {
    let state = &inputs.admission.state;
    let server: McpServer =
        serde_json::from_value(object).map_err(|error| PolicyError::NotAServer {
            reason: error.to_string(),
        })?;
    let plugins = state.snapshots.current();
    let reconcile = ReconcileInputs {
        build: &state.build,
        namespace: inputs
            .namespaces
            .facts(&server.namespace().unwrap_or_default()),
    };
    let admitted = match default_and_validate(&server, &reconcile, &plugins).await? {
        Judgement::Admitted(admitted) => admitted,
        Judgement::Invalid(invalid) => return Ok(Rendered::Invalid(invalid.errors)),
    };
    let built = build::objects(&admitted.server, &state.build)?;
    let mutated = mutate_objects(&admitted, &reconcile, &plugins, built).await?;
    Ok(Rendered::Objects(mutated))
}

fn elsewhere(title: &str) -> String {
    format!("# {title} runs elsewhere: nothing is made of it.\n")
}

/// Rules can say something else to the controller than in admission.
fn refused(title: &str, errors: &[FieldError]) -> String {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let name = title.trim_start_matches(SERVER_KIND).trim();
    format!(
        "The {SERVER_KIND} {name:?} is admitted, but would not be applied: {}",
        errors.join("; ")
    )
}
