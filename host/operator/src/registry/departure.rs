//! How a registrar leaves: it gets a plan for no servers, until nothing of it is left. One that cannot be reached any more
//! is not waited for.

use std::sync::Arc;

use mcp_operator_core::succession::{Departure, Registrar, departure as departure_of};
use tracing::warn;

use super::Tools;
use super::consult::{consult, describe};
use super::execute::carry_out;
use super::record::Recorded;
use crate::error::Error;
use crate::plugins::ActivePlugin;

/// Looks at one that leaves, in one pass: it writes, rolls, and may then be done.
const LOOKS: usize = 3;

/// One that leaves.
pub(super) struct Leaving {
    pub(super) recorded: Recorded,
    /// Or why it cannot be put into force again.
    pub(super) plugin: Result<Arc<ActivePlugin>, String>,
}

impl Leaving {
    /// Lets it leave as far as it goes now. Its places that the appointed one looks after, too, are that one's already: to
    /// clear them would take everybody out. So one that cannot say where they are is not told to clear anything.
    pub(super) async fn go_on(
        &self,
        tools: &Tools,
        appointed: &ActivePlugin,
        new: &Registrar,
    ) -> Departure {
        if self.recorded.is(appointed) {
            return Departure::Done;
        }
        let plugin = match &self.plugin {
            Ok(plugin) => plugin,
            Err(why) => return Departure::Stuck(why.clone()),
        };
        match describe(plugin).await {
            Ok(old) if old.must_leave_before(new) => leave(tools, plugin).await,
            Ok(_) => Departure::Done,
            Err(error) => Departure::Stuck(error.to_string()),
        }
    }
}

/// Whether a registrar must clear its places before another one registers. One that cannot say any more where they are
/// must: nobody else knows them.
pub(super) async fn leaves_before(before: &ActivePlugin, new: &Registrar) -> bool {
    match describe(before).await {
        Ok(old) => old.must_leave_before(new),
        Err(error) => {
            warn!(plugin = before.name(), %error, "a registrar cannot say where it registers");
            true
        }
    }
}

/// Carries out its plan for no servers.
async fn leave(tools: &Tools, plugin: &ActivePlugin) -> Departure {
    let mut departure = Departure::Done;
    for _ in 0..LOOKS {
        let advice = match consult(tools, plugin, &[]).await {
            Ok(advice) => advice,
            Err(error) => return Departure::Stuck(error.to_string()),
        };
        departure = departure_of(&advice.observations, &advice.plan);
        if !matches!(departure, Departure::Going(_)) || advice.plan.steps.is_empty() {
            return departure;
        }
        let outcome = carry_out(&tools.client, &advice.session, &advice.plan.steps).await;
        if let Some((_, error)) = outcome.failed.into_iter().next() {
            // Somebody else's rollout ends, too.
            return match error {
                Error::RolloutGoingOn { .. } => Departure::Going(error.to_string()),
                _ => Departure::Stuck(error.to_string()),
            };
        }
    }
    departure
}
