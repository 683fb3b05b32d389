//! What only the leader does: one term after the other, for as long as this replica holds the lease.

use std::pin::pin;

use mcp_operator_controller::Controller;
use mcp_operator_registration::RegistrationContext;
use mcp_operator_runtime::{Election, Leadership};
use tokio_util::sync::CancellationToken;
use tracing::error;

/// The parts that write, and what says when they may.
pub(crate) struct Leader {
    pub(crate) controller: Controller,
    pub(crate) registration: RegistrationContext,
    /// Nothing: this replica is alone, and knows it.
    pub(crate) election: Option<Election>,
    pub(crate) leadership: Leadership,
}

impl Leader {
    /// Until `stop`: then what is going on is finished, and the lease given back.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Self {
            controller,
            registration,
            election,
            leadership,
        } = self;
        // A leader that has not seen everything would be blind.
        let ready = tokio::select! {
            ready = controller.ready() => ready,
            () = stop.cancelled() => return,
        };
        if let Err(ended) = ready {
            error!(error = %ended, "the controller cannot begin");
            return;
        }
        let finished = CancellationToken::new();
        let terms = async {
            run_terms(&controller, &registration, &leadership, &stop).await;
            finished.cancel();
        };
        let election = async {
            if let Some(election) = election {
                election.run(finished.clone()).await;
            }
        };
        tokio::join!(terms, election);
    }
}

async fn run_terms(
    controller: &Controller,
    registration: &RegistrationContext,
    leadership: &Leadership,
    stop: &CancellationToken,
) {
    loop {
        let term = tokio::select! {
            term = leadership.acquired() => term,
            () = stop.cancelled() => return,
        };
        let over = stop.child_token();
        controller.begin_term();
        let work = async {
            tokio::join!(
                Box::pin(controller.run(over.clone())),
                Box::pin(mcp_operator_registration::run(
                    registration.clone(),
                    over.clone()
                )),
            );
        };
        let end = async {
            leadership.ended(term).await;
            over.cancel();
        };
        let mut work = pin!(work);
        tokio::select! {
            () = &mut work => {}
            () = end => work.await,
        }
        if stop.is_cancelled() || !over.is_cancelled() {
            return;
        }
    }
}
