//! One request: validated, or completed, by the plugins in force.

use std::sync::Arc;

use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, Operation as RequestOperation};
use mcp_operator_api::names::annotations::PLUGINS_REVISION;
use mcp_operator_api::v1alpha1::{McpPluginSpec, McpServer, Mode};
use mcp_operator_core::admission::{Decision, Denial, Outcome, decide};
use mcp_operator_core::annotation::annotate;
use mcp_operator_core::field_authors::FieldAuthors;
use mcp_operator_core::ratchet::ratchet;
use mcp_operator_core::validated_server::ValidatedServer;
use mcp_operator_policy::{
    NOT_SYNCED, Operation, PolicyContext, Snapshot, Stage, User, rendered, validate_plugin_spec,
};
use serde_json::Value;
use tokio::time::Instant;
use tracing::{Instrument, info_span};

use crate::state::AdmissionState;
use crate::{review, revision, scale};

/// Said of an update that passes although the object breaks rules.
const STILL_INVALID: &str = "this MCPServer broke rules before this change and still does: the change is stored, and takes effect when the rest is corrected";

/// Validates: every plugin that is for this server, all at once. A plugin without an answer by `deadline` has failed.
pub async fn validate(
    state: &AdmissionState,
    request: &AdmissionRequest<DynamicObject>,
    deadline: Option<Instant>,
) -> AdmissionResponse {
    if scale::is_scale(request) {
        return match scale::as_update(state, request).await {
            Ok(update) => judge(state, &update, deadline).await,
            Err(answer) => *answer,
        };
    }
    judge(state, request, deadline).await
}

async fn judge(
    state: &AdmissionState,
    request: &AdmissionRequest<DynamicObject>,
    deadline: Option<Instant>,
) -> AdmissionResponse {
    ask_plugins(
        state,
        request,
        revision::noted(request),
        async |plugins, context| {
            let mut outcomes = plugins.validate_by(&context, deadline).await;
            let is_ratcheted =
                ratchet_update(state, &plugins, context, &mut outcomes, deadline).await;
            let mut decision = decide(&outcomes);
            if is_ratcheted && decision.denial.is_none() {
                decision.warnings.insert(0, STILL_INVALID.to_owned());
            }
            review::respond(request, decision)
        },
    )
    .await
}

/// Makes warnings of what an update leaves as it was. Rules are asked about the object as it is stored only if they refuse
/// the update.
async fn ratchet_update(
    state: &AdmissionState,
    plugins: &Snapshot,
    context: PolicyContext,
    outcomes: &mut [Outcome],
    deadline: Option<Instant>,
) -> bool {
    let (Some(new), Some(old)) = (&context.object, &context.old_object) else {
        return false;
    };
    if !matches!(decide(outcomes).denial, Some(Denial::Invalid(_))) {
        return false;
    }
    // As what is stored is judged everywhere: by nobody's request. A rule about who asks, or about what was before, would say of
    // it what it says of the update, and what it refuses would be told as a warning.
    let stored = PolicyContext {
        stage: Stage::Reconcile,
        user: None,
        rendered: rendered_for(state, plugins, old),
        object: Some(old.clone()),
        old_object: None,
        ..context.clone()
    };
    let asked_again = plugins.validate_by(&stored, deadline);
    let before = asked_again.instrument(info_span!("ratchet")).await;
    ratchet(outcomes, &before, old, new)
}

/// Completes: plugins one after the other, the difference as a patch, with a note of who set what.
pub async fn mutate(
    state: &AdmissionState,
    request: &AdmissionRequest<DynamicObject>,
    deadline: Option<Instant>,
) -> AdmissionResponse {
    if request.sub_resource.is_some() {
        // A patch would be one of something else than an MCPServer.
        return AdmissionResponse::from(request);
    }
    ask_plugins(state, request, None, async |plugins, context| {
        if context.object.as_ref().and_then(server).is_none() {
            // Defaults come before the API server's own look at the schema, which says best what is wrong.
            return AdmissionResponse::from(request);
        }
        match plugins.default_server_by(&context, deadline).await {
            Ok(mut defaulted) => {
                let old = context.old_object.as_ref();
                let before = context.object.unwrap_or_default();
                let authors = FieldAuthors::after_request(old, &before, defaulted.authors);
                authors.note(&mut defaulted.object);
                annotate(&mut defaulted.object, PLUGINS_REVISION, plugins.revision());
                let decision = Decision {
                    warnings: defaulted.warnings,
                    answered: defaulted.asked,
                    ..Decision::default()
                };
                let response = review::respond(request, decision);
                review::with_changes(response, &before, &defaulted.object)
            }
            Err(failures) => {
                let decision = Decision {
                    denial: Some(Denial::PluginFailed(failures)),
                    ..Decision::default()
                };
                review::respond(request, decision)
            }
        }
    })
    .await
}

/// MCPPlugins are validated by their schema; this refuses what depends on where the operator runs, and warns of rules that
/// are easily evaded. An update that leaves the specification as it is passes: labels and finalizers must be able to go.
pub(crate) fn validate_plugin(
    state: &AdmissionState,
    request: &AdmissionRequest<DynamicObject>,
) -> AdmissionResponse {
    let spec = |object: &Option<DynamicObject>| Some(object.as_ref()?.data["spec"].clone());
    let (new, old) = (spec(&request.object), spec(&request.old_object));
    let is_same = new == old;
    let spec = new.and_then(|spec| serde_json::from_value::<McpPluginSpec>(spec).ok());
    let mut decision = Decision::default();
    if let Some(spec) = spec {
        let errors = validate_plugin_spec(&spec, state.operator_namespace.as_deref());
        decision.warnings = warnings(&spec);
        decision.denial = (!is_same && !errors.is_empty()).then_some(Denial::Invalid(errors));
    }
    review::respond(request, decision)
}

fn warnings(spec: &McpPluginSpec) -> Vec<String> {
    let selects = spec
        .matches
        .object_selector
        .as_ref()
        .is_some_and(|selector| {
            let labels = selector.match_labels.iter().flatten().count();
            labels + selector.match_expressions.iter().flatten().count() > 0
        });
    let warnings = [(
        selects && spec.mode == Mode::Enforce,
        "spec.match.objectSelector: whoever writes an MCPServer chooses its labels, and with them whether this plugin is asked: use namespaceSelector for what must be enforced",
    )];
    warnings
        .into_iter()
        .filter(|(given, _)| *given)
        .map(|(_, text)| text.to_owned())
        .collect()
}

/// Has the plugins in force asked, or those that have completed the object, unless the request is none that they have a say
/// in.
async fn ask_plugins(
    state: &AdmissionState,
    request: &AdmissionRequest<DynamicObject>,
    completed_by: Option<&str>,
    ask: impl AsyncFnOnce(Arc<Snapshot>, PolicyContext) -> AdmissionResponse,
) -> AdmissionResponse {
    if bypasses_plugins(request) {
        return AdmissionResponse::from(request);
    }
    let plugins = match completed_by {
        Some(revision) => state.snapshots.to_go_on(revision).await,
        None => state.snapshots.to_begin().await,
    };
    let plugins = match plugins {
        Ok(plugins) => plugins,
        Err(behind) => {
            return review::undecided(request, "ServiceUnavailable", 503, &behind.to_string());
        }
    };
    if !plugins.is_synced() {
        return review::undecided(request, "ServiceUnavailable", 503, NOT_SYNCED);
    }
    match policy_context(state, request, &plugins).await {
        Ok(context) => ask(plugins, context).await,
        Err(why) => review::undecided(request, "InternalError", 500, &why),
    }
}

/// What is being deleted must be able to go, whatever rules say today.
fn bypasses_plugins(request: &AdmissionRequest<DynamicObject>) -> bool {
    let deleting = request
        .object
        .as_ref()
        .is_some_and(|object| object.metadata.deletion_timestamp.is_some());
    let is_written = matches!(
        request.operation,
        RequestOperation::Create | RequestOperation::Update
    );
    deleting || !is_written
}

/// What plugins are asked about. The error is one sentence: which plugins a server is for depends on its namespace.
async fn policy_context(
    state: &AdmissionState,
    request: &AdmissionRequest<DynamicObject>,
    plugins: &Snapshot,
) -> Result<PolicyContext, String> {
    let namespace = match request.namespace.as_deref() {
        Some(name) => Some(state.namespaces.namespace(name).await?),
        None => None,
    };
    let object = request
        .object
        .as_ref()
        .and_then(|object| serde_json::to_value(object).ok());
    let rendered = object
        .as_ref()
        .and_then(|object| rendered_for(state, plugins, object));
    Ok(PolicyContext {
        operation: if request.operation == RequestOperation::Create {
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
        user: Some(Box::new(User {
            username: request.user_info.username.clone().unwrap_or_default(),
            uid: request.user_info.uid.clone().unwrap_or_default(),
            groups: request.user_info.groups.clone().unwrap_or_default(),
            extra: request.user_info.extra.clone().unwrap_or_default(),
        })),
        dry_run: request.dry_run,
        rendered,
    })
}

/// What the object becomes, if a plugin wants to know. What cannot be built is refused by a rule of its own.
fn rendered_for(state: &AdmissionState, plugins: &Snapshot, object: &Value) -> Option<Value> {
    let server = plugins.wants_rendered().then(|| server(object)).flatten()?;
    let server = ValidatedServer::parse(&server).ok()?;
    rendered(&server, &state.build).ok()
}

/// The object, if it can be read.
fn server(object: &Value) -> Option<McpServer> {
    serde_json::from_value(object.clone()).ok()
}
