//! Writes the Reports that differ from what they should say.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use mcp_operator_api::names::field_managers;
use mcp_operator_core::report::{self, Violator};
use mcp_operator_core::retry::Classify;
use mcp_operator_runtime::{ApiError, delete_by_uid, request};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::step::{Answered, Step, step};
use crate::cache::digest;
use crate::context::Context;
use crate::create::VERSION_OF_NO_OBJECT;
use crate::violations::Violators;

/// After a write that failed; twice as long after each further one.
const RETRY: Duration = Duration::from_secs(30);
const LONGEST_RETRY: Duration = Duration::from_mins(10);
/// Between two writes that say the same: somebody changes it each time.
const PUT_BACK: Duration = Duration::from_mins(1);

/// What is remembered of the Reports for one term.
pub(super) struct Keeper<'a> {
    context: &'a Context,
    namespaces: HashMap<String, Kept>,
    /// Uids of the Reports of others that were told.
    told: HashSet<String>,
}

/// What is remembered of the Report of one namespace.
#[derive(Default)]
struct Kept {
    /// From what the digest was made.
    violators: Vec<Violator>,
    wanted: Option<u64>,
    answered: Option<Answered>,
    failures: u32,
    /// No write before that time; of another Report, if it was no failure.
    not_before: Option<Instant>,
}

impl Kept {
    /// The digest of what the Report should say.
    fn update(&mut self, namespace: &str, violators: &[Violator]) {
        if self.violators == violators {
            return;
        }
        violators.clone_into(&mut self.violators);
        let report = (!violators.is_empty()).then(|| report::report(namespace, violators));
        self.wanted = report.as_ref().map(digest);
        if self.failures == 0 {
            self.not_before = None;
        }
    }

    fn succeeded(&mut self) {
        self.failures = 0;
        self.not_before = Some(Instant::now() + PUT_BACK);
    }

    fn failed(&mut self) -> Duration {
        let pause = RETRY.saturating_mul(1 << self.failures.min(10));
        let pause = pause.min(LONGEST_RETRY);
        self.failures += 1;
        self.not_before = Some(Instant::now() + pause);
        pause
    }
}

impl<'a> Keeper<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        Self {
            context,
            namespaces: HashMap::new(),
            told: HashSet::new(),
        }
    }

    /// Writes what differs, one after the other; one that fails keeps no other waiting. Gives the time to look again, if
    /// something has to wait.
    pub(super) async fn keep(
        &mut self,
        violators: &Violators,
        shutdown: &CancellationToken,
    ) -> Option<Instant> {
        let mut namespaces: BTreeSet<String> = self.context.reports.namespaces().collect();
        namespaces.extend(violators.keys().cloned());
        self.namespaces.retain(|name, _| namespaces.contains(name));
        let mut again: Option<Instant> = None;
        for namespace in namespaces {
            if shutdown.is_cancelled() {
                break;
            }
            let violators = violators.get(&namespace).map_or(&[][..], Vec::as_slice);
            let waits = self.keep_one(&namespace, violators).await;
            again = again.into_iter().chain(waits).min();
        }
        again
    }

    /// Gives the time before which nothing is written, where something should be.
    async fn keep_one(&mut self, namespace: &str, violators: &[Violator]) -> Option<Instant> {
        let found = self.context.reports.get(namespace);
        let kept = self.namespaces.entry(namespace.to_owned()).or_default();
        kept.update(namespace, violators);
        let step = step(found, kept.wanted, kept.answered);
        match step {
            Step::Nothing => return None,
            Step::Refuse { uid } => {
                self.refuse(namespace, uid).await;
                return None;
            }
            Step::Create | Step::Update { .. } | Step::Delete { .. } => {}
        }
        if let Some(time) = kept.not_before.filter(|time| *time > Instant::now()) {
            return Some(time);
        }
        match write(self.context, namespace, violators, step).await {
            Ok(stored) => {
                let wanted = kept.wanted;
                kept.answered = wanted
                    .zip(stored)
                    .map(|(wanted, stored)| Answered { wanted, stored });
                kept.succeeded();
                None
            }
            Err(error) => {
                let pause = kept.failed();
                warn!(namespace, category = error.category(), retry_in = ?pause, %error, "Report not written");
                kept.not_before
            }
        }
    }

    /// Tells once that a Report of somebody else has the name of ours.
    async fn refuse(&mut self, namespace: &str, uid: String) {
        if self.told.contains(&uid) {
            return;
        }
        let note = "this Report is not the operator's, which would tell here which MCPServers break rules: delete or rename it, or switch the operator's Reports off by --enable-reports=false";
        warn!(
            namespace,
            name = report::NAME,
            note,
            "a Report is somebody else's"
        );
        let event = Event {
            type_: EventType::Warning,
            reason: "ForeignReport".into(),
            note: Some(note.into()),
            action: "Report".into(),
            secondary: None,
        };
        let about = ObjectReference {
            api_version: Some(format!("{}/{}", report::GROUP, report::VERSION)),
            kind: Some(report::KIND.into()),
            namespace: Some(namespace.into()),
            name: Some(report::NAME.into()),
            uid: Some(uid.clone()),
            ..ObjectReference::default()
        };
        self.context.events.publish(event, &about).await;
        self.told.insert(uid);
    }
}

/// One write. Gives the digest of what is stored then; nothing if it was a deletion.
async fn write(
    context: &Context,
    namespace: &str,
    violators: &[Violator],
    step: Step,
) -> Result<Option<u64>, ApiError> {
    let api = Api::namespaced_with(context.client.clone(), namespace, &report::api_resource());
    let mut report = report::report(namespace, violators);
    match step {
        Step::Nothing | Step::Refuse { .. } => Ok(None),
        Step::Delete { uid } => {
            delete(&api, namespace, uid).await?;
            context.reports.record_deletion(namespace);
            Ok(None)
        }
        // One that somebody makes meanwhile is not taken over.
        Step::Create => {
            report["metadata"]["resourceVersion"] = VERSION_OF_NO_OBJECT.into();
            apply(context, &api, namespace, &report).await.map(Some)
        }
        Step::Update { uid } => {
            report["metadata"]["uid"] = uid.into();
            apply(context, &api, namespace, &report).await.map(Some)
        }
    }
}

async fn apply(
    context: &Context,
    api: &Api<DynamicObject>,
    namespace: &str,
    report: &Value,
) -> Result<u64, ApiError> {
    let params = PatchParams::apply(field_managers::REPORTS).force();
    let patch = Patch::Apply(report);
    let written = request(
        || format!("apply {} {namespace}/{}", report::KIND, report::NAME),
        api.patch(report::NAME, &params, &patch),
    )
    .await?;
    info!(namespace, summary = %report["summary"], "Report written");
    let stored = digest(&written.data);
    context.reports.record_write(written);
    Ok(stored)
}

async fn delete(api: &Api<DynamicObject>, namespace: &str, uid: String) -> Result<(), ApiError> {
    let params = delete_by_uid(Some(uid));
    let deleted = request(
        || format!("delete {} {namespace}/{}", report::KIND, report::NAME),
        api.delete(report::NAME, &params),
    );
    match deleted.await {
        Ok(_) => info!(namespace, "Report deleted"),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}
