//! `mcp-operator check`.

use std::collections::BTreeSet;
use std::io::{Write, stdout};

use anyhow::Result;
use mcp_operator_api::names::GROUP;
use serde_json::Value;

use crate::admission::Refusal;
use crate::documents::Document;
use crate::inputs::{Inputs, Sources};
use crate::{Outcome, kubectl};

/// Says what admission would say about each MCPServer.
///
/// # Errors
/// When the manifests or the plugins cannot be used.
pub async fn check(sources: Sources) -> Result<Outcome> {
    let inputs = Inputs::read(sources).await?;
    let mut worst = Outcome::Admitted;
    for document in &inputs.servers {
        match admitted(&inputs, document).await {
            Ok((object, answered)) => {
                let (plural, name) = (&inputs.admission.definition.plural, name(&object));
                let one = plural.trim_end_matches('s');
                let by = by(&answered);
                writeln!(stdout(), "{one}.{GROUP}/{name} admitted{by}")?;
            }
            Err(outcome) => worst = worst.max(outcome),
        }
    }
    Ok(worst)
}

/// A rule that nobody asked lets everything pass: who reads the answer sees whose it is.
fn by(answered: &BTreeSet<String>) -> String {
    if answered.is_empty() {
        return "; no plugin is for it".into();
    }
    let names: Vec<&str> = answered.iter().map(String::as_str).collect();
    format!(" by {}", names.join(", "))
}

/// The MCPServer as it would be stored, and the plugins that have answered. Everything else is printed on standard error, as
/// kubectl does.
pub(crate) async fn admitted(
    inputs: &Inputs,
    document: &Document,
) -> Result<(Value, BTreeSet<String>), Outcome> {
    let (answer, notes) = inputs.admission.admit(&document.object).await;
    for warning in notes.warnings {
        eprintln!("Warning: {warning}");
    }
    let stored = answer.map(|object| (object, notes.answered));
    stored.map_err(|refusal| match refusal {
        Refusal::Denied(status) => {
            let denial = kubectl::denial(&status);
            let namespace = document.object["metadata"]["namespace"].as_str();
            let namespace = namespace.unwrap_or_default();
            // Only where the answer speaks of it does it matter what was not known.
            if denial.contains(&format!("namespace {namespace} "))
                && !inputs.namespaces.is_given(namespace)
            {
                eprintln!(
                    "note: namespace {namespace} is not among the manifests, and was judged as one without annotations: give it with --filename"
                );
            }
            eprintln!("{denial}");
            Outcome::Denied
        }
        Refusal::BadRequest(message) => {
            eprintln!("{}", kubectl::bad_request(&document.source, &message));
            Outcome::Unanswered
        }
        Refusal::Unanswered(message) => unanswered(document, &message),
    })
}

/// Prints why nobody can say.
pub(crate) fn unanswered(document: &Document, message: &str) -> Outcome {
    eprintln!(
        "error: {}: {}: {message}",
        document.source,
        document.title()
    );
    Outcome::Unanswered
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}
