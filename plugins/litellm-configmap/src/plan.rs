//! A server is registered by writing the file and then rolling out the workloads that read it.
//!
//! One plan does one of the two: it writes the file if the content differs; otherwise it rolls out every workload that was
//! not rolled out for this content and is not in a rollout. So from any state, one write and one rollout of each workload
//! lead to a plan without steps.
//!
//! The rollout waits for a second plan, which has read the file back: a pod that starts while the file is being written
//! could read the old content, unnoticed. For the same reason a file that is put back gets a new revision if a workload was
//! already rolled out for it: pods that started in between have read the other content.

use litellm_identity::{NamedServer, Reachability, Refusal, assign_names};
use mcp_plugin_sdk::{
    Action, ConfigKeyWrite, Observed, Plan, Read, ReadSource, Registration, RegistrationState,
    Registry, Roll, Server, Step, Workload, WorkloadState,
};
use sha2::{Digest, Sha256};

use crate::render;
use crate::settings::Settings;
use crate::verify::{self, ProxyServers, Verification};

const FILE: &str = "file";

/// Reads the file, the workloads that use it, and LiteLLM's list if it is to be verified.
pub(crate) fn observe(settings: &Settings) -> Vec<Read> {
    let file = Read {
        id: FILE.into(),
        source: ReadSource::ConfigKey(settings.config_key()),
        written: true,
    };
    let workloads = settings.workloads().map(|workload| Read {
        id: read_id(&workload),
        source: ReadSource::Workload(workload),
        written: false,
    });
    std::iter::once(file)
        .chain(workloads)
        .chain(verify::observe(settings))
        .collect()
}

fn read_id(workload: &Workload) -> String {
    format!("{} {}/{}", workload.kind, workload.namespace, workload.name)
}

/// The next steps, and the state of each server.
pub(crate) fn plan(settings: &Settings, registry: &Registry) -> Plan {
    let verification = verify::verify(settings, registry);
    let mut assigned = assign_names(&registry.servers, |_| None);
    if let Verification::Listed(listed) = &verification {
        listed.refuse_taken(&mut assigned);
    }
    let file = render::render(&registry.instance, &mut assigned);
    let (steps, status) = next_steps(settings, registry, &verification, &file);
    let registrations = assigned
        .into_iter()
        .map(|assigned| registration(assigned, &status, &verification))
        .collect();
    Plan {
        steps,
        registrations,
    }
}

/// The state that the servers with a name share.
struct Status {
    state: RegistrationState,
    reason: &'static str,
    message: String,
}

impl Status {
    fn pending(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            state: RegistrationState::Pending,
            reason,
            message: message.into(),
        }
    }

    /// Pending, and LiteLLM does not list it.
    fn absent(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            state: RegistrationState::Absent,
            ..Self::pending(reason, message)
        }
    }
}

fn next_steps(
    settings: &Settings,
    registry: &Registry,
    verification: &Verification<'_>,
    file: &str,
) -> (Vec<Step>, Status) {
    let key = settings.config_key();
    let place = format!(
        "key {} of ConfigMap {}/{}",
        key.key, key.namespace, key.name
    );
    match registry.observed(FILE) {
        Some(Observed::ConfigKey(Some(found))) if render::is_same(found, file) => {
            rollouts(settings, registry, found)
        }
        // Without LiteLLM's list, taken names are unknown: the file would be changed back when the list is there again.
        Some(Observed::ConfigKey(Some(_))) if let Verification::Unavailable(why) = verification => {
            (
                Vec::new(),
                Status::pending("VerificationUnavailable", why.clone()),
            )
        }
        Some(Observed::ConfigKey(found)) => {
            let content = match found {
                Some(found) if may_have_read_other_content(settings, registry, found, file) => {
                    render::with_revision(file, &revision(settings, registry, found))
                }
                _ => file.to_owned(),
            };
            let write = Action::WriteConfigKey(ConfigKeyWrite {
                key,
                content: Some(content),
            });
            (
                vec![for_all_servers(write)],
                Status::pending("WritingConfiguration", format!("Writing {place}")),
            )
        }
        Some(Observed::Unavailable(why)) => (
            Vec::new(),
            Status::pending(
                "ConfigurationUnavailable",
                format!("Cannot read {place}: {why}"),
            ),
        ),
        _ => (
            Vec::new(),
            Status::pending("ConfigurationUnavailable", format!("{place} was not read")),
        ),
    }
}

/// The rollouts that are needed once the file has the right content.
fn rollouts(settings: &Settings, registry: &Registry, file: &str) -> (Vec<Step>, Status) {
    let value = hash(file);
    let mut steps = Vec::new();
    let mut unfinished = None;
    for workload in settings.workloads() {
        let id = read_id(&workload);
        let status = match registry.observed(&id) {
            Some(Observed::Workload(Some(state))) if is_rolled_to(state, &value, file) => {
                if state.complete {
                    continue;
                }
                Status::pending("RolloutInProgress", format!("{id}: {}", state.message))
            }
            // Never a second rollout while one is going on, whatever started it.
            Some(Observed::Workload(Some(state))) if !state.complete => Status::pending(
                "RolloutWaiting",
                format!("{id} finishes another rollout first: {}", state.message),
            ),
            Some(Observed::Workload(Some(_))) => {
                steps.push(for_all_servers(Action::Roll(Roll {
                    workload,
                    value: value.clone(),
                })));
                Status::pending(
                    "RolloutStarting",
                    format!("{id} is rolled out to read the new configuration"),
                )
            }
            Some(Observed::Unavailable(why)) => {
                Status::pending("WorkloadUnavailable", format!("Cannot read {id}: {why}"))
            }
            _ => Status::pending(
                "WorkloadNotFound",
                format!(
                    "{id} does not exist: install LiteLLM, or name its Deployment in the plugin's settings.workloads"
                ),
            ),
        };
        unfinished = unfinished.or(Some(status));
    }
    let registered = || Status {
        state: RegistrationState::Registered,
        reason: "Registered",
        message: "Registered with LiteLLM".into(),
    };
    (steps, unfinished.unwrap_or_else(registered))
}

/// Whether pods of a workload that was rolled out for `file` may have read `found` instead.
fn may_have_read_other_content(
    settings: &Settings,
    registry: &Registry,
    found: &str,
    file: &str,
) -> bool {
    let value = hash(file);
    // An empty file means the same as one without servers.
    let is_different = !render::is_empty(file) || !matches!(found.trim(), "" | "{}");
    is_different
        && workload_states(settings, registry).any(|state| is_rolled_to(state, &value, file))
}

/// A revision for a file that is put back, for which no workload was rolled out before.
fn revision(settings: &Settings, registry: &Registry, found: &str) -> String {
    let mut seen = found.to_owned();
    seen.extend(workload_states(settings, registry).filter_map(|state| state.rolled_to.as_deref()));
    hash(&seen)
}

/// The states of the workloads that exist.
fn workload_states<'a>(
    settings: &'a Settings,
    registry: &'a Registry,
) -> impl Iterator<Item = &'a WorkloadState> {
    settings
        .workloads()
        .filter_map(|workload| match registry.observed(&read_id(&workload)) {
            Some(Observed::Workload(state)) => state.as_ref(),
            _ => None,
        })
}

/// Whether a workload was rolled out for this file. One that was never rolled out has read a file without servers, since
/// it does not start without a file.
fn is_rolled_to(state: &WorkloadState, value: &str, file: &str) -> bool {
    match &state.rolled_to {
        Some(rolled) => rolled == value,
        None => render::is_empty(file),
    }
}

fn registration(
    NamedServer { server, name }: NamedServer<'_>,
    status: &Status,
    verification: &Verification<'_>,
) -> Registration {
    let verified = name.and_then(|name| {
        let unverified = match verification {
            Verification::Listed(listed) => verify_server(listed, server, &name)?,
            Verification::Unavailable(why) => {
                Some(Status::pending("VerificationUnavailable", why.clone()))
            }
            Verification::Disabled => None,
        };
        Ok((name, unverified))
    });
    let (name, unverified) = match verified {
        Ok(verified) => verified,
        Err(refusal) => return refusal.registration(server),
    };
    // While the file or a rollout is pending, that is the reason to report; of the verification only `Absent` counts.
    let is_registered = status.state == RegistrationState::Registered;
    let is_absent = unverified
        .as_ref()
        .is_some_and(|status| status.state == RegistrationState::Absent);
    let status = unverified
        .as_ref()
        .filter(|_| is_registered)
        .unwrap_or(status);
    Registration {
        server: server.key(),
        state: match status.state {
            RegistrationState::Pending if is_absent => RegistrationState::Absent,
            state => state,
        },
        reason: status.reason.into(),
        message: match status.state {
            RegistrationState::Registered => [&status.message, " as ", &name].concat(),
            _ => status.message.clone(),
        },
        registered_name: name,
    }
}

/// Why a server is not registered although LiteLLM was rolled out with it; `None` if LiteLLM lists and reaches it.
fn verify_server(
    listed: &ProxyServers<'_>,
    server: &Server,
    name: &str,
) -> Result<Option<Status>, Refusal> {
    let reachability = listed.reachability(server);
    if reachability == Reachability::Unreachable {
        return Err(Refusal::unhealthy(name, &server.url));
    }
    if !listed.contains(server) {
        let message = "LiteLLM was rolled out and does not list it: is the file in the `include` of its configuration?";
        return Ok(Some(Status::absent("NotListed", message)));
    }
    Ok(match reachability {
        Reachability::Unknown(why) => Some(Status::pending("VerificationUnavailable", why)),
        _ => None,
    })
}

fn for_all_servers(action: Action) -> Step {
    Step {
        action,
        servers: Vec::new(),
    }
}

pub(crate) fn hash(file: &str) -> String {
    hex::encode(Sha256::digest(file))
}
