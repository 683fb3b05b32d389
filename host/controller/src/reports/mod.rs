//! Which servers break rules, and in which fields, as Reports of openreports.io: one for each namespace that has such servers,
//! where that API is installed.
//!
//! - In: what the servers of a namespace break ([`violations`](crate::violations)), and the Reports of our name.
//! - Out: Reports by server-side apply, written when they say something else, deleted when there is nothing to tell or they
//!   are switched off.
//! - Never: it touches a Report of somebody else, and it writes nothing that says the same as before.

mod keeper;
mod step;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use self::keeper::Keeper;
use crate::context::Context;
use crate::violations::Violators;

/// Merges what changes in many namespaces.
const SETTLE: Duration = Duration::from_secs(2);

/// Keeps the Reports in step, until `shutdown`.
pub(crate) async fn run(context: &Context, shutdown: CancellationToken) {
    let mut violators = context.violators.subscribe();
    let mut changes = context.reports.changes();
    let mut keeper = Keeper::new(context);
    loop {
        tokio::select! {
            () = sleep(SETTLE) => {}
            () = shutdown.cancelled() => return,
        }
        changes.mark_unchanged();
        let known = violators.borrow_and_update().clone();
        let mut again = None;
        if let Some(violators) = wanted(context, known)
            && context.reports.is_listed()
        {
            again = keeper.keep(&violators, &shutdown).await;
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            changed = violators.changed() => if changed.is_err() { return },
            () = pause(again) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// What Reports should say. Switched off, that is nothing, and known at once.
fn wanted(context: &Context, known: Option<Arc<Violators>>) -> Option<Arc<Violators>> {
    if context.settings.reports {
        known
    } else {
        Some(Arc::default())
    }
}

async fn pause(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}
