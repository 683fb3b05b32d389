//! Asks a registrar what it would do: its reads, what they show, its plan.

use mcp_operator_core::registration::{Observation, Observed, Plan};
use mcp_operator_core::registry::Entry;
use mcp_operator_core::succession::Registrar;
use tracing::warn;

use super::Tools;
use super::read::read;
use crate::connections::Session;
use crate::error::Error;
use crate::plugins::ActivePlugin;

/// What a registrar saw, and what it would do.
pub(super) struct Advice<'a> {
    pub(super) session: Session<'a>,
    pub(super) observations: Vec<Observation>,
    pub(super) plan: Plan,
}

impl Advice<'_> {
    /// Whether something could not be read that may be readable later.
    pub(super) fn is_unanswered(&self) -> bool {
        self.observations
            .iter()
            .any(|observation| match &observation.state {
                Observed::Unavailable(_) => true,
                Observed::Http(answer) => matches!(answer.status, 408 | 425 | 429 | 500..),
                Observed::ConfigKey(_) | Observed::Workload(_) => false,
            })
    }
}

/// Asks for a plan that makes these servers, and no others, known.
pub(super) async fn consult<'a>(
    tools: &Tools,
    registrar: &'a ActivePlugin,
    servers: &[Entry],
) -> Result<Advice<'a>, Error> {
    let failed = |failure| Error::Plugins(vec![failure]);
    let reads = registrar.observe().await.map_err(failed)?;
    let session = Session::open(&tools.client, registrar.connections(), &tools.left_alone).await;
    let observations = read(&tools.client, &session, &reads).await;
    for observation in &observations {
        if let Observed::Unavailable(why) = &observation.state {
            warn!(
                read = observation.id,
                error = why,
                "the registrar's read failed"
            );
        }
    }
    let planned = registrar
        .plan(&tools.settings.instance, servers, &observations)
        .await;
    Ok(Advice {
        session,
        plan: planned.map_err(failed)?,
        observations,
    })
}

/// A registrar, as far as it matters for its succession.
pub(super) async fn describe(registrar: &ActivePlugin) -> Result<Registrar, Error> {
    let reads = registrar.observe().await;
    let reads = reads.map_err(|failure| Error::Plugins(vec![failure]))?;
    let base_url = |name: &str| {
        let mut connections = registrar.connections().base_urls();
        connections
            .find(|(known, _)| *known == name)
            .map(|(_, url)| url.to_owned())
    };
    Ok(Registrar::new(
        &registrar.description().name,
        &reads,
        base_url,
    ))
}
