//! One pass: from all MCPServers to the gateway.

use jiff::Timestamp;
use kube::Client;
use mcp_operator_api::names::conditions::LITELLM_REGISTERED;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::conditions::{Statement, Truth};
use mcp_operator_core::registration::{Observed, Plan, Registration, State, Step};
use mcp_operator_core::registry::{self, Desired};
use mcp_operator_core::retry::ErrorClass;
use mcp_operator_core::status::key;
use tracing::{info, warn};

use super::execute::execute;
use super::read::read;
use super::write_conditions::write_conditions;
use crate::error::Error;
use crate::plugins::{ActivePlugin, Snapshots};
use crate::server::Servers;
use crate::settings::Settings;

/// Everything that a pass needs.
pub(super) struct Registry {
    client: Client,
    settings: Settings,
    snapshots: Snapshots,
    servers: Servers,
}

/// How it stands after a pass.
#[derive(Debug)]
pub(super) struct Standing {
    /// Nothing is going on that would need another look soon.
    pub(super) settled: bool,
    /// Why it could not be settled, if something failed.
    pub(super) failed: Option<ErrorClass>,
    /// When a grace period ends.
    pub(super) look_again: Option<Timestamp>,
}

impl Registry {
    pub(super) fn new(
        client: Client,
        settings: Settings,
        snapshots: Snapshots,
        servers: Servers,
    ) -> Self {
        Self {
            client,
            settings,
            snapshots,
            servers,
        }
    }

    /// One pass. Errors end in the conditions and in the log; the next pass tries again.
    pub(super) async fn pass(&self) -> Standing {
        let guarded = self.servers.all();
        let servers: Vec<&McpServer> = guarded
            .iter()
            .filter_map(|guarded| guarded.0.as_ref().ok())
            .collect();
        let desired = registry::desired(
            servers.iter().copied(),
            &self.settings.build,
            self.settings.registry_grace,
            Timestamp::now(),
        );
        let plugins = self.snapshots.current();
        let Some(registrar) = plugins.registrar() else {
            let statements = Statements::of_all(
                &desired,
                "NoRegistrar",
                "No MCPPlugin with a registrar is in force",
            );
            let settled = self.tell(&servers, &statements).await;
            return Standing {
                settled,
                failed: None,
                look_again: desired.look_again,
            };
        };
        let (settled, failed) = match self.converge(registrar, &desired).await {
            Ok(outcome) => {
                let statements =
                    Statements::of_plan(&desired, &outcome.plan, outcome.failed.as_ref());
                let told = self.tell(&servers, &statements).await;
                let failed = outcome.failed.map(|failed| failed.error.class());
                (outcome.settled && told, failed)
            }
            Err(error) => {
                warn!(category = error.category(), %error, "registration failed");
                let statements = Statements::of_all(&desired, error.category(), &error.to_string());
                self.tell(&servers, &statements).await;
                (false, Some(error.class()))
            }
        };
        Standing {
            settled,
            failed,
            look_again: desired.look_again,
        }
    }

    /// Observes, plans, and carries out what is planned.
    async fn converge(
        &self,
        registrar: &ActivePlugin,
        desired: &Desired,
    ) -> Result<Outcome, Error> {
        let failed = |failure| Error::Plugins(vec![failure]);
        let reads = registrar.observe().await.map_err(failed)?;
        let observations = read(&self.client, &reads).await;
        for observation in &observations {
            if let Observed::Unavailable(why) = &observation.state {
                warn!(
                    read = observation.id,
                    error = why,
                    "the registrar's read failed"
                );
            }
        }
        let plan = registrar
            .plan(&self.settings.instance, &desired.entries, &observations)
            .await
            .map_err(failed)?;
        let passing = observations
            .iter()
            .any(|observation| observation.state.is_passing());
        let mut failed = None;
        for step in &plan.steps {
            if let Err(error) = execute(&self.client, &step.action).await {
                warn!(category = error.category(), %error, "a step of the registration failed");
                failed = Some(FailedStep {
                    step: step.clone(),
                    error,
                });
                // Steps build on each other: what comes after a failed one would not be what was planned.
                break;
            }
            info!(step = %step.action, "registration");
        }
        Ok(Outcome {
            settled: plan.steps.is_empty() && !plan.is_pending() && !passing,
            plan,
            failed,
        })
    }

    /// Writes the conditions; whether all could be written.
    async fn tell(&self, servers: &[&McpServer], statements: &Statements) -> bool {
        write_conditions(&self.client, servers, |server| statements.about(server)).await
    }
}

/// What a pass came to.
struct Outcome {
    plan: Plan,
    failed: Option<FailedStep>,
    /// Nothing had to be done, and nothing that was observed will change by itself.
    settled: bool,
}

/// A step that could not be carried out.
pub(super) struct FailedStep {
    step: Step,
    error: Error,
}

/// What the conditions should say.
struct Statements {
    /// By `namespace/name`.
    registrations: std::collections::HashMap<String, Registration>,
}

impl Statements {
    /// The same for all servers that should be registered.
    fn of_all(desired: &Desired, reason: &str, message: &str) -> Self {
        let pending = |server: String| {
            let registration = Registration {
                server: server.clone(),
                registered_name: String::new(),
                state: State::Pending,
                reason: reason.to_owned(),
                message: message.to_owned(),
            };
            (server, registration)
        };
        Self {
            registrations: desired.keys().map(pending).collect(),
        }
    }

    fn of_plan(desired: &Desired, plan: &Plan, failed: Option<&FailedStep>) -> Self {
        let mut statements = Self::of_all(
            desired,
            "NotPlanned",
            "The registrar said nothing about this server",
        );
        for registration in &plan.registrations {
            // What a registrar says about servers that nobody asked about is not listened to.
            if let Some(known) = statements.registrations.get_mut(&registration.server) {
                known.clone_from(registration);
            }
        }
        if let Some(FailedStep { step, error }) = failed {
            for registration in statements.registrations.values_mut() {
                if step.servers.is_empty() || step.servers.contains(&registration.server) {
                    registration.state = State::Pending;
                    error.category().clone_into(&mut registration.reason);
                    registration.message = error.to_string();
                }
            }
        }
        statements
    }

    /// The condition of one server, and the name that the gateway knows it by; nothing if there is
    /// nothing to say.
    fn about(&self, server: &McpServer) -> Option<(Statement, String)> {
        let Some(registration) = self.registrations.get(&key(server)) else {
            return registry::not_wanted(server).map(|statement| (statement, String::new()));
        };
        let truth = match registration.state {
            State::Registered => Truth::True,
            State::Pending if registry::still_registered(server) => return None,
            State::Pending => Truth::Unknown,
            State::Refused => Truth::False,
        };
        let statement = Statement::new(
            LITELLM_REGISTERED,
            truth,
            registration.reason.clone(),
            registration.message.clone(),
        );
        Some((statement, registration.registered_name.clone()))
    }
}
