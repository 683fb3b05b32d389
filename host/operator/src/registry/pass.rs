//! One pass: from all MCPServers to the gateway.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::registry::{self, Desired};
use mcp_operator_core::retry::ErrorClass;
use tracing::warn;

use super::Tools;
use super::consult::consult;
use super::execute::carry_out;
use super::plugin_conditions::PluginConditions;
use super::statements::Statements;
use super::succession::{Succession, Turn};
use super::write_conditions::write_conditions;
use crate::error::Error;
use crate::plugins::{ActivePlugin, Snapshots};
use crate::server::{Guarded, Servers};

/// Everything that a pass needs, and what one leaves to the next.
pub(super) struct Registry {
    pub(super) tools: Tools,
    pub(super) snapshots: Snapshots,
    pub(super) servers: Servers,
    pub(super) succession: Succession,
    pub(super) plugin_conditions: PluginConditions,
    /// What the last pass registered: an MCPServer that cannot be read stays as it was.
    pub(super) last: Desired,
}

/// How it stands after a pass.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Nothing is going on that would need another look soon.
    pub(super) settled: bool,
    /// Why it could not be settled, if something failed.
    pub(super) failed: Option<ErrorClass>,
    /// Some steps were carried out.
    pub(super) progressed: bool,
    /// Something is missing, and there is nothing to do and nothing under way.
    pub(super) stalled: bool,
    /// When a grace period ends.
    pub(super) look_again: Option<Timestamp>,
    /// How long a service wants to be left alone.
    pub(super) leave_alone: Option<Duration>,
}

/// What should be registered.
pub(super) struct Wanted {
    /// Changes whenever something else should be.
    pub(super) entries: u64,
    /// Until when new servers may be about to serve.
    pub(super) arriving: Option<Timestamp>,
}

impl Registry {
    /// What should be registered now, and whether that is about to change.
    pub(super) fn wanted(&self) -> Wanted {
        let mut hasher = DefaultHasher::new();
        let desired = self.desired(&readable(&self.servers.all()));
        desired.entries.hash(&mut hasher);
        Wanted {
            entries: hasher.finish(),
            arriving: desired.arriving,
        }
    }

    /// One pass. Errors end in the conditions and in the log; the next pass tries again.
    pub(super) async fn pass(&mut self) -> Standing {
        let guarded = self.servers.all();
        let servers = readable(&guarded);
        let desired = self.desired(&servers);
        let (statements, mut standing) = self.converge(&desired).await.unwrap_or_else(|error| {
            warn!(category = error.category(), %error, "registration failed");
            let statements = Statements::of_all(&desired, error.category(), &error.to_string());
            (statements, failed(&error))
        });
        let patience = self.tools.settings.registry_patience;
        let about = |server: &McpServer| statements.about(server, patience);
        let client = &self.tools.client;
        standing.settled &= write_conditions(client, &self.servers, &servers, about).await;
        standing.look_again = desired.look_again;
        self.last = desired;
        standing
    }

    fn desired(&self, servers: &[&McpServer]) -> Desired {
        let settings = &self.tools.settings;
        let mut desired = registry::desired(
            servers.iter().copied(),
            &settings.build,
            settings.registry_patience,
            Timestamp::now(),
        );
        for (namespace, name) in self.servers.unreadable() {
            if let Some(entry) = self.last.find(&namespace, &name) {
                desired.keep(entry.clone());
            }
        }
        desired
    }

    /// Finds out whose turn it is, and lets that one register.
    async fn converge(&mut self, desired: &Desired) -> Result<(Statements, Standing), Error> {
        let plugins = self.snapshots.current();
        let turn = self
            .succession
            .turn(&self.tools, &plugins, &desired.entries)
            .await?;
        let told = self.plugin_conditions.tell(&plugins, &turn).await;
        let (statements, mut standing) = match &turn {
            Turn::Nobody => {
                let message = "No MCPPlugin with a registrar is in force";
                (
                    Statements::of_all(desired, "NoRegistrar", message),
                    settled(),
                )
            }
            Turn::Failing { why, .. } => (
                Statements::of_all(desired, why.category(), &why.to_string()),
                failed(why),
            ),
            Turn::Between {
                coming,
                leaving,
                message,
            } => {
                let message = format!(
                    "{} registers when {leaving} has left: {message}",
                    coming.name()
                );
                let statements = Statements::of_all(desired, "RegistrarChanging", &message);
                (statements.whatever_was_before(), Standing::default())
            }
            Turn::Of {
                registrar,
                waiting,
                stuck,
            } => {
                let (statements, standing) = register(&self.tools, registrar, desired).await?;
                let unfinished = waiting.is_some() || stuck.is_some();
                // Somebody else must mend what keeps another one from coming or going.
                let waits = (unfinished && standing.settled).then_some(ErrorClass::External);
                let failed = standing.failed.or(waits);
                (statements, Standing { failed, ..standing })
            }
        };
        standing.settled &= told;
        Ok((statements, standing))
    }
}

fn readable(guarded: &[Arc<Guarded>]) -> Vec<&McpServer> {
    let servers = guarded.iter().filter_map(|guarded| guarded.0.as_ref().ok());
    servers.collect()
}

/// Observes, plans, and carries out what is planned.
async fn register(
    tools: &Tools,
    registrar: &ActivePlugin,
    desired: &Desired,
) -> Result<(Statements, Standing), Error> {
    let advice = consult(tools, registrar, &desired.entries).await?;
    let outcome = carry_out(&tools.client, &advice.session, &advice.plan.steps).await;
    let is_passing = advice.observations.iter().any(|it| it.state.is_passing());
    let is_idle = advice.plan.steps.is_empty() && !is_passing;
    let unanswered = advice.is_unanswered().then_some(ErrorClass::Transient);
    let classes = outcome.failed.iter().map(|(_, error)| error.class());
    let standing = Standing {
        settled: is_idle && !advice.plan.is_pending(),
        failed: classes
            .chain(unanswered)
            .min_by_key(|class| patience(*class)),
        progressed: !outcome.done.is_empty(),
        stalled: is_idle && advice.plan.is_pending(),
        look_again: None,
        leave_alone: advice.session.wait(),
    };
    Ok((Statements::of_plan(desired, &advice, &outcome), standing))
}

/// Of several classes of errors, the one that is tried again first decides.
fn patience(class: ErrorClass) -> u8 {
    match class {
        ErrorClass::Conflict => 0,
        ErrorClass::Transient | ErrorClass::PluginGuest | ErrorClass::PluginHost => 1,
        ErrorClass::External => 2,
        ErrorClass::Terminal => 3,
    }
}

fn settled() -> Standing {
    Standing {
        settled: true,
        ..Standing::default()
    }
}

fn failed(error: &Error) -> Standing {
    Standing {
        failed: Some(error.class()),
        ..Standing::default()
    }
}
