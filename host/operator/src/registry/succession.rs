//! Exactly one registrar registers. When another is appointed, the one before leaves nothing behind.
//!
//! The appointed one is asked first whether it could register at all, also when it is but a new version of the one before:
//! until it can, the one before goes on. Then that one leaves ([`super::departure`]).

use std::sync::Arc;

use mcp_operator_core::registry::Entry;
use mcp_operator_core::succession::{Departure, Registrar, can_take_over};
use tracing::{info, warn};

use super::Tools;
use super::consult::{Advice, consult, describe};
use super::departure::{Leaving, leaves_before};
use super::record::{Record, Recorded, Records};
use crate::error::Error;
use crate::plugins::{ActivePlugin, Snapshot, activate_again};

/// Who registers, and who leaves.
pub(super) struct Succession {
    records: Records,
    known: bool,
    in_force: Option<Arc<ActivePlugin>>,
    leaving: Vec<Leaving>,
}

/// What comes of appointing a registrar.
enum Appointment {
    /// It registers from now on.
    InForce,
    /// It cannot register, or fails; the one before goes on.
    Waits {
        before: Arc<ActivePlugin>,
        why: String,
    },
    /// It fails, and there is none before.
    Fails(Error),
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
    /// The appointed one fails, and there is none before it.
    Failing {
        coming: Arc<ActivePlugin>,
        why: Error,
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
        match self.appoint(tools, &appointed, servers).await? {
            Appointment::InForce => {}
            Appointment::Waits { before, why } => {
                return Ok(Turn::Of {
                    registrar: before,
                    waiting: Some((appointed, why)),
                    stuck: None,
                });
            }
            Appointment::Fails(why) => {
                return Ok(Turn::Failing {
                    coming: appointed,
                    why,
                });
            }
        }
        let mut stuck = None;
        for (leaving, departure) in self.let_leave(tools, plugins, &appointed).await? {
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
    ) -> Result<Appointment, Error> {
        let before = self.in_force.clone();
        if before
            .as_ref()
            .is_some_and(|before| before.fingerprint() == appointed.fingerprint())
        {
            return Ok(Appointment::InForce);
        }
        let (new, advice) = match audition(tools, appointed, servers).await {
            Ok(heard) => heard,
            Err(error) => {
                return Ok(match before {
                    Some(before) => Appointment::Waits {
                        before,
                        why: error.to_string(),
                    },
                    None => Appointment::Fails(error),
                });
            }
        };
        let leaving = self.leaving.len();
        if let Some(before) = before
            && leaves_before(&before, &new).await
        {
            if let Err(why) = can_take_over(&advice.observations, &advice.plan) {
                return Ok(Appointment::Waits { before, why });
            }
            info!(
                from = before.name(),
                to = appointed.name(),
                "another registrar takes over"
            );
            let recorded = Recorded::of(&before);
            self.leaving.extend(recorded.map(|recorded| Leaving {
                recorded,
                plugin: Ok(before),
            }));
        }
        // First the record: what is registered from now on would otherwise be lost with a crash.
        if let Err(error) = self.write_record(Some(appointed)).await {
            // The one before goes on, and leaves in a later pass.
            self.leaving.truncate(leaving);
            return Err(error);
        }
        self.in_force = Some(appointed.clone());
        Ok(Appointment::InForce)
    }

    /// Each that leaves: its name, and how far it is. Those that are done are forgotten.
    async fn let_leave(
        &mut self,
        tools: &Tools,
        plugins: &Snapshot,
        appointed: &ActivePlugin,
    ) -> Result<Vec<(String, Departure)>, Error> {
        if self.leaving.is_empty() {
            return Ok(Vec::new());
        }
        let new = describe(appointed).await?;
        let mut departures = Vec::new();
        let mut staying = Vec::new();
        let before = self.leaving.len();
        for mut leaving in std::mem::take(&mut self.leaving) {
            if leaving.plugin.is_err() {
                leaving.plugin = find(tools, plugins, &leaving.recorded).await;
            }
            let departure = leaving.go_on(tools, appointed, &new).await;
            let plugin = &leaving.recorded.plugin;
            info!(plugin, ?departure, "a registrar leaves");
            departures.push((plugin.clone(), departure.clone()));
            if departure != Departure::Done {
                staying.push(leaving);
            }
        }
        self.leaving = staying;
        if self.leaving.len() != before {
            let in_force = self.in_force.clone();
            self.write_record(in_force.as_ref()).await?;
        }
        Ok(departures)
    }

    /// Writes down who is in force and who leaves.
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

/// Asks a registrar that has not registered yet what it would do.
async fn audition<'a>(
    tools: &Tools,
    appointed: &'a ActivePlugin,
    servers: &[Entry],
) -> Result<(Registrar, Advice<'a>), Error> {
    let new = describe(appointed).await?;
    Ok((new, consult(tools, appointed, servers).await?))
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
