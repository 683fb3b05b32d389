//! One request: judged, or completed, by the plugins in force.

use kube::api::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, Operation as Verb};
use mcp_operator_api::v1alpha1::{McpPluginSpec, McpServer};
use mcp_operator_core::admission::{Decision, Denial, decide};
use mcp_operator_core::build;
use serde_json::Value;

use super::review;
use super::state::State;
use crate::plugins::{Operation, Snapshot, Stage, Subject, User};

/// Rules: every plugin that is for this server, all at once.
pub(crate) async fn validate(
    state: &State,
    request: &AdmissionRequest<DynamicObject>,
) -> AdmissionResponse {
    if is_let_through(request) {
        return AdmissionResponse::from(request);
    }
    let plugins = state.snapshots.current();
    let outcomes = plugins.validate(&subject(state, request, &plugins)).await;
    review::respond(request, decide(&outcomes))
}

/// Defaults: plugins one after the other, the difference as a patch.
pub(crate) async fn mutate(
    state: &State,
    request: &AdmissionRequest<DynamicObject>,
) -> AdmissionResponse {
    if is_let_through(request) {
        return AdmissionResponse::from(request);
    }
    let plugins = state.snapshots.current();
    let subject = subject(state, request, &plugins);
    if !is_readable(subject.object.as_ref()) {
        // Defaults come before the API server's own look at the schema, which says best what is wrong.
        return AdmissionResponse::from(request);
    }
    match plugins.default_server(&subject).await {
        Ok(defaulted) => {
            let decision = Decision {
                warnings: defaulted.warnings,
                ..Decision::default()
            };
            let before = subject.object.unwrap_or_default();
            review::change(
                review::respond(request, decision),
                &before,
                &defaulted.object,
            )
        }
        Err(failures) => review::respond(
            request,
            Decision {
                denial: Some(Denial::PluginFailed(failures)),
                ..Decision::default()
            },
        ),
    }
}

/// MCPPlugins are judged by their schema; this tells what this version cannot do yet.
pub(super) fn validate_plugin(request: &AdmissionRequest<DynamicObject>) -> AdmissionResponse {
    let spec = request
        .object
        .as_ref()
        .map(|object| object.data["spec"].clone());
    let spec = spec.and_then(|spec| serde_json::from_value::<McpPluginSpec>(spec).ok());
    let warnings = spec.map(|spec| unsupported(&spec)).unwrap_or_default();
    review::respond(
        request,
        Decision {
            warnings,
            ..Decision::default()
        },
    )
}

fn unsupported(spec: &McpPluginSpec) -> Vec<String> {
    let not_yet = [
        (
            spec.source.oci.is_some(),
            "spec.source.oci: not supported by this version, the plugin will not be loaded",
        ),
        (
            spec.source.url.is_some(),
            "spec.source.url: not supported by this version, the plugin will not be loaded",
        ),
        (
            spec.verify.is_some(),
            "spec.verify: not supported by this version, the plugin will not be loaded",
        ),
    ];
    not_yet
        .into_iter()
        .filter(|(given, _)| *given)
        .map(|(_, text)| text.to_owned())
        .collect()
}

/// What goes away must be able to go, whatever rules say today.
fn is_let_through(request: &AdmissionRequest<DynamicObject>) -> bool {
    let deleting = request
        .object
        .as_ref()
        .is_some_and(|object| object.metadata.deletion_timestamp.is_some());
    deleting || !matches!(request.operation, Verb::Create | Verb::Update)
}

fn subject(
    state: &State,
    request: &AdmissionRequest<DynamicObject>,
    plugins: &Snapshot,
) -> Subject {
    let object = request
        .object
        .as_ref()
        .and_then(|object| serde_json::to_value(object).ok());
    let rendered = plugins
        .wants_rendered()
        .then(|| object.as_ref().and_then(|object| rendered(state, object)));
    Subject {
        operation: if request.operation == Verb::Create {
            Operation::Create
        } else {
            Operation::Update
        },
        stage: Stage::Admission,
        old_object: request
            .old_object
            .as_ref()
            .and_then(|object| serde_json::to_value(object).ok()),
        object,
        name: request.name.clone(),
        namespace: request
            .namespace
            .as_deref()
            .map(|name| state.namespaces.facts(name)),
        user: Some(User {
            username: request.user_info.username.clone().unwrap_or_default(),
            groups: request.user_info.groups.clone().unwrap_or_default(),
        }),
        dry_run: request.dry_run,
        rendered: rendered.flatten(),
    }
}

fn is_readable(object: Option<&Value>) -> bool {
    object.is_some_and(|object| serde_json::from_value::<McpServer>(object.clone()).is_ok())
}

/// The objects that this server would become: known before it exists, because building is pure.
fn rendered(state: &State, object: &Value) -> Option<Value> {
    let server: McpServer = serde_json::from_value(object.clone()).ok()?;
    Some(
        build::objects(&server, &state.build)
            .into_iter()
            .map(|manifest| manifest.object)
            .collect(),
    )
}
