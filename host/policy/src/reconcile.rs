//! What plugins have to say in a reconcile: the server as it would be admitted today, and its objects.

use kube::ResourceExt;
use mcp_operator_api::v1alpha1::{DefaultedField, McpServer, OnExisting};
use mcp_operator_core::admission::{Denial, Outcome, decide, on_existing};
use mcp_operator_core::build;
use mcp_operator_core::field::FieldError;
use mcp_operator_core::field_authors::FieldAuthors;
use mcp_operator_core::manifest::{Built, Mutated, Objects};
use mcp_operator_core::namespace::NamespaceFacts;
use mcp_operator_core::private_values;
use mcp_operator_core::validated_server::ValidatedServer;
use mcp_operator_core::violation::{Violation, violations};
use serde_json::Value;

use crate::context::{PolicyContext, rendered};
use crate::error::PolicyError;
use crate::evaluate::OPERATOR;
use crate::snapshot::Snapshot;
use crate::{Operation, Stage};

/// What decides about a server's objects, besides the server itself and the plugins.
#[derive(Clone, Debug)]
pub struct ReconcileInputs<'a> {
    /// What the administrator decides for all servers.
    pub build: &'a build::Settings,
    /// The server's namespace.
    pub namespace: NamespaceFacts,
}

/// A server as it would be admitted today: with what plugins default, and in accordance with all rules in force.
#[derive(Clone, Debug)]
pub struct AdmittedServer {
    /// What its objects are built from.
    pub server: ValidatedServer,
    /// The server with what plugins default.
    pub defaulted: McpServer,
    /// The fields that plugins set, now or at admission.
    pub defaults: Vec<DefaultedField>,
    /// What it breaks of rules that only warn or record.
    pub violations: Vec<Violation>,
    /// The same as plugins see it: without its status, which no rule is about.
    object: Value,
}

/// A server that breaks rules.
#[derive(Clone, Debug)]
pub struct InvalidServer {
    /// What is wrong, sorted.
    pub errors: Vec<FieldError>,
    /// What happens to its registration.
    pub on_existing: OnExisting,
    /// The server with what plugins default.
    pub defaulted: McpServer,
    /// The fields that plugins set, now or at admission.
    pub defaults: Vec<DefaultedField>,
    /// What it breaks of rules, in whatever mode they are.
    pub violations: Vec<Violation>,
}

/// What the rules in force say about a server.
#[derive(Clone, Debug)]
pub enum Judgement {
    /// It passes all of them.
    Admitted(Box<AdmittedServer>),
    /// It breaks some.
    Invalid(Box<InvalidServer>),
}

impl Judgement {
    /// The fields that plugins set, now or at admission.
    pub fn defaults(&self) -> &[DefaultedField] {
        match self {
            Self::Admitted(admitted) => &admitted.defaults,
            Self::Invalid(invalid) => &invalid.defaults,
        }
    }

    /// What the server breaks of the plugins' rules, in whatever mode they are.
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::Admitted(admitted) => &admitted.violations,
            Self::Invalid(invalid) => &invalid.violations,
        }
    }
}

/// Defaults and validates a server once more: in case that the webhook was not there, or other plugins were in force.
///
/// # Errors
/// When nobody can say: a plugin that must not fail did, or made something of the server that is none.
pub async fn default_and_validate(
    server: &McpServer,
    inputs: &ReconcileInputs<'_>,
    plugins: &Snapshot,
) -> Result<Judgement, PolicyError> {
    if !plugins.is_synced() {
        return Err(PolicyError::NotSynced);
    }
    let object = serde_json::to_value(server).map_err(|error| not_a_server(&error))?;
    let noted = FieldAuthors::noted(&object);
    // One that no object can be built from is refused below, with everything else that is wrong with it.
    let parse = || ValidatedServer::parse(server).ok();
    let parsed = plugins.wants_rendered().then(parse).flatten();
    let rendered = rendered_if_wanted(parsed.as_ref(), inputs, plugins)?;
    let mut context = policy_context(server.name_any(), without_status(object), inputs, rendered);
    let defaulted = plugins
        .default_server(&context)
        .await
        .map_err(PolicyError::Plugins)?;
    let defaulted_server: McpServer =
        serde_json::from_value(defaulted.object.clone()).map_err(|error| {
            PolicyError::NotAServer {
                reason: private_values::hide_in(&error.to_string(), &defaulted.object),
            }
        })?;
    context.object = Some(defaulted.object.clone());
    let defaults = noted.and(defaulted.authors).into_status();
    let parsed = ValidatedServer::parse(&defaulted_server);
    let refused = parsed.as_ref().err().cloned().unwrap_or_default();
    let outcomes = plugins.validate(&context, refused).await;
    let violations = of_plugins(&outcomes);
    let invalid = |errors, on_existing, defaulted| {
        Judgement::Invalid(Box::new(InvalidServer {
            errors,
            on_existing,
            defaulted,
            defaults: defaults.clone(),
            violations: violations.clone(),
        }))
    };
    match decide(&outcomes).denial {
        None => Ok(match parsed {
            Ok(server) => Judgement::Admitted(Box::new(AdmittedServer {
                server,
                defaulted: defaulted_server,
                defaults,
                violations,
                object: defaulted.object,
            })),
            Err(errors) => invalid(errors, OnExisting::Keep, defaulted_server),
        }),
        Some(Denial::Invalid(errors)) => {
            Ok(invalid(errors, on_existing(&outcomes), defaulted_server))
        }
        Some(Denial::PluginFailed(failures)) => Err(PolicyError::Plugins(failures)),
    }
}

/// The operator's own rules are of no MCPPlugin.
fn of_plugins(outcomes: &[Outcome]) -> Vec<Violation> {
    let mut violations = violations(outcomes);
    violations.retain(|violation| violation.plugin != OPERATOR);
    violations
}

/// The objects with what plugins add to them.
///
/// # Errors
/// When a plugin that must not fail did, or changed what it must not.
pub async fn mutate_objects(
    admitted: &AdmittedServer,
    inputs: &ReconcileInputs<'_>,
    plugins: &Snapshot,
    built: Objects<Built>,
) -> Result<Objects<Mutated>, PolicyError> {
    let rendered = rendered_if_wanted(Some(&admitted.server), inputs, plugins)?;
    let name = admitted.server.key.name.clone();
    let context = policy_context(name, admitted.object.clone(), inputs, rendered);
    let completed = plugins
        .default_objects(&context, built.values().cloned().collect())
        .await
        .map_err(PolicyError::Plugins)?;
    Ok(built.mutated(completed)?)
}

fn rendered_if_wanted(
    server: Option<&ValidatedServer>,
    inputs: &ReconcileInputs<'_>,
    plugins: &Snapshot,
) -> Result<Option<Value>, PolicyError> {
    let rendered = server
        .filter(|_| plugins.wants_rendered())
        .map(|server| rendered(server, inputs.build));
    Ok(rendered.transpose()?)
}

fn policy_context(
    name: String,
    object: Value,
    inputs: &ReconcileInputs<'_>,
    rendered: Option<Value>,
) -> PolicyContext {
    PolicyContext {
        operation: Operation::Update,
        stage: Stage::Reconcile,
        object: Some(object),
        old_object: None,
        name,
        namespace: Some(inputs.namespace.clone()),
        user: None,
        dry_run: false,
        rendered,
    }
}

fn not_a_server(error: &serde_json::Error) -> PolicyError {
    PolicyError::NotAServer {
        reason: error.to_string(),
    }
}

/// Rules are about what a user wrote.
fn without_status(mut server: Value) -> Value {
    if let Some(members) = server.as_object_mut() {
        members.remove("status");
    }
    server
}
