//! What is known of one MCPPlugin, and when it is loaded again.

use std::sync::Arc;
use std::time::Duration;

use mcp_operator_api::v1alpha1::{McpPluginStatus, PluginSource};
use mcp_operator_core::retry::{ErrorClass, retry_after};
use mcp_operator_policy::{ActivePlugin, LoadOutcome, PluginVersion, Rejection};
use tokio::time::Instant;

use crate::agreement::{Agreement, Version, follows};

/// After so many searches in vain for what the leader has in force, a component that comes with the operator's image is taken
/// as it came: the leader is of a version that kept no copies.
const SEARCHES: u32 = 3;

/// What is known of one MCPPlugin.
#[derive(Default)]
pub(crate) struct PluginState {
    /// Which object it is: one that is deleted and made again is another.
    uid: String,
    /// What was loaded last, with or without success.
    loaded: Option<PluginVersion>,
    pub(crate) active: Option<Arc<ActivePlugin>>,
    /// Passed all checks, and waits until the leader has it in force.
    pub(crate) staged: Option<Arc<ActivePlugin>>,
    pub(crate) rejection: Option<Rejection>,
    /// Number of the attempt that is going on.
    attempt: Option<u64>,
    /// Something changed during the attempt that is going on.
    requeue: bool,
    /// It is in force, or was refused for a reason that is its own.
    synced: bool,
    failures: u32,
    /// How often in a row what the leader has in force was not found.
    searches: u32,
    /// Its component comes with the operator, which may be of another version than the leader's.
    comes_with_operator: bool,
    retry_at: Option<Instant>,
    /// The status that was published last: the watch may not have shown it yet.
    pub(crate) last_published: Option<McpPluginStatus>,
}

impl PluginState {
    pub(crate) fn new(uid: String) -> Self {
        Self {
            uid,
            ..Self::default()
        }
    }

    /// What the specification says of the source now.
    pub(crate) fn of_source(&mut self, source: &PluginSource) {
        self.comes_with_operator = source.builtin.is_some() || source.file.is_some();
    }

    pub(crate) fn uid(&self) -> &str {
        &self.uid
    }

    /// Begins an attempt, unless one is going on; that one will be followed by another. `agreement` is what this replica has
    /// to follow, if another leads.
    pub(crate) fn begin_attempt(
        &mut self,
        number: u64,
        agreement: Option<&Agreement>,
        now: Instant,
    ) -> Option<Attempt> {
        if self.attempt.is_some() {
            self.requeue = true;
            return None;
        }
        self.attempt = Some(number);
        // What failed for reasons of the operator is loaded again although nobody changed anything, when its time has come.
        let is_due = self.retry_at.is_some_and(|at| at <= now);
        Some(Attempt {
            loaded: self.loaded.clone().filter(|_| !is_due),
            in_force: self.active.clone(),
            agreed: agreement
                .and_then(Agreement::digest)
                .filter(|digest| !self.has(digest))
                .map(str::to_owned),
        })
    }

    fn has(&self, digest: &str) -> bool {
        let components = self.active.iter().chain(&self.staged);
        components
            .map(|plugin| Version::of(plugin))
            .any(|version| version.digest == digest)
    }

    /// Takes the result of an attempt. False: it is of an object that is gone.
    pub(crate) fn finish_attempt(
        &mut self,
        number: u64,
        outcome: LoadOutcome,
        now: Instant,
        jitter: f64,
    ) -> bool {
        if self.attempt != Some(number) {
            return false;
        }
        self.attempt = None;
        match outcome {
            LoadOutcome::Unchanged => {}
            LoadOutcome::InForce {
                version, active, ..
            } => {
                self.loaded = Some(version);
                self.staged = Some(Arc::from(active));
                self.rejection = None;
                self.failures = 0;
                self.retry_at = None;
                self.synced = true;
            }
            LoadOutcome::Rejected {
                version,
                why,
                last_good,
            } => {
                self.failures = if self.loaded == version {
                    self.failures + 1
                } else {
                    1
                };
                self.loaded = version;
                self.staged = None;
                self.retry_at = retry_pause(&why, self.failures, jitter).map(|pause| now + pause);
                if let Some(last_good) = last_good {
                    self.active = Some(Arc::from(last_good));
                }
                // At the start, requests are not answered without a plugin that only the operator's fault keeps out.
                self.synced |= !why.operator_fault || self.active.is_some();
                self.rejection = Some(why);
            }
        }
        true
    }

    /// Takes what was found of the component that the leader has in force.
    pub(crate) fn finish_search(&mut self, search: Search, now: Instant, jitter: f64) {
        match search {
            Search::NotNeeded => self.searches = 0,
            Search::Found(found) => {
                self.searches = 0;
                self.active = Some(Arc::from(found));
            }
            Search::InVain => {
                self.searches += 1;
                let pause = retry_after(ErrorClass::PluginHost, self.searches, jitter);
                let retry_at = pause.map(|pause| now + pause);
                self.retry_at = self.retry_at.into_iter().chain(retry_at).min();
            }
        }
    }

    /// Puts into force what was loaded, if this replica leads, or the leader has it in force. True: it was.
    pub(crate) fn settle(&mut self, agreement: Option<&Agreement>, leads: bool) -> bool {
        let Some(staged) = &self.staged else {
            return false;
        };
        let in_force = self.active.as_deref().map(Version::of);
        let follows = || follows(agreement, in_force.as_ref(), &Version::of(staged));
        if !leads && !follows() && !self.takes_its_own(agreement) {
            return false;
        }
        self.active = self.staged.take();
        true
    }

    fn takes_its_own(&self, agreement: Option<&Agreement>) -> bool {
        let has_digest = agreement.is_some_and(|agreement| agreement.digest().is_some());
        self.comes_with_operator && self.searches >= SEARCHES && has_digest
    }

    /// Whether the leader has it in force otherwise than this replica, which does not lead.
    pub(crate) fn is_behind(&self, agreement: &Agreement) -> bool {
        let in_force = self.active.as_deref().map(Version::of);
        agreement.is_ahead_of(in_force.as_ref()) && !self.takes_its_own(Some(agreement))
    }

    /// Whether something changed during the attempt, so that another has to follow; true once.
    pub(crate) fn take_requeue(&mut self) -> bool {
        std::mem::take(&mut self.requeue)
    }

    /// It cannot even be read: what is in force stays.
    pub(crate) fn keep(&mut self) {
        self.synced = true;
        // There is nothing to try again before it is changed.
        self.retry_at = None;
    }

    pub(crate) fn is_synced(&self) -> bool {
        self.synced
    }

    /// When it has to be tried again by itself.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry_at.filter(|_| self.attempt.is_none())
    }
}

/// What an attempt starts from.
pub(crate) struct Attempt {
    /// The version that need not be loaded again.
    pub(crate) loaded: Option<PluginVersion>,
    /// Nothing: the component of an earlier run is better than none.
    pub(crate) in_force: Option<Arc<ActivePlugin>>,
    /// Digest of the component that the leader has in force, and that this replica has not.
    pub(crate) agreed: Option<String>,
}

/// Whether the component was found that the leader has in force.
pub(crate) enum Search {
    /// It is there.
    NotNeeded,
    Found(Box<ActivePlugin>),
    InVain,
}

fn retry_pause(why: &Rejection, failures: u32, jitter: f64) -> Option<Duration> {
    why.retry
        .then(|| retry_after(ErrorClass::PluginHost, failures, jitter))
        .flatten()
}

#[cfg(test)]
mod tests {
    use mcp_plugin_host::Digest;

    use super::*;

    const HALF: f64 = 0.5;

    /// The version of an MCPPlugin whose component consists of these letters.
    fn version(component: &str) -> PluginVersion {
        let plugin = serde_json::json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": "rules" },
            "spec": { "source": { "builtin": "rules" } },
        });
        let plugin = serde_json::from_value(plugin).unwrap();
        PluginVersion::new(Digest::of(component.as_bytes()), &plugin).unwrap()
    }

    fn rejected(digest: &str, operator_fault: bool, retry: bool) -> LoadOutcome {
        LoadOutcome::Rejected {
            version: Some(version(digest)),
            why: Rejection {
                category: "Overloaded",
                message: "it waited".into(),
                operator_fault,
                retry,
                interfaces: None,
            },
            last_good: None,
        }
    }

    #[tokio::test]
    async fn what_failed_by_our_fault_is_tried_again_ever_more_slowly() {
        let mut now = Instant::now();
        let mut state = PluginState::new("1".into());
        let mut pauses = Vec::new();
        for number in 0..4 {
            let attempt = state.begin_attempt(number, None, now).unwrap();
            assert!(attempt.loaded.is_none(), "the same version is tried again");
            assert!(state.finish_attempt(number, rejected("a", true, true), now, HALF));
            assert!(!state.is_synced());
            let next = state.retry_at().unwrap();
            pauses.push(next - now);
            now = next;
        }
        assert!(
            pauses.windows(2).all(|pair| pair[0] < pair[1]),
            "{pauses:?}"
        );
        // Before its time, only another version is tried.
        let early = state
            .begin_attempt(9, None, now - Duration::from_millis(1))
            .unwrap();
        assert_eq!(early.loaded, Some(version("a")));
        assert!(state.finish_attempt(9, LoadOutcome::Unchanged, now, HALF));
        assert!(state.retry_at().is_some(), "and it is still due");
    }

    /// The catalog would ask again and again whether it is time.
    #[tokio::test]
    async fn what_cannot_be_read_any_more_is_not_due() {
        let now = Instant::now();
        let mut state = PluginState::new("1".into());
        state.begin_attempt(1, None, now);
        state.finish_attempt(1, rejected("a", true, true), now, HALF);
        assert!(state.retry_at().is_some());
        state.keep();
        assert_eq!(state.retry_at(), None);
    }

    #[tokio::test]
    async fn what_is_the_components_fault_waits_for_a_change() {
        let now = Instant::now();
        let mut state = PluginState::new("1".into());
        state.begin_attempt(0, None, now).unwrap();
        assert!(state.finish_attempt(0, rejected("a", false, false), now, HALF));
        assert!(state.is_synced());
        assert_eq!(state.retry_at(), None);
        let attempt = state.begin_attempt(1, None, now).unwrap();
        assert_eq!(attempt.loaded, Some(version("a")));
    }

    #[tokio::test]
    async fn a_result_for_an_object_that_is_gone_is_dropped() {
        let now = Instant::now();
        let mut state = PluginState::new("2".into());
        state.begin_attempt(8, None, now).unwrap();
        assert!(!state.finish_attempt(7, rejected("a", false, false), now, HALF));
        assert!(state.rejection.is_none());
        assert!(state.finish_attempt(8, rejected("b", false, false), now, HALF));
    }

    #[tokio::test]
    async fn a_change_during_an_attempt_is_not_lost() {
        let now = Instant::now();
        let mut state = PluginState::new("1".into());
        state.begin_attempt(0, None, now).unwrap();
        assert!(state.begin_attempt(1, None, now).is_none());
        state.finish_attempt(0, LoadOutcome::Unchanged, now, HALF);
        assert!(state.take_requeue());
        assert!(!state.take_requeue());
    }
}
