//! Asks a registrar, and reads its answers.

use mcp_operator_core::admission::PluginFailure;
use mcp_operator_core::desired_entries::RegistrationEntry;
use mcp_operator_core::registrar_grants::{NotGranted, check_plan, check_reads};
use mcp_operator_core::registration_plan as core;
use mcp_operator_core::registry_room::{Fitting, fit};
use mcp_plugin_host::contract::{NamedJson, registrar as wit};
use tracing::warn;

use super::activate::{ActivePlugin, failure};
use super::convert;

impl ActivePlugin {
    /// What it needs to know before it can plan.
    ///
    /// # Errors
    /// The plugin's failure, which includes that it asks for more than it was granted.
    pub async fn observe(&self) -> Result<Vec<core::Read>, PluginFailure> {
        let reads = self
            .plugin
            .observe(&self.settings, &self.limits)
            .await
            .map_err(|error| failure(&error))?;
        let reads: Vec<_> = reads.into_iter().map(read).collect();
        check_reads(&self.grants, &reads).map_err(|error| self.not_granted(&error))?;
        Ok(reads)
    }

    /// What to do, and how it stands. Entries that do not fit into the plugin's memory are left out, and refused: together
    /// they would end the call, and with it the registration of all others.
    ///
    /// # Errors
    /// The plugin's failure, which includes that it plans more than it was granted: nothing of its plan is done then.
    pub async fn plan(
        &self,
        instance: &str,
        entries: &[RegistrationEntry],
        observations: &[core::Observation],
    ) -> Result<core::Plan, PluginFailure> {
        let Fitting { given, refused } = fit(entries, self.limits.memory_bytes);
        if !refused.is_empty() {
            warn!(
                plugin = self.name(),
                servers = refused.len(),
                "the registrar has no room for all servers"
            );
        }
        let borrowed: Vec<Borrowed<'_>> = given.into_iter().map(Borrowed::of).collect();
        let servers: Vec<wit::Server<'_>> = borrowed.iter().map(Borrowed::server).collect();
        let headers: Vec<Vec<(&str, &str)>> = observations.iter().map(headers).collect();
        let observations: Vec<wit::Observation<'_>> = observations
            .iter()
            .zip(&headers)
            .map(|(observation, headers)| observed(observation, headers))
            .collect();
        let registry = wit::Registry {
            instance,
            servers: &servers,
            observations: &observations,
            context: &[],
        };
        let planned = self
            .plugin
            .plan(&self.settings, &registry, &self.limits)
            .await
            .map_err(|error| failure(&error))?;
        let mut plan = plan(planned);
        check_plan(&self.grants, &plan).map_err(|error| self.not_granted(&error))?;
        plan.registrations.extend(refused);
        Ok(plan)
    }

    fn not_granted(&self, error: &NotGranted) -> PluginFailure {
        PluginFailure {
            category: "NotGranted",
            guest: true,
            message: convert::short(&format!("plugin {} {error}", self.name)),
        }
    }
}

/// The lists of an entry as lists of borrowed text.
struct Borrowed<'a> {
    entry: &'a RegistrationEntry,
    labels: Vec<(&'a str, &'a str)>,
    access_groups: Vec<&'a str>,
    allowed_tools: Option<Vec<&'a str>>,
    extra: Vec<NamedJson<'a>>,
}

impl<'a> Borrowed<'a> {
    fn of(entry: &'a RegistrationEntry) -> Self {
        let extra = entry.extra.iter();
        Self {
            entry,
            labels: entry
                .labels
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
            access_groups: entry.access_groups.iter().map(String::as_str).collect(),
            allowed_tools: entry
                .allowed_tools
                .as_ref()
                .map(|tools| tools.iter().map(String::as_str).collect()),
            extra: extra
                .map(|(name, value)| NamedJson { name, value })
                .collect(),
        }
    }

    fn server(&self) -> wit::Server<'_> {
        wit::Server {
            namespace: &self.entry.key.namespace,
            name: &self.entry.key.name,
            uid: &self.entry.uid,
            created: &self.entry.created,
            labels: &self.labels,
            url: &self.entry.url,
            transport: self.entry.transport,
            description: &self.entry.description,
            access_groups: &self.access_groups,
            allowed_tools: self.allowed_tools.as_deref(),
            extra: &self.extra,
        }
    }
}

fn headers(observation: &core::Observation) -> Vec<(&str, &str)> {
    match &observation.state {
        core::Observed::Http(response) => response
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect(),
        _ => Vec::new(),
    }
}

fn observed<'a>(
    observation: &'a core::Observation,
    headers: &'a [(&'a str, &'a str)],
) -> wit::Observation<'a> {
    let state = match &observation.state {
        core::Observed::ConfigKey(content) => wit::Observed::ConfigKey(content.as_deref()),
        core::Observed::Workload(state) => {
            wit::Observed::Workload(state.as_ref().map(|state| wit::WorkloadState {
                rolled_to: state.rolled_to.as_deref(),
                complete: state.complete,
                message: &state.message,
            }))
        }
        core::Observed::Http(response) => wit::Observed::Http(wit::HttpResponse {
            status: response.status,
            headers,
            body: &response.body,
        }),
        core::Observed::Unavailable(why) => wit::Observed::Unavailable(why),
    };
    wit::Observation {
        id: &observation.id,
        state,
    }
}

// Records of the contract are taken apart by all of their fields: one that the contract gets, and nobody takes over, does
// not compile.

fn read(
    wit::Read {
        id,
        source,
        written,
    }: wit::Read,
) -> core::Read {
    let source = match source {
        wit::ReadSource::ConfigKey(key) => core::Source::ConfigKey(config_key(key)),
        wit::ReadSource::Workload(named) => core::Source::Workload(workload(named)),
        wit::ReadSource::Http(request) => core::Source::Http(http_request(request)),
    };
    core::Read {
        id,
        source,
        written,
    }
}

fn config_key(
    wit::ConfigKey {
        namespace,
        name,
        key,
    }: wit::ConfigKey,
) -> core::ConfigKey {
    core::ConfigKey {
        namespace,
        name,
        key,
    }
}

fn workload(
    wit::Workload {
        kind,
        namespace,
        name,
    }: wit::Workload,
) -> core::Workload {
    core::Workload {
        kind,
        namespace,
        name,
    }
}

fn http_request(
    wit::HttpRequest {
        connection,
        method,
        path,
        headers,
        body,
    }: wit::HttpRequest,
) -> core::HttpRequest {
    core::HttpRequest {
        connection,
        method,
        path,
        headers,
        body,
    }
}

fn plan(
    wit::RegistrationPlan {
        steps,
        registrations,
        // For later versions of the operator.
        extra: _,
    }: wit::RegistrationPlan,
) -> core::Plan {
    core::Plan {
        steps: steps.into_iter().map(step).collect(),
        registrations: registrations.into_iter().map(registration).collect(),
    }
}

fn step(wit::Step { action, servers }: wit::Step) -> core::Step {
    let action = match action {
        wit::Action::WriteConfigKey(wit::ConfigKeyWrite { key, content }) => {
            let key = config_key(key);
            core::Action::WriteConfigKey(core::ConfigKeyWrite { key, content })
        }
        wit::Action::Roll(wit::Roll {
            workload: named,
            value,
        }) => {
            let workload = workload(named);
            core::Action::Roll(core::Roll { workload, value })
        }
        wit::Action::Send(request) => core::Action::Send(http_request(request)),
    };
    core::Step { action, servers }
}

fn registration(
    wit::Registration {
        server,
        registered_name,
        state,
        reason,
        message,
    }: wit::Registration,
) -> core::Registration {
    let state = match state {
        wit::RegistrationState::Registered => core::State::Registered,
        wit::RegistrationState::Pending => core::State::Pending,
        wit::RegistrationState::Absent => core::State::Absent,
        wit::RegistrationState::Refused => core::State::Refused,
    };
    core::Registration {
        server,
        registered_name,
        state,
        reason,
        message,
    }
}
