//! `mcp-operator check`.

use std::collections::BTreeSet;
use std::io::{Write, stdout};

use anyhow::Result;
use mcp_operator_api::names::GROUP;
use serde_json::Value;

use crate::admission::Refusal;
use crate::documents::Document;
use crate::inputs::{Inputs, Sources};
use crate::report::Reports;
use crate::{Outcome, kubectl};

/// Says what admission would say about each MCPServer; with `as_report`, in Reports as the operator would write them.
///
/// # Errors
/// When the manifests or the plugins cannot be used.
pub async fn check(sources: Sources, as_report: bool) -> Result<Outcome> {
    let inputs = Inputs::read(sources).await?;
    let mut worst = Outcome::Admitted;
    let mut reports = Reports::default();
    for document in &inputs.servers {
        let answer = admitted(&inputs, document).await;
        if as_report {
            worst = worst.max(reports.judge(&inputs, document, answer).await);
            continue;
        }
        match answer {
            Ok((object, answered)) => {
                let (plural, name) = (&inputs.admission.definition.plural, name(&object));
                let one = plural.trim_end_matches('s');
                let by = by(&answered);
                writeln!(stdout(), "{one}.{GROUP}/{name} admitted{by}")?;
            }
            Err(outcome) => worst = worst.max(outcome),
        }
    }
    reports.print()?;
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

/// The MCPServer as it would be stored, and the plugins that have answered.
pub(crate) type Admitted = (Value, BTreeSet<String>);

/// The MCPServer as it would be stored, and who has answered. Everything else is printed on standard error, as
/// kubectl does.
pub(crate) async fn admitted(inputs: &Inputs, document: &Document) -> Result<Admitted, Outcome> {
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
