//! What is known of one MCPPlugin, and when it is loaded again.

use std::sync::Arc;
use std::time::Duration;

use mcp_operator_api::v1alpha1::McpPluginStatus;
use mcp_operator_core::retry::{ErrorClass, retry_after};
use mcp_operator_policy::{ActivePlugin, LoadOutcome, PluginVersion, Rejection};
use tokio::time::Instant;

/// What is known of one MCPPlugin.
#[derive(Default)]
pub(crate) struct PluginState {
    /// Which object it is: one that is deleted and made again is another.
    uid: String,
    /// What was loaded last, with or without success.
    loaded: Option<PluginVersion>,
    pub(crate) active: Option<Arc<ActivePlugin>>,
    pub(crate) rejection: Option<Rejection>,
    /// Number of the attempt that is going on.
    attempt: Option<u64>,
    /// Something changed during the attempt that is going on.
    requeue: bool,
    /// It is in force, or was refused for a reason that is its own.
    synced: bool,
    failures: u32,
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

    pub(crate) fn uid(&self) -> &str {
        &self.uid
    }

    /// Begins an attempt, unless one is going on; that one will be followed by another.
    pub(crate) fn begin_attempt(&mut self, number: u64, now: Instant) -> Option<Attempt> {
        if self.attempt.is_some() {
            self.requeue = true;
            return None;
        }
        self.attempt = Some(number);
        // What failed for reasons of the operator is loaded again although nobody changed anything, when its time has come.
        let is_due = self.retry_at.is_some_and(|at| at <= now);
        Some(Attempt {
            loaded: self.loaded.clone().filter(|_| !is_due),
            nothing_in_force: self.active.is_none(),
        })
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
                self.active = Some(Arc::from(active));
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

    /// Whether something changed during the attempt, so that another has to follow; true once.
    pub(crate) fn take_requeue(&mut self) -> bool {
        std::mem::take(&mut self.requeue)
    }

    /// It cannot even be read: what is in force stays.
    pub(crate) fn keep(&mut self) {
        self.synced = true;
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
    /// If so, the component of an earlier run is better than none.
    pub(crate) nothing_in_force: bool,
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
            let attempt = state.begin_attempt(number, now).unwrap();
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
            .begin_attempt(9, now - Duration::from_millis(1))
            .unwrap();
        assert_eq!(early.loaded, Some(version("a")));
        assert!(state.finish_attempt(9, LoadOutcome::Unchanged, now, HALF));
        assert!(state.retry_at().is_some(), "and it is still due");
    }

    #[tokio::test]
    async fn what_is_the_components_fault_waits_for_a_change() {
        let now = Instant::now();
        let mut state = PluginState::new("1".into());
        state.begin_attempt(0, now).unwrap();
        assert!(state.finish_attempt(0, rejected("a", false, false), now, HALF));
        assert!(state.is_synced());
        assert_eq!(state.retry_at(), None);
        let attempt = state.begin_attempt(1, now).unwrap();
        assert_eq!(attempt.loaded, Some(version("a")));
    }

    #[tokio::test]
    async fn a_result_for_an_object_that_is_gone_is_dropped() {
        let now = Instant::now();
        let mut state = PluginState::new("2".into());
        state.begin_attempt(8, now).unwrap();
        assert!(!state.finish_attempt(7, rejected("a", false, false), now, HALF));
        assert!(state.rejection.is_none());
        assert!(state.finish_attempt(8, rejected("b", false, false), now, HALF));
    }

    #[tokio::test]
    async fn a_change_during_an_attempt_is_not_lost() {
        let now = Instant::now();
        let mut state = PluginState::new("1".into());
        state.begin_attempt(0, now).unwrap();
        assert!(state.begin_attempt(1, now).is_none());
        state.finish_attempt(0, LoadOutcome::Unchanged, now, HALF);
        assert!(state.take_requeue());
        assert!(!state.take_requeue());
    }
}
