//! `mcp-operator check`.

use std::io::{Write, stdout};

use anyhow::Result;
use mcp_operator_api::names::GROUP;
use serde_json::Value;

use super::admission::Answer;
use super::arguments::ManifestArguments;
use super::documents::Document;
use super::world::World;
use super::{Outcome, kubectl};

/// Says what admission would say about each MCPServer.
///
/// # Errors
/// When the manifests or the plugins cannot be used.
pub async fn check(arguments: ManifestArguments) -> Result<Outcome> {
    let world = World::open(&arguments).await?;
    let mut worst = Outcome::Admitted;
    for document in &world.servers {
        match admitted(&world, document).await {
            Ok(object) => {
                let (plural, name) = (&world.admission.definition.plural, name(&object));
                let one = plural.trim_end_matches('s');
                writeln!(stdout(), "{one}.{GROUP}/{name} admitted")?;
            }
            Err(outcome) => worst = worst.max(outcome),
        }
    }
    Ok(worst)
}

/// The MCPServer as it would be stored. Everything else is told on standard error, as kubectl does.
pub(super) async fn admitted(world: &World, document: &Document) -> Result<Value, Outcome> {
    let (answer, warnings) = world.admission.admit(&document.object).await;
    for warning in warnings {
        eprintln!("Warning: {warning}");
    }
    match answer {
        Answer::Admitted(object) => Ok(object),
        Answer::Denied(status) => {
            eprintln!("{}", kubectl::denial(&status));
            Err(Outcome::Denied)
        }
        Answer::BadRequest(message) => {
            eprintln!("{}", kubectl::bad_request(&document.source, &message));
            Err(Outcome::Unanswered)
        }
        Answer::Unanswered(message) => Err(unanswered(document, &message)),
    }
}

/// Tells why nobody can say.
pub(super) fn unanswered(document: &Document, message: &str) -> Outcome {
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
