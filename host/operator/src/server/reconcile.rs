//! One pass over one MCPServer, as a list of steps.

use std::sync::Arc;
use std::time::Instant;

use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::admission::{Denial, decide};
use mcp_operator_core::build;
use mcp_operator_core::field::FieldError;
use mcp_operator_core::manifest::{ManagedKind, Manifest};
use mcp_operator_core::ownership::without_nulls;
use mcp_operator_core::pass::Verdict;
use mcp_operator_core::status;
use serde_json::Value;
use tracing::{error, warn};

use super::apply::{Converged, Stopped, apply};
use super::backoff::jitter;
use super::context::Context;
use super::lane::FULL;
use super::observe::observe;
use super::orphans::delete_orphans;
use super::pace::{self, WAITING};
use super::prune::prune;
use super::reference::{ServerRef, reference};
use super::write_status::{news, write_status};
use crate::error::Error;
use crate::namespaces::Namespaces;
use crate::plugins::{Operation, Snapshot, Stage, Subject, rendered};

/// One pass, whatever comes of it. Its errors end in the status, the log and the time of the next pass.
pub(super) async fn reconcile(
    guarded: Arc<DeserializeGuard<McpServer>>,
    context: Arc<Context>,
) -> Action {
    let began = Instant::now();
    let pending = &context.memory.pending;
    let itself: ServerRef = ObjectRef::from_obj(&*guarded);
    let changed = pending.remove(&itself);
    let gives_way = !pending.is_turn_of(&itself) && !changed;
    let server = match &guarded.0 {
        Ok(server) => &*context.memory.told.newest(server),
        Err(invalid) => {
            error!(name = invalid.metadata.name, error = %invalid.error, "MCPServer cannot be read, waiting for a change");
            return Action::await_change();
        }
    };
    let key = status::key(server);
    if server.metadata.deletion_timestamp.is_some() {
        // Owner references do the rest, also while the operator is down.
        context.memory.backoff.reset(&key);
        context.memory.settled.forget(&itself);
        return Action::await_change();
    }
    // Its user waits for what comes of a change; what failed before has time.
    let place = (!changed && context.memory.backoff.has_failed(&key)).then(|| context.lane.enter());
    let Ok(_place) = place.transpose() else {
        return Action::requeue(FULL.mul_f64(0.5 + jitter()));
    };
    let orphans = delete_orphans(&context, &itself, server.uid().as_deref()).await; // client
    let (verdict, result) = converge(server, &context).await; //             plugins and client
    let result = result.and_then(|converged| orphans.map(|()| converged));
    if let Ok(Converged::PodsAreMade | Converged::ServerIsGone) = result {
        context.memory.backoff.reset(&key);
        return Action::requeue(WAITING);
    }
    let contested = matches!(result, Ok(Converged::Contested));
    let pass = observe(server, &context, verdict, result.as_ref().err()); // no client
    let is_first = !context.memory.backoff.has_failed(&key);
    let may_pass =
        |stopped: &Stopped| !pace::is_told(stopped.error.class(), is_first, began.elapsed());
    let written = match news(server, &pass, &context.settings) {
        None => Ok(()),
        // Told if it happens again.
        Some(_) if result.as_ref().is_err_and(may_pass) => Ok(()),
        // What went wrong is told at once.
        Some(_) if gives_way && result.is_ok() && pass.trouble.is_none() => {
            context.gives_way(itself);
            return Action::await_change();
        }
        Some(status) => {
            let (client, events, told) = (&context.client, &context.events, &context.memory.told);
            write_status(client, events, told, server, &status).await // client
        }
    };
    match result.map_err(|stopped| stopped.error).and(written) {
        Ok(()) => {
            context.memory.backoff.reset(&key);
            let rollout = pass.rollout.as_ref();
            Action::requeue(pace::after_success(contested, rollout, jitter()))
        }
        Err(error) => next_pass(&key, &context, &error),
    }
}

/// Makes the objects what they should be.
async fn converge(server: &McpServer, context: &Context) -> (Verdict, Result<Converged, Stopped>) {
    let plugins = context.snapshots.current();
    let reference = reference(server);
    let before = context.basis_of(server, &plugins); //                     no client
    if context.memory.settled.is(&reference, before) {
        return (Verdict::Valid, Ok(Converged::Objects));
    }
    context.memory.settled.forget(&reference);
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
        context.stamp_secrets(&server, &mut wanted); //                     no client
        let applied = apply(context, &server, &wanted).await; //            client
        let pruned = prune(&context.client, &context.live, &server, &wanted).await; // client
        applied.and_then(|converged| pruned.map(|()| converged))
    };
    let result = result.await;
    // An object that changed in the meantime was compared before or after that: it is looked at again.
    if matches!(result, Ok(Converged::Objects)) && context.basis_of(&server, &plugins) == before {
        context.memory.settled.remember(reference, before);
    }
    (Verdict::Valid, result)
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
    let mut judged: McpServer =
        serde_json::from_value(defaulted.object.clone()).map_err(|_| Error::NotAServer)?;
    // Plugins do not see it, and what is made depends on whether there is one.
    judged.status.clone_from(&server.status);
    subject.object = Some(defaulted.object);
    match decide(&plugins.validate(&subject).await).denial {
        None => Ok((judged, Vec::new())),
        Some(Denial::Invalid(errors)) => Ok((judged, errors)),
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
    let retry = context.memory.backoff.next(key, class, jitter());
    let pause = pace::after_failure(retry, jitter());
    warn!(server = key, category = error.category(), class = <&str>::from(class), retry_in = ?pause, %error, "reconcile failed");
    Action::requeue(pause)
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
        let rendered = plugins
            .wants_rendered()
            .then(|| rendered(server, self.build));
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
