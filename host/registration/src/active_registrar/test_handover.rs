//! A hand-over among fake registrars, and whoever lets the selected one register.

use std::sync::Arc;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use super::RegistrarHandover;
use crate::record::HandoverRecord;
use crate::registrars::{RecordStore, Registrar, Registrars};
use crate::selection::{Selection, WaitingCandidate};
use crate::test_records::FakeRecords;
use crate::test_registrars::{Behaviour, Drain, FakeRegistrar, FakeRegistrars, entry, id_of, lock};

type Handover = RegistrarHandover<FakeRegistrar, Arc<FakeRecords>>;

pub(super) struct Cluster {
    pub(super) world: FakeRegistrars,
    pub(super) handover: Handover,
}

impl Cluster {
    /// The first one should be active.
    pub(super) fn with_candidates(ids: &[&str]) -> Self {
        let world = FakeRegistrars::default();
        world.set_candidates(ids);
        let handover = handover(&world);
        Self { world, handover }
    }

    pub(super) fn candidates(&self, ids: &[&str]) -> &Self {
        self.world.set_candidates(ids);
        self
    }

    pub(super) fn change(&self, id: &str, change: impl FnOnce(&mut Behaviour)) -> &Self {
        self.world.change(id, change);
        self
    }

    pub(super) fn drain(&self, id: &str, drain: Drain) -> &Self {
        self.change(id, |behaviour| behaviour.drain = drain)
    }

    pub(super) fn locations(&self, id: &str, locations: &[&str]) -> &Self {
        let locations = locations
            .iter()
            .map(|location| (*location).to_owned())
            .collect();
        self.change(id, |behaviour| behaviour.locations = Some(locations))
    }

    pub(super) fn record_writes_fail(&self, fail: bool) -> &Self {
        *lock(&self.world.records.writes_fail) = fail;
        self
    }

    pub(super) fn restart(&mut self) -> &mut Self {
        self.handover = handover(&self.world);
        self
    }

    /// One pass: what was selected. The selected one registers.
    pub(super) async fn pass(&mut self) -> String {
        let servers = [entry("weather")];
        let candidates = self.world.candidates();
        let selected = self.handover.select(&self.world, &candidates, &servers);
        let selection = match selected.await {
            Ok(selection) => selection,
            Err(error) => return format!("error: {error}"),
        };
        if let Selection::Active { registrar, .. } = &selection
            && let Ok(planned) = self.world.plan(registrar, &servers).await
        {
            self.world.execute(&planned).await;
        }
        shown(&selection)
    }

    /// Active registrar and those that are drained, as recorded.
    pub(super) fn record(&self) -> String {
        let record = block_on(self.world.records.read()).unwrap();
        shown_record(&record)
    }

    /// Locations where something is registered.
    pub(super) fn registered(&self) -> Vec<String> {
        lock(&self.world.registered).iter().cloned().collect()
    }
}

fn handover(world: &FakeRegistrars) -> Handover {
    RegistrarHandover::new(world.records.clone(), CancellationToken::new())
}

/// Nothing in here ever waits.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

pub(super) fn shown_record(record: &HandoverRecord) -> String {
    let active = record.active.as_ref().map_or_else(|| "-".into(), id_of);
    let draining: Vec<String> = record.draining.iter().map(id_of).collect();
    format!("{active} {draining:?}").replace('"', "")
}

fn shown(selection: &Selection<FakeRegistrar>) -> String {
    let waits = |waiting: &Option<WaitingCandidate<FakeRegistrar>>| {
        waiting.as_ref().map_or_else(String::new, |waiting| {
            format!(
                ", {} waits: {}",
                waiting.candidate.fingerprint(),
                waiting.reason
            )
        })
    };
    match selection {
        Selection::NoRegistrar => "none".into(),
        Selection::CandidateFailed { candidate, error } => {
            format!("{} failed: {error}", candidate.fingerprint())
        }
        Selection::Draining {
            registrar,
            waiting,
            previous,
            progress,
        } => format!(
            "{previous} drains before {}: {progress}{}",
            registrar.fingerprint(),
            waits(waiting)
        ),
        Selection::Active {
            registrar,
            waiting,
            drain_stuck,
        } => {
            let stuck = drain_stuck.as_ref().map(|why| format!(", stuck: {why}"));
            let stuck = stuck.unwrap_or_default();
            format!("{}{}{stuck}", registrar.fingerprint(), waits(waiting))
        }
    }
}
