//! `mcp-operator render`.

use std::io::{Write, stdout};

use anyhow::Result;
use mcp_operator_api::names::SERVER_KIND;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::build;
use mcp_operator_core::field::FieldError;
use mcp_operator_core::manifest::Manifest;
use mcp_operator_core::yaml;
use serde_json::Value;

use super::Outcome;
use super::arguments::ManifestArguments;
use super::check::{admitted, unanswered};
use super::world::World;
use crate::Error;
use crate::server::{Basis, complete, judge};

/// Prints the objects that each MCPServer becomes.
///
/// # Errors
/// When the manifests or the plugins cannot be used.
pub async fn render(arguments: ManifestArguments) -> Result<Outcome> {
    let world = World::open(&arguments).await?;
    let mut worst = Outcome::Admitted;
    let mut is_first = true;
    for document in &world.servers {
        let object = match admitted(&world, document).await {
            Ok(object) => object,
            Err(outcome) => {
                worst = worst.max(outcome);
                continue;
            }
        };
        match objects(&world, object).await {
            Ok(Ok(manifests)) => {
                for manifest in manifests {
                    if !std::mem::take(&mut is_first) {
                        writeln!(stdout(), "---")?;
                    }
                    write!(stdout(), "{}", yaml::to_string(&manifest.object))?;
                }
            }
            Ok(Err(errors)) => {
                eprintln!("{}", refused(document.title().as_str(), &errors));
                worst = worst.max(Outcome::Denied);
            }
            Err(error) => worst = worst.max(unanswered(document, &error.to_string())),
        }
    }
    Ok(worst)
}

/// The pass of the controller, up to the step that writes; or what rules say against it.
async fn objects(
    world: &World,
    object: Value,
) -> Result<Result<Vec<Manifest>, Vec<FieldError>>, Error> {
    let state = &world.admission.state;
    let server: McpServer = serde_json::from_value(object).map_err(|_| Error::NotAServer)?;
    let plugins = state.snapshots.current();
    let basis = Basis {
        build: &state.build,
        namespaces: &state.namespaces,
    };
    let (server, errors) = judge(&server, &basis, &plugins).await?;
    if !errors.is_empty() {
        return Ok(Err(errors));
    }
    let built = build::objects(&server, &state.build);
    complete(&server, &basis, &plugins, built).await.map(Ok)
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
