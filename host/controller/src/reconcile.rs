//! One reconcile of one MCPServer, as a list of steps.

use kube::Resource;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::adoption::Adoption;
use mcp_operator_core::build;
use mcp_operator_core::field::FieldError;
use mcp_operator_core::manifest::{Applied, ManagedKind, Mutated, Objects};
use mcp_operator_core::remote::relocation::gateway_needs_pods;
use mcp_operator_core::rollout::Rollout;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_policy::{
    Judgement, PolicyError, ReconcileInputs, Snapshot, default_and_validate, mutate_objects,
};
use strum::{IntoEnumIterator, IntoStaticStr};
use tracing::Instrument;

use crate::adopt::{expect_no_secret, keep_adopted};
use crate::apply::apply;
use crate::context::Context;
use crate::error::ReconcileError;
use crate::observe::observe;
use crate::older_templates::keep_fetching;
use crate::orphans::delete_orphans;
use crate::prune::{Pruned, prune};
use crate::requeue::Attempt;
use crate::rotation::stamp_secret_hashes;
use crate::spans::step;
use crate::status_writer::write_status;
use crate::take_back::{TakenBack, take_back};

/// What a reconcile that nothing stopped has found or made.
#[derive(Debug, IntoStaticStr)]
pub(crate) enum Progress {
    /// The objects are as they should be.
    Applied(Objects<Applied>),
    /// They are as an earlier reconcile left them, and nothing that decides about them has changed.
    Unchanged,
    /// The server runs elsewhere now, and its pods stay until the gateway sends nobody to them any more.
    Relocating,
    /// Another controller insists on something in an object, which is left alone for a while.
    Contested,
    /// The specification breaks rules. What was made from an earlier one stays.
    Invalid(Vec<FieldError>),
    /// The Deployment was created just now: a status would be out of date before it is written.
    DeploymentCreated,
    /// The account of the pods has another identity just now: they, and what is said about them, wait until that is known.
    AccountSettling,
    /// The MCPServer was deleted, which the informer does not show yet.
    OwnerDeleted,
}

/// What decides when the next reconcile comes.
pub(crate) struct Reconciled {
    pub(crate) progress: Progress,
    /// The Deployment's rollout, if there is a Deployment.
    pub(crate) rollout: Option<Rollout>,
}

/// One reconcile: objects first, then the status that says how they are. A failure ends in the status as well.
pub(crate) async fn reconcile(
    server: &McpServer,
    context: &Context,
    attempt: &Attempt,
) -> Result<Reconciled, ReconcileError> {
    let (key, uid) = (ServerKey::of(server), server.meta().uid.as_deref());
    let orphans = delete_orphans(context, &key, uid); //                                 client
    let orphans = orphans.instrument(step("delete orphans")).await;
    let objects = reconcile_objects(server, context, attempt).await; //                  plugins and client
    let result = objects.and_then(|progress| orphans.map(|()| progress));
    let observed = observe(server, context, &result); //                                 no client
    let Some(mut outcome) = observed else {
        return result.map(Reconciled::without_status);
    };
    context.probe_failures.explain(&key, &mut outcome).await; //                         client, seldom
    // A first failure that a second try often mends is not worth two writes of each status.
    let is_reported = result
        .as_ref()
        .err()
        .is_none_or(|error| attempt.reports(error));
    let written = if is_reported {
        let writing = write_status(context, server, &outcome); //                        client
        writing.instrument(step("write status")).await
    } else {
        Ok(())
    };
    let progress = result?;
    written?;
    Ok(Reconciled {
        progress,
        rollout: outcome.rollout,
    })
}

/// Reports why a reconcile cannot begin. What was made of the server stays.
pub(crate) async fn report_undecided(
    server: &McpServer,
    context: &Context,
    attempt: &Attempt,
    error: ReconcileError,
) -> Result<Reconciled, ReconcileError> {
    context.record_unknown(server);
    let result = Err(error);
    let observed = observe(server, context, &result);
    if let (Err(error), Some(outcome)) = (&result, observed)
        && attempt.reports(error)
    {
        write_status(context, server, &outcome).await?;
    }
    result.map(Reconciled::without_status)
}

/// Makes the objects what they should be.
async fn reconcile_objects(
    server: &McpServer,
    context: &Context,
    attempt: &Attempt,
) -> Result<Progress, ReconcileError> {
    let plugins = context.snapshots.current();
    let inputs_hash = context.inputs_hash(server, &plugins); //                          no client
    if context.noop_cache.is_noop(server, inputs_hash) {
        context.record_same(server, &plugins);
        return Ok(Progress::Unchanged);
    }
    // What this one finds counts until another one ends well, also where everything is again as it was before.
    context.noop_cache.forget(&ServerKey::of(server));
    let judged = judge(server, context, &plugins).await; //                              plugins, client seldom
    let (inputs, admitted) = match judged.map_err(ReconcileError::Undecided)? {
        (inputs, Judgement::Admitted(admitted)) => (inputs, admitted),
        (_, Judgement::Invalid(invalid)) => return Ok(Progress::Invalid(invalid.errors)),
    };
    let built = build::objects(&admitted.server, &context.settings.build)?; //           no client
    let mutating = mutate_objects(&admitted, &inputs, &plugins, built); //               plugins
    let mut objects = mutating.instrument(step("mutate")).await?;
    let taking_back = take_back(context, server); //                                     client, seldom
    let taken_back = taking_back.instrument(step("take back")).await;
    if matches!(taken_back, Ok(TakenBack::OwnerDeleted)) {
        return Ok(Progress::OwnerDeleted);
    }
    let keeps_older = keep_what_pods_have(context, server, &mut objects); //             no client
    let applying = apply(context, server, &objects, attempt); //                         client
    let applied = applying.instrument(step("apply")).await;
    if gateway_needs_pods(server) && has_objects(context, server) {
        return Ok(Progress::Relocating);
    }
    let pruning = prune(context, server, &objects); //                                   client
    let pruned = pruning.instrument(step("prune")).await;
    taken_back?;
    let progress = applied?.progress(objects);
    // What older pods may need goes with the rollout, whose steps change no inputs.
    let is_final = pruned? == Pruned::All && !keeps_older;
    // An object that changed meanwhile was compared before or after that: it is compared again.
    if let Progress::Applied(objects) = &progress
        && is_final
        && context.inputs_hash(server, &plugins) == inputs_hash
    {
        context.noop_cache.remember(server, inputs_hash, objects);
    }
    Ok(progress)
}

/// What plugins make of the server, and say of it. It is recorded for those who ask.
async fn judge<'a>(
    server: &McpServer,
    context: &'a Context,
    plugins: &Snapshot,
) -> Result<(ReconcileInputs<'a>, Judgement), PolicyError> {
    let inputs = context.reconcile_inputs(server).await;
    let inputs = inputs.inspect_err(|_| context.record_unknown(server))?;
    let judging = default_and_validate(server, &inputs, plugins);
    let judged = judging.instrument(step("judge")).await;
    context.record_judgement(server, plugins, &judged);
    Ok((inputs, judged?))
}

/// Makes the objects such that pods which run already go on: those of an adopted Deployment and of older templates, and those
/// that have read their Secrets. Whether anything is kept that goes later, with a rollout.
fn keep_what_pods_have(
    context: &Context,
    server: &McpServer,
    objects: &mut Objects<Mutated>,
) -> bool {
    let adoption = keep_adopted(context, server, objects);
    stamp_secret_hashes(context, server, objects);
    if matches!(adoption, Some(Adoption::Kept(_))) {
        expect_no_secret(objects);
    }
    let has_kept = keep_fetching(context, server, objects);
    has_kept || adoption == Some(Adoption::Replacing)
}

fn has_objects(context: &Context, server: &McpServer) -> bool {
    let key = ServerKey::of(server);
    ManagedKind::iter().any(|kind| !context.objects.keys_of(kind, &key).is_empty())
}

impl From<&Reconciled> for &'static str {
    fn from(reconciled: &Reconciled) -> Self {
        (&reconciled.progress).into()
    }
}

impl Reconciled {
    fn without_status(progress: Progress) -> Self {
        Self {
            progress,
            rollout: None,
        }
    }
}
