//! What plugins are asked, as 0.1.0 has it. Texts are borrowed; what a record borrows as a list is made beforehand.

use super::{registrar as old, types, validator};
use crate::contract::{NamedJson, Operation, Request, Stage, registrar as new};

/// The list of tools that allows none. In 0.1.0 an empty list means all of them, and no tool has an empty name: a registrar
/// that knows nothing of this allows none either.
const NO_TOOL: &[&str] = &[""];

pub(crate) fn stage(stage: Stage) -> types::Stage {
    match stage {
        Stage::Admission => types::Stage::Admission,
        Stage::Reconcile => types::Stage::Reconcile,
    }
}

pub(crate) fn named<'a>(values: &[NamedJson<'a>]) -> Vec<types::NamedJson<'a>> {
    let value = |&NamedJson { name, value }: &NamedJson<'a>| types::NamedJson { name, value };
    values.iter().map(value).collect()
}

/// A request with these values of its context, which are its own. Of a user, 0.1.0 knows the name and the groups.
pub(crate) fn request<'a>(
    request: &Request<'a>,
    context: &'a [types::NamedJson<'a>],
) -> validator::Request<'a> {
    let Request {
        operation,
        stage: at,
        kind,
        name,
        namespace,
        user,
        dry_run,
        object,
        old_object,
        context: _,
    } = request;
    validator::Request {
        operation: match operation {
            Operation::Create => types::Operation::Create,
            Operation::Update => types::Operation::Update,
        },
        stage: stage(*at),
        kind: types::GroupVersionKind {
            group: kind.group,
            version: kind.version,
            kind: kind.kind,
        },
        name,
        namespace: *namespace,
        user: user.as_ref().map(|user| types::UserInfo {
            username: user.username,
            groups: user.groups,
        }),
        dry_run: *dry_run,
        object: Some(*object),
        old_object: *old_object,
        context,
    }
}

/// The lists of a registry, which its records borrow.
pub(crate) struct Lists<'a> {
    registry: &'a new::Registry<'a>,
    extra: Vec<Vec<types::NamedJson<'a>>>,
}

impl<'a> Lists<'a> {
    pub(crate) fn of(registry: &'a new::Registry<'a>) -> Self {
        let servers = registry.servers.iter();
        Self {
            registry,
            extra: servers.map(|server| named(server.extra)).collect(),
        }
    }

    pub(crate) fn servers(&self) -> Vec<old::Server<'_>> {
        let servers = self.registry.servers.iter().zip(&self.extra);
        servers.map(|(one, extra)| server(one, extra)).collect()
    }

    pub(crate) fn observations(&self) -> Vec<old::Observation<'_>> {
        self.registry.observations.iter().map(observation).collect()
    }
}

fn server<'a>(server: &'a new::Server<'a>, extra: &'a [types::NamedJson<'a>]) -> old::Server<'a> {
    let new::Server {
        namespace,
        name,
        uid,
        created,
        labels,
        url,
        transport,
        description,
        access_groups,
        allowed_tools,
        extra: _,
    } = server;
    old::Server {
        namespace,
        name,
        uid,
        created,
        labels,
        url,
        transport,
        description,
        access_groups,
        allowed_tools: match allowed_tools {
            None => &[],
            Some([]) => NO_TOOL,
            Some(tools) => tools,
        },
        extra,
    }
}

fn observation<'a>(observation: &'a new::Observation<'a>) -> old::Observation<'a> {
    let new::Observation { id, state } = observation;
    let state = match state {
        new::Observed::ConfigKey(content) => old::Observed::ConfigKey(*content),
        new::Observed::Workload(state) => {
            old::Observed::Workload(state.as_ref().map(|state| old::WorkloadState {
                rolled_to: state.rolled_to,
                complete: state.complete,
                message: state.message,
            }))
        }
        new::Observed::Http(response) => old::Observed::Http(old::HttpResponse {
            status: response.status,
            headers: response.headers,
            body: response.body,
        }),
        new::Observed::Unavailable(why) => old::Observed::Unavailable(why),
    };
    old::Observation { id, state }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_with(tools: Option<&'static [&'static str]>) -> new::Server<'static> {
        new::Server {
            namespace: "a",
            name: "b",
            uid: "",
            created: "",
            labels: &[],
            url: "",
            transport: "http",
            description: "",
            access_groups: &[],
            allowed_tools: tools,
            extra: &[],
        }
    }

    #[test]
    fn a_list_of_tools_that_allows_none_allows_none_in_0_1_0() {
        for (tools, expected) in [
            (None, &[][..]),
            (Some(&[][..]), NO_TOOL),
            (Some(&["a"][..]), &["a"][..]),
        ] {
            assert_eq!(server(&server_with(tools), &[]).allowed_tools, expected);
        }
    }
}
