//! First the file, then the rollout, then it is registered.
//!
//! One plan does one of the two: it writes the file, if that differs; or, if it does not, it rolls every workload that does
//! not know the file and is not being rolled. So from any state, one write and one roll of each workload lead to a plan
//! without steps. They are two plans since pods are replaced only when the file has been seen in its place: one that starts
//! in the moment of the write might read what was there before, and nobody would notice. For the same reason a file is
//! written as another one where a workload is said to know it already: while something else was in its place, its pods may
//! have read that.

use litellm_identity::{Assigned, Reach, Refusal, assign};
use mcp_plugin_sdk::{
    Action, ConfigKeyWrite, Observed, Plan, Read, ReadSource, Registration, RegistrationState,
    Registry, Roll, Server, Step, Workload, WorkloadState,
};
use sha2::{Digest, Sha256};

use crate::render;
use crate::settings::Settings;
use crate::verify::{self, Known, Proxy};

const FILE: &str = "file";

/// The file, and every workload that reads it.
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

/// What is missing, and how it stands.
pub(crate) fn plan(settings: &Settings, registry: &Registry) -> Plan {
    let proxy = verify::look(settings, registry);
    let mut assigned = assign(&registry.servers, |_| None);
    if let Proxy::Known(known) = &proxy {
        known.refuse_taken(&mut assigned);
    }
    let file = render::render(&registry.instance, &mut assigned);
    let (steps, standing) = next(settings, registry, &proxy, &file);
    let registrations = assigned
        .into_iter()
        .map(|assigned| registration(assigned, &standing, &proxy))
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

    /// On its way, and LiteLLM was seen not to know it.
    fn absent(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            state: RegistrationState::Absent,
            ..Self::pending(reason, message)
        }
    }
}

fn next(
    settings: &Settings,
    registry: &Registry,
    proxy: &Proxy<'_>,
    file: &str,
) -> (Vec<Step>, Standing) {
    let key = settings.config_key();
    let place = format!(
        "key {} of ConfigMap {}/{}",
        key.key, key.namespace, key.name
    );
    match registry.observed(FILE) {
        Some(Observed::ConfigKey(Some(found))) if render::is_same(found, file) => {
            rollouts(settings, registry, found)
        }
        // Without knowing who else has a name, nothing is changed: the next answer would change it back.
        Some(Observed::ConfigKey(Some(_))) if let Proxy::Unknown(why) = proxy => (
            Vec::new(),
            Standing::pending("VerificationUnavailable", why.clone()),
        ),
        Some(Observed::ConfigKey(found)) => {
            let content = match found {
                Some(found) if may_have_read(settings, registry, found, file) => {
                    render::again(file, &mark(settings, registry, found))
                }
                _ => file.to_owned(),
            };
            let write = Action::WriteConfigKey(ConfigKeyWrite {
                key,
                content: Some(content),
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

/// Whether pods that are said to know the file may have read what is in its place instead.
fn may_have_read(settings: &Settings, registry: &Registry, found: &str, file: &str) -> bool {
    let value = hash(file);
    // Nothing at all is what a file without servers says.
    let is_another = !render::is_empty(file) || !matches!(found.trim(), "" | "{}");
    is_another && states(settings, registry).any(|state| knows(state, &value, file))
}

/// For a file that is written over another one: no workload was rolled out for one with it.
fn mark(settings: &Settings, registry: &Registry, found: &str) -> String {
    let mut known = found.to_owned();
    known.extend(states(settings, registry).filter_map(|state| state.rolled_to.as_deref()));
    hash(&known)
}

/// How it stands with the workloads that are there.
fn states<'a>(
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

/// Whether the pods of a workload are of this file. Those that were never rolled out for any have read one without
/// servers: they would not have started without it.
fn knows(state: &WorkloadState, value: &str, file: &str) -> bool {
    match &state.rolled_to {
        Some(rolled) => rolled == value,
        None => render::is_empty(file),
    }
}

fn registration(
    Assigned { server, name }: Assigned<'_>,
    standing: &Standing,
    proxy: &Proxy<'_>,
) -> Registration {
    let verified = name.and_then(|name| {
        let doubt = match proxy {
            Proxy::Known(known) => doubt(known, server, &name)?,
            Proxy::Unknown(why) => Some(Standing::pending("VerificationUnavailable", why.clone())),
            Proxy::NotAsked => None,
        };
        Ok((name, doubt))
    });
    let (name, doubt) = match verified {
        Ok(verified) => verified,
        Err(refusal) => return refusal.registration(server),
    };
    // What is on its way anyway says more about that, except that LiteLLM does not know it.
    let is_registered = standing.state == RegistrationState::Registered;
    let is_absent = doubt
        .as_ref()
        .is_some_and(|doubt| doubt.state == RegistrationState::Absent);
    let standing = doubt.as_ref().filter(|_| is_registered).unwrap_or(standing);
    Registration {
        server: server.key(),
        state: match standing.state {
            RegistrationState::Pending if is_absent => RegistrationState::Absent,
            state => state,
        },
        reason: standing.reason.into(),
        message: match standing.state {
            RegistrationState::Registered => [&standing.message, " as ", &name].concat(),
            _ => standing.message.clone(),
        },
        registered_name: name,
    }
}

/// Why a server may not be registered although LiteLLM was rolled out with it.
fn doubt(known: &Known<'_>, server: &Server, name: &str) -> Result<Option<Standing>, Refusal> {
    let reach = known.reach(server);
    if reach == Reach::Unreachable {
        return Err(Refusal::unhealthy(name, &server.url));
    }
    if !known.lists(server) {
        let message = "LiteLLM was rolled out and does not list it: is the file in the `include` of its configuration?";
        return Ok(Some(Standing::absent("NotListed", message)));
    }
    Ok(match reach {
        Reach::Unknown(why) => Some(Standing::pending("VerificationUnavailable", why)),
        _ => None,
    })
}

fn for_all(action: Action) -> Step {
    Step {
        action,
        servers: Vec::new(),
    }
}

pub(crate) fn hash(file: &str) -> String {
    hex::encode(Sha256::digest(file))
}
