//! First the file, then the rollout, then it is registered. Each pass does the next thing that is missing.

use litellm_identity::{Assigned, assign};
use mcp_plugin_sdk::{
    Action, ConfigKeyWrite, Observed, Plan, Read, ReadSource, Registration, RegistrationState,
    Registry, Roll, Step, Workload, WorkloadState,
};
use sha2::{Digest, Sha256};

use crate::render;
use crate::settings::Settings;

const FILE: &str = "file";
/// Kubernetes takes no ConfigMap with more data.
const LARGEST_FILE: usize = 1 << 20;

/// The file, and every workload that reads it.
pub(crate) fn observe(settings: &Settings) -> Vec<Read> {
    let file = Read {
        id: FILE.into(),
        source: ReadSource::ConfigKey(settings.config_key()),
    };
    let workloads = settings.workloads().map(|workload| Read {
        id: read_id(&workload),
        source: ReadSource::Workload(workload),
    });
    std::iter::once(file).chain(workloads).collect()
}

fn read_id(workload: &Workload) -> String {
    format!("{} {}/{}", workload.kind, workload.namespace, workload.name)
}

/// What is missing, and how it stands.
pub(crate) fn plan(settings: &Settings, registry: &Registry) -> Plan {
    let assigned = assign(&registry.servers);
    let named = assigned
        .iter()
        .filter_map(|assigned| Some((assigned.server, assigned.name.as_deref().ok()?)))
        .collect();
    let file = render::render(&registry.instance, named);
    let (steps, standing) = next(settings, registry, &file);
    let registrations = assigned
        .into_iter()
        .map(|assigned| registration(assigned, &standing))
        .collect();
    Plan {
        steps,
        registrations,
    }
}

/// How it stands with all servers that have a name.
struct Standing {
    state: RegistrationState,
    reason: &'static str,
    message: String,
}

impl Standing {
    fn pending(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            state: RegistrationState::Pending,
            reason,
            message: message.into(),
        }
    }
}

fn next(settings: &Settings, registry: &Registry, file: &str) -> (Vec<Step>, Standing) {
    let key = settings.config_key();
    let place = format!(
        "key {} of ConfigMap {}/{}",
        key.key, key.namespace, key.name
    );
    match registry.observed(FILE) {
        Some(Observed::ConfigKey(found)) if found.as_deref() == Some(file) => {
            rollouts(settings, registry, file)
        }
        Some(Observed::ConfigKey(_)) if file.len() > LARGEST_FILE => (
            Vec::new(),
            Standing::pending(
                "ConfigurationTooLarge",
                format!(
                    "{place} would need {} bytes and a ConfigMap holds {LARGEST_FILE}: use the plugin litellm-admin-api, or shorter descriptions",
                    file.len()
                ),
            ),
        ),
        Some(Observed::ConfigKey(_)) => {
            let write = Action::WriteConfigKey(ConfigKeyWrite {
                key,
                content: Some(file.to_owned()),
            });
            (
                vec![for_all(write)],
                Standing::pending("WritingConfiguration", format!("Writing {place}")),
            )
        }
        Some(Observed::Unavailable(why)) => (
            Vec::new(),
            Standing::pending(
                "ConfigurationUnavailable",
                format!("Cannot read {place}: {why}"),
            ),
        ),
        _ => (
            Vec::new(),
            Standing::pending("ConfigurationUnavailable", format!("{place} was not read")),
        ),
    }
}

/// The file is as it should be: do those who read it know it?
fn rollouts(settings: &Settings, registry: &Registry, file: &str) -> (Vec<Step>, Standing) {
    let value = hash(file);
    let mut steps = Vec::new();
    let mut waiting = None;
    for workload in settings.workloads() {
        let id = read_id(&workload);
        let standing = match registry.observed(&id) {
            Some(Observed::Workload(Some(state))) if knows(state, &value, file) => {
                if state.complete {
                    continue;
                }
                Standing::pending("RolloutInProgress", format!("{id}: {}", state.message))
            }
            // Never a second rollout while one is going on, whoever began it.
            Some(Observed::Workload(Some(state))) if !state.complete => Standing::pending(
                "RolloutWaiting",
                format!("{id} finishes another rollout first: {}", state.message),
            ),
            Some(Observed::Workload(Some(_))) => {
                steps.push(for_all(Action::Roll(Roll {
                    workload,
                    value: value.clone(),
                })));
                Standing::pending(
                    "RolloutStarting",
                    format!("{id} is rolled out to read the new configuration"),
                )
            }
            Some(Observed::Unavailable(why)) => {
                Standing::pending("WorkloadUnavailable", format!("Cannot read {id}: {why}"))
            }
            _ => Standing::pending(
                "WorkloadNotFound",
                format!(
                    "{id} does not exist: install LiteLLM, or name its Deployment in the plugin's settings.workloads"
                ),
            ),
        };
        waiting = waiting.or(Some(standing));
    }
    let registered = || Standing {
        state: RegistrationState::Registered,
        reason: "Registered",
        message: "Registered with LiteLLM".into(),
    };
    (steps, waiting.unwrap_or_else(registered))
}

/// Whether the pods of a workload are of this file. Those that were never rolled out for any have read one without
/// servers: they would not have started without it.
fn knows(state: &WorkloadState, value: &str, file: &str) -> bool {
    match &state.rolled_to {
        Some(rolled) => rolled == value,
        None => render::is_empty(file),
    }
}

fn registration(Assigned { server, name }: Assigned<'_>, standing: &Standing) -> Registration {
    match name {
        Ok(name) => Registration {
            server: server.key(),
            state: standing.state,
            reason: standing.reason.into(),
            message: match standing.state {
                RegistrationState::Registered => format!("{} as {name}", standing.message),
                _ => standing.message.clone(),
            },
            registered_name: name,
        },
        Err(refusal) => refusal.registration(server),
    }
}

fn for_all(action: Action) -> Step {
    Step {
        action,
        servers: Vec::new(),
    }
}

fn hash(file: &str) -> String {
    hex::encode(Sha256::digest(file))
}
