//! What a plugin of 0.1.0 answers, as the present contract has it.

use super::{defaulter as old_defaulter, metadata as old_metadata, registrar as old, types};
use crate::contract::{
    Description, Failure, Finding, Patch, PatchOperation, PathValue, Read, Registration,
    RegistrationPlan, RegistrationState, Rule, Severity, Step, registrar as new,
};

impl From<old_metadata::Description> for Description {
    fn from(said: old_metadata::Description) -> Self {
        let old_metadata::Description {
            name,
            version,
            summary,
            url,
            rules,
            context,
            settings_schema,
        } = said;
        let rule = |old_metadata::Rule { code, summary }| Rule { code, summary };
        Self {
            name,
            version,
            summary,
            url,
            rules: rules.into_iter().map(rule).collect(),
            context,
            settings_schema,
            extra: Vec::new(),
        }
    }
}

pub(crate) fn findings(said: Vec<types::Finding>) -> Vec<Finding> {
    said.into_iter().map(finding).collect()
}

fn finding(said: types::Finding) -> Finding {
    let types::Finding {
        code,
        field,
        error_type,
        bad_value,
        message,
        severity,
    } = said;
    Finding {
        code,
        field,
        error_type,
        bad_value,
        message,
        severity: match severity {
            types::Severity::Error => Severity::Error,
            types::Severity::Warning => Severity::Warning,
        },
    }
}

pub(crate) fn failure(said: types::Failure) -> Failure {
    match said {
        types::Failure::InvalidSettings(message) => Failure::InvalidSettings(message),
        types::Failure::Unsupported(message) => Failure::Unsupported(message),
        types::Failure::Internal(message) => Failure::Internal(message),
    }
}

pub(crate) fn patches(said: Vec<old_defaulter::Patch>) -> Vec<Patch> {
    let patch = |old_defaulter::Patch {
                     object,
                     code,
                     operations,
                 }| Patch {
        object,
        code,
        operations: operations.into_iter().map(operation).collect(),
    };
    said.into_iter().map(patch).collect()
}

fn operation(said: old_defaulter::PatchOperation) -> PatchOperation {
    let change = |old_defaulter::PathValue { path, value }| PathValue { path, value };
    match said {
        old_defaulter::PatchOperation::Add(said) => PatchOperation::Add(change(said)),
        old_defaulter::PatchOperation::Replace(said) => PatchOperation::Replace(change(said)),
        old_defaulter::PatchOperation::Remove(path) => PatchOperation::Remove(path),
    }
}

pub(crate) fn reads(said: Vec<old::Read>) -> Vec<Read> {
    said.into_iter().map(read).collect()
}

fn read(
    old::Read {
        id,
        source,
        written,
    }: old::Read,
) -> Read {
    let source = match source {
        old::ReadSource::ConfigKey(key) => new::ReadSource::ConfigKey(config_key(key)),
        old::ReadSource::Workload(named) => new::ReadSource::Workload(workload(named)),
        old::ReadSource::Http(request) => new::ReadSource::Http(http_request(request)),
    };
    Read {
        id,
        source,
        written,
    }
}

fn config_key(
    old::ConfigKey {
        namespace,
        name,
        key,
    }: old::ConfigKey,
) -> new::ConfigKey {
    new::ConfigKey {
        namespace,
        name,
        key,
    }
}

fn workload(
    old::Workload {
        kind,
        namespace,
        name,
    }: old::Workload,
) -> new::Workload {
    new::Workload {
        kind,
        namespace,
        name,
    }
}

fn http_request(
    old::HttpRequest {
        connection,
        method,
        path,
        headers,
        body,
    }: old::HttpRequest,
) -> new::HttpRequest {
    new::HttpRequest {
        connection,
        method,
        path,
        headers,
        body,
    }
}

pub(crate) fn plan(
    old::RegistrationPlan {
        steps,
        registrations,
    }: old::RegistrationPlan,
) -> RegistrationPlan {
    RegistrationPlan {
        steps: steps.into_iter().map(step).collect(),
        registrations: registrations.into_iter().map(registration).collect(),
        extra: Vec::new(),
    }
}

fn step(old::Step { action, servers }: old::Step) -> Step {
    let action = match action {
        old::Action::WriteConfigKey(old::ConfigKeyWrite { key, content }) => {
            let key = config_key(key);
            new::Action::WriteConfigKey(new::ConfigKeyWrite { key, content })
        }
        old::Action::Roll(old::Roll {
            workload: named,
            value,
        }) => {
            let workload = workload(named);
            new::Action::Roll(new::Roll { workload, value })
        }
        old::Action::Send(request) => new::Action::Send(http_request(request)),
    };
    Step { action, servers }
}

fn registration(
    old::Registration {
        server,
        registered_name,
        state,
        reason,
        message,
    }: old::Registration,
) -> Registration {
    let state = match state {
        old::RegistrationState::Registered => RegistrationState::Registered,
        old::RegistrationState::Pending => RegistrationState::Pending,
        old::RegistrationState::Absent => RegistrationState::Absent,
        old::RegistrationState::Refused => RegistrationState::Refused,
    };
    Registration {
        server,
        registered_name,
        state,
        reason,
        message,
    }
}
