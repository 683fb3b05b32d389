//! One pass over one MCPServer, as a list of steps.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::admission::{Denial, decide};
use mcp_operator_core::build;
use mcp_operator_core::field::FieldError;
use mcp_operator_core::manifest::{ManagedKind, Manifest};
use mcp_operator_core::ownership::without_nulls;
use mcp_operator_core::rotation;
use mcp_operator_core::status::{self, Verdict};
use serde_json::Value;
use tracing::{error, warn};

use super::apply::{Stopped, apply};
use super::backoff::jitter;
use super::context::Context;
use super::observe::observe;
use super::prune::prune;
use super::write_status::write_status;
use crate::error::Error;
use crate::namespaces::Namespaces;
use crate::plugins::{Operation, Snapshot, Stage, Subject};

/// A pass without any event in between: watches can miss what they do not know of.
const HEARTBEAT: Duration = Duration::from_hours(1);

/// When the status of new pods is looked at if nothing is heard of them before.
const FIRST_LOOK: Duration = Duration::from_secs(3);

/// One pass, whatever comes of it. Its errors end in the status, the log and the time of the next pass.
pub(super) async fn reconcile(
    guarded: Arc<DeserializeGuard<McpServer>>,
    context: Arc<Context>,
) -> Action {
    let server = match &guarded.0 {
        Ok(server) => server,
        Err(invalid) => {
            error!(name = invalid.metadata.name, error = %invalid.error, "MCPServer cannot be read, waiting for a change");
            return Action::await_change();
        }
    };
    let key = status::key(server);
    if server.metadata.deletion_timestamp.is_some() {
        // Owner references do the rest, also while the operator is down.
        context.backoff.reset(&key);
        return Action::await_change();
    }
    let (verdict, result) = converge(server, &context).await; //             plugins and client
    if matches!(result, Ok(Converged::PodsAreMade)) {
        context.backoff.reset(&key);
        return Action::requeue(FIRST_LOOK);
    }
    let pass = observe(server, &context, verdict, result.as_ref().err()); // no client
    let written = write_status(
        &context.client,
        &context.recorder,
        &context.settings,
        server,
        &pass,
    )
    .await; // client
    match result.map_err(|stopped| stopped.error).and(written) {
        Ok(()) => {
            context.backoff.reset(&key);
            Action::requeue(HEARTBEAT.mul_f64(0.9 + jitter() / 5.0))
        }
        Err(error) => next_pass(&key, &context, &error),
    }
}

/// What a pass came to that nothing stopped.
#[derive(Clone, Copy)]
enum Converged {
    /// The objects are as they should be, or are not touched.
    Objects,
    /// The Deployment was made just now: a status would be out of date before it is written.
    PodsAreMade,
}

/// Makes the objects what they should be.
async fn converge(server: &McpServer, context: &Context) -> (Verdict, Result<Converged, Stopped>) {
    let plugins = context.snapshots.current();
    let basis = context.basis();
    let (server, errors) = match judge(server, &basis, &plugins).await {
        Ok(judged) => judged, //                                            plugins
        // Nobody can say whether it is valid: what was made stays, and it is asked again.
        Err(error) => return (Verdict::Unknown(error.failure()), Err(error.into())),
    };
    if !errors.is_empty() {
        return (Verdict::Invalid(errors), Ok(Converged::Objects));
    }
    let result = async {
        let built = build::objects(&server, &context.settings.build); //    no client
        let mut wanted = complete(&server, &basis, &plugins, built).await?; // plugins
        rotation::stamp(&mut wanted, context.secret_hash(&server).as_deref()); // no client
        let made = apply(context, &server, &wanted).await?; //              client
        prune(&context.client, &context.live, &server, &wanted).await?; //  client
        Ok(if made {
            Converged::PodsAreMade
        } else {
            Converged::Objects
        })
    };
    (Verdict::Valid, result.await)
}

/// The server as it would be admitted today, and what the rules say about it: both in case that the
/// webhook was not there, or other plugins were in force.
pub(crate) async fn judge(
    server: &McpServer,
    basis: &Basis<'_>,
    plugins: &Snapshot,
) -> Result<(McpServer, Vec<FieldError>), Error> {
    let mut subject = basis.subject(server, plugins);
    let defaulted = plugins
        .default_server(&subject)
        .await
        .map_err(Error::Plugins)?;
    let server = serde_json::from_value(defaulted.object.clone()).map_err(|_| Error::NotAServer)?;
    subject.object = Some(defaulted.object);
    match decide(&plugins.validate(&subject).await).denial {
        None => Ok((server, Vec::new())),
        Some(Denial::Invalid(errors)) => Ok((server, errors)),
        Some(Denial::PluginFailed(failures)) => Err(Error::Plugins(failures)),
    }
}

/// The objects with what plugins add to them.
pub(crate) async fn complete(
    server: &McpServer,
    basis: &Basis<'_>,
    plugins: &Snapshot,
    built: Vec<Manifest>,
) -> Result<Vec<Manifest>, Error> {
    let (kinds, objects): (Vec<ManagedKind>, Vec<Value>) = built
        .into_iter()
        .map(|manifest| (manifest.kind, manifest.object))
        .unzip();
    let subject = basis.subject(server, plugins);
    let completed = plugins
        .default_objects(&subject, objects)
        .await
        .map_err(Error::Plugins)?;
    let manifests = kinds.into_iter().zip(completed).map(|(kind, mut object)| {
        without_nulls(&mut object);
        Manifest { kind, object }
    });
    Ok(manifests.collect())
}

fn next_pass(key: &str, context: &Context, error: &Error) -> Action {
    let class = error.class();
    let next = context.backoff.next(key, class, jitter());
    warn!(server = key, category = error.category(), class = <&str>::from(class), retry_in = ?next, %error, "reconcile failed");
    next.map_or_else(Action::await_change, Action::requeue)
}

/// What goes into objects besides the MCPServer.
pub(crate) struct Basis<'a> {
    pub(crate) build: &'a build::Settings,
    pub(crate) namespaces: &'a Namespaces,
}

impl Context {
    fn basis(&self) -> Basis<'_> {
        Basis {
            build: &self.settings.build,
            namespaces: &self.namespaces,
        }
    }
}

impl Basis<'_> {
    /// What plugins are asked about.
    fn subject(&self, server: &McpServer, plugins: &Snapshot) -> Subject {
        let rendered = plugins.wants_rendered().then(|| {
            let objects = build::objects(server, self.build);
            objects
                .into_iter()
                .map(|manifest| manifest.object)
                .collect()
        });
        Subject {
            operation: Operation::Update,
            stage: Stage::Reconcile,
            object: serde_json::to_value(server).ok().map(without_status),
            old_object: None,
            name: server.name_any(),
            namespace: server.namespace().map(|name| self.namespaces.facts(&name)),
            user: None,
            dry_run: false,
            rendered,
        }
    }
}

/// Rules are about what a user wrote.
fn without_status(mut server: Value) -> Value {
    if let Some(members) = server.as_object_mut() {
        members.remove("status");
    }
    server
}
