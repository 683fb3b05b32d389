//! Exactly one registrar registers. When another is appointed, the one before leaves nothing behind.
//!
//! The appointed one is asked first whether it could register at all: until it can, the one before goes on. Then that one
//! gets a plan for no servers, until nothing of it is left; one that cannot be reached any more is not waited for.

use std::sync::Arc;

use mcp_operator_core::registry::Entry;
use mcp_operator_core::succession::{Departure, can_take_over, departure as departure_of};
use tracing::{info, warn};

use super::Tools;
use super::consult::{consult, describe};
use super::execute::carry_out;
use super::record::{Record, Recorded, Records};
use crate::error::Error;
use crate::plugins::{ActivePlugin, Snapshot, activate_again};

/// Looks at one that leaves, in one pass: it writes, rolls, and may then be done.
const LOOKS: usize = 3;

/// Who registers, and who leaves.
pub(super) struct Succession {
    records: Records,
    known: bool,
    in_force: Option<Arc<ActivePlugin>>,
    leaving: Vec<Leaving>,
}

/// One that leaves.
struct Leaving {
    recorded: Recorded,
    /// Nothing: it cannot be put into force any more.
    plugin: Result<Arc<ActivePlugin>, String>,
}

/// Whose turn it is.
pub(super) enum Turn {
    /// There is no registrar.
    Nobody,
    /// This one registers. `waiting`: another is appointed, and why it cannot yet. `stuck`: what could not be cleared.
    Of {
        registrar: Arc<ActivePlugin>,
        waiting: Option<(Arc<ActivePlugin>, String)>,
        stuck: Option<String>,
    },
    /// Nobody registers until the one before has left: which one, and how far it is.
    Between {
        coming: Arc<ActivePlugin>,
        leaving: String,
        message: String,
    },
}

impl Succession {
    pub(super) fn new(records: Records) -> Self {
        Self {
            records,
            known: false,
            in_force: None,
            leaving: Vec::new(),
        }
    }

    /// Decides whose turn it is, and lets leave who has to.
    pub(super) async fn turn(
        &mut self,
        tools: &Tools,
        plugins: &Snapshot,
        servers: &[Entry],
    ) -> Result<Turn, Error> {
        self.remember(tools, plugins).await?;
        let Some(appointed) = plugins.registrar().cloned() else {
            return Ok(Turn::Nobody);
        };
        if let Some(why) = self.appoint(tools, &appointed, servers).await? {
            let registrar = self.in_force.clone().unwrap_or_else(|| appointed.clone());
            return Ok(Turn::Of {
                registrar,
                waiting: Some((appointed, why)),
                stuck: None,
            });
        }
        let mut stuck = None;
        for (leaving, departure) in self.let_leave(tools).await? {
            match departure {
                Departure::Done => {}
                Departure::Going(message) => {
                    return Ok(Turn::Between {
                        coming: appointed,
                        leaving,
                        message,
                    });
                }
                Departure::Stuck(why) => {
                    let forget = self.records.place();
                    stuck = Some(format!(
                        "{leaving} cannot clear what it registered: {why}. To give that up, delete {forget} and restart the operator"
                    ));
                }
            }
        }
        Ok(Turn::Of {
            registrar: appointed,
            waiting: None,
            stuck,
        })
    }

    /// After a start: who was in force before.
    async fn remember(&mut self, tools: &Tools, plugins: &Snapshot) -> Result<(), Error> {
        if self.known {
            return Ok(());
        }
        let record = self.records.read().await?;
        if let Some(recorded) = record.in_force {
            match find(tools, plugins, &recorded).await {
                Ok(plugin) => self.in_force = Some(plugin),
                Err(why) => {
                    warn!(
                        plugin = recorded.plugin,
                        error = why,
                        "the last registrar cannot be asked any more"
                    );
                    self.leaving.push(Leaving {
                        recorded,
                        plugin: Err(why),
                    });
                }
            }
        }
        for recorded in record.leaving {
            let plugin = find(tools, plugins, &recorded).await;
            self.leaving.push(Leaving { recorded, plugin });
        }
        self.known = true;
        Ok(())
    }

    /// Puts the appointed one into force, or says why it waits.
    async fn appoint(
        &mut self,
        tools: &Tools,
        appointed: &Arc<ActivePlugin>,
        servers: &[Entry],
    ) -> Result<Option<String>, Error> {
        if let Some(before) = self.in_force.clone() {
            if before.fingerprint() == appointed.fingerprint() {
                return Ok(None);
            }
            let (old, new) = (describe(&before).await?, describe(appointed).await?);
            if old.must_leave_before(&new) {
                let advice = consult(tools, appointed, servers).await?;
                if let Err(why) = can_take_over(&advice.observations, &advice.plan) {
                    return Ok(Some(why));
                }
                info!(
                    from = before.name(),
                    to = appointed.name(),
                    "another registrar takes over"
                );
                self.leaving
                    .extend(Recorded::of(&before).map(|recorded| Leaving {
                        recorded,
                        plugin: Ok(before),
                    }));
            }
        }
        self.forget_covered(appointed).await?;
        // First the record: what is registered from now on would otherwise be lost with a crash.
        self.write_record(Some(appointed)).await?;
        self.in_force = Some(appointed.clone());
        Ok(None)
    }

    /// Who comes back looks after its places itself.
    async fn forget_covered(&mut self, appointed: &ActivePlugin) -> Result<(), Error> {
        let new = describe(appointed).await?;
        let mut staying = Vec::new();
        for leaving in std::mem::take(&mut self.leaving) {
            let covered = match &leaving.plugin {
                Ok(plugin) => !describe(plugin).await?.must_leave_before(&new),
                Err(_) => leaving.recorded.is(appointed),
            };
            if !covered {
                staying.push(leaving);
            }
        }
        self.leaving = staying;
        Ok(())
    }

    /// Each that leaves: its name, and how far it is. Those that are done are forgotten.
    async fn let_leave(&mut self, tools: &Tools) -> Result<Vec<(String, Departure)>, Error> {
        let mut departures = Vec::new();
        for leaving in &self.leaving {
            let departure = match &leaving.plugin {
                Ok(plugin) => leave(tools, plugin).await,
                Err(why) => Departure::Stuck(why.clone()),
            };
            info!(
                plugin = leaving.recorded.plugin,
                ?departure,
                "a registrar leaves"
            );
            departures.push((leaving.recorded.plugin.clone(), departure));
        }
        let before = self.leaving.len();
        let mut done = departures
            .iter()
            .map(|(_, departure)| *departure == Departure::Done);
        self.leaving.retain(|_| !done.next().unwrap_or_default());
        if self.leaving.len() != before {
            let in_force = self.in_force.clone();
            self.write_record(in_force.as_ref()).await?;
        }
        Ok(departures)
    }

    /// Writes the record unless it says this already.
    async fn write_record(&self, in_force: Option<&Arc<ActivePlugin>>) -> Result<(), Error> {
        let leaving = self.leaving.iter().map(|leaving| Recorded {
            plugin: leaving.recorded.plugin.clone(),
            spec: leaving.recorded.spec.clone(),
        });
        let record = Record {
            in_force: in_force.and_then(|plugin| Recorded::of(plugin)),
            leaving: leaving.collect(),
        };
        self.records.write(&record).await
    }
}

/// The plugin of a record: as it is in force, or put into force again.
async fn find(
    tools: &Tools,
    plugins: &Snapshot,
    recorded: &Recorded,
) -> Result<Arc<ActivePlugin>, String> {
    if let Some(plugin) = plugins.plugins().iter().find(|plugin| recorded.is(plugin)) {
        return Ok(plugin.clone());
    }
    activate_again(
        &tools.client,
        &tools.host,
        &tools.builtin,
        &recorded.plugin,
        recorded.spec.get(),
    )
    .await
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
        let failed = carry_out(&tools.client, &advice.session, &advice.plan.steps).await;
        if let Some(first) = failed.into_iter().next() {
            return Departure::Stuck(first.error.to_string());
        }
    }
    departure
}
