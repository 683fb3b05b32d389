//! One request: judged, or completed, by the plugins in force.

use kube::api::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, Operation as Verb};
use mcp_operator_api::v1alpha1::{McpPluginSpec, McpServer};
use mcp_operator_core::admission::{Decision, Denial, decide};
use serde_json::Value;
use tokio::time::Instant;

use super::review;
use super::state::State;
use crate::plugins::{Operation, Snapshot, Stage, Subject, User, rendered};

/// Rules: every plugin that is for this server, all at once. A plugin without an answer by `deadline` has failed.
pub(crate) async fn validate(
    state: &State,
    request: &AdmissionRequest<DynamicObject>,
    deadline: Option<Instant>,
) -> AdmissionResponse {
    let plugins = state.snapshots.current();
    let subject = match subject(state, request, &plugins).await {
        Ok(subject) => subject,
        Err(answer) => return *answer,
    };
    let outcomes = plugins.validate_by(&subject, deadline).await;
    review::respond(request, decide(&outcomes))
}

/// Defaults: plugins one after the other, the difference as a patch.
pub(crate) async fn mutate(
    state: &State,
    request: &AdmissionRequest<DynamicObject>,
    deadline: Option<Instant>,
) -> AdmissionResponse {
    let plugins = state.snapshots.current();
    let subject = match subject(state, request, &plugins).await {
        Ok(subject) => subject,
        Err(answer) => return *answer,
    };
    if subject.object.as_ref().and_then(server).is_none() {
        // Defaults come before the API server's own look at the schema, which says best what is wrong.
        return AdmissionResponse::from(request);
    }
    match plugins.default_server_by(&subject, deadline).await {
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

/// What plugins are asked about; or the answer, where they are not asked.
async fn subject(
    state: &State,
    request: &AdmissionRequest<DynamicObject>,
    plugins: &Snapshot,
) -> Result<Subject, Box<AdmissionResponse>> {
    if is_let_through(request) {
        return Err(Box::new(AdmissionResponse::from(request)));
    }
    // Which plugins a server is for depends on its namespace.
    let unknown = |why: String| Box::new(review::unable(request, "InternalError", 500, &why));
    let namespace = match request.namespace.as_deref() {
        Some(name) => Some(state.namespaces.find(name).await.map_err(unknown)?),
        None => None,
    };
    let object = request
        .object
        .as_ref()
        .and_then(|object| serde_json::to_value(object).ok());
    let rendered = object
        .as_ref()
        .filter(|_| plugins.wants_rendered())
        .and_then(server)
        .map(|server| rendered(&server, &state.build));
    Ok(Subject {
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
        namespace,
        user: Some(User {
            username: request.user_info.username.clone().unwrap_or_default(),
            groups: request.user_info.groups.clone().unwrap_or_default(),
        }),
        dry_run: request.dry_run,
        rendered,
    })
}

/// The object, if it can be read.
fn server(object: &Value) -> Option<McpServer> {
    serde_json::from_value(object.clone()).ok()
}
