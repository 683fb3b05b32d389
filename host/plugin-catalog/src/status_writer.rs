//! Writes the statuses of MCPPlugins.

use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use mcp_operator_api::names::{API_VERSION, PLUGIN_KIND, field_managers};
use mcp_operator_api::v1alpha1::{McpPlugin, McpPluginStatus};
use mcp_operator_core::retry::{Classify, retry_after};
use mcp_operator_runtime::{ApiError, Leadership, WorkQueue, jitter, request};
use serde_json::json;
use tracing::warn;

use crate::pending::Pending;

/// A status that is to be written.
#[derive(Clone, Debug)]
pub(crate) struct PendingStatus {
    /// Which object it is about: a namesake that was made after a deletion must not get it.
    pub(crate) uid: Option<String>,
    pub(crate) status: McpPluginStatus,
}

/// Statuses that are to be written, of each plugin only the newest.
pub(crate) type PendingStatuses = Pending<PendingStatus>;

/// Writes them one after the other; the name of one that never can be written goes to `not_written`. Never ends.
pub(crate) async fn write_statuses(
    client: Client,
    pending: PendingStatuses,
    not_written: WorkQueue<String>,
    leadership: Leadership,
) {
    let write = |name, status| write(client.clone(), name, status);
    write_all(pending, not_written, write, &leadership).await;
}

async fn write_all<W: Future<Output = Result<(), ApiError>>>(
    statuses: PendingStatuses,
    not_written: WorkQueue<String>,
    write: impl Fn(String, PendingStatus) -> W,
    leadership: &Leadership,
) {
    let pause = |name: &str, error: &ApiError, attempt| {
        // By its uid it is another object now, or none: the controller has a status for that one.
        let pause = if error.is_conflict() {
            None
        } else {
            retry_after(error.class(), attempt, jitter())
        };
        warn!(plugin = name, category = error.category(), retry_in = ?pause, %error, "status of MCPPlugin not written");
        if pause.is_none() {
            not_written.add(name.to_owned());
        }
        pause
    };
    statuses.write_all(write, pause, leadership).await;
}

async fn write(client: Client, name: String, pending: PendingStatus) -> Result<(), ApiError> {
    let api: Api<McpPlugin> = Api::all(client);
    let body = json!({
        "apiVersion": API_VERSION, "kind": PLUGIN_KIND,
        "metadata": { "name": name, "uid": pending.uid }, "status": pending.status,
    });
    let params = PatchParams::apply(field_managers::PLUGINS).force();
    let patch = Patch::Apply(&body);
    let written = request(
        || format!("write status of MCPPlugin {name}"),
        api.patch_status(&name, &params, &patch),
    );
    match written.await {
        // Deleted in the meantime: there is no status to write any more.
        Err(error) if error.is_not_found() => Ok(()),
        written => written.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use futures::FutureExt;
    use kube::core::Status;

    use super::*;

    fn refused(code: u16) -> ApiError {
        let status = Status {
            code,
            ..Status::default()
        };
        ApiError::new("write", kube::Error::Api(Box::new(status)))
    }

    fn pending(summary: &str) -> PendingStatus {
        PendingStatus {
            uid: None,
            status: McpPluginStatus {
                summary: Some(summary.to_owned()),
                ..McpPluginStatus::default()
            },
        }
    }

    /// Writes for so many seconds; returns what was tried, and what will never be written.
    async fn tried(
        statuses: &PendingStatuses,
        seconds: u64,
        answer: impl Fn(&str) -> Result<(), ApiError>,
    ) -> (Vec<(String, String)>, Vec<String>) {
        let tried = Mutex::new(Vec::new());
        let not_written = WorkQueue::default();
        let write = |name: String, pending: PendingStatus| {
            let answer = answer(&name);
            let summary = pending.status.summary.unwrap_or_default();
            tried.lock().unwrap().push((name, summary));
            std::future::ready(answer)
        };
        let leadership = Leadership::unelected();
        let writing = write_all(statuses.clone(), not_written.clone(), write, &leadership);
        let _ = tokio::time::timeout(Duration::from_secs(seconds), writing).await;
        let never = std::iter::from_fn(|| not_written.next().now_or_never()).collect();
        (tried.into_inner().unwrap(), never)
    }

    #[tokio::test(start_paused = true)]
    async fn a_status_that_cannot_be_written_delays_no_other() {
        let statuses = PendingStatuses::default();
        for name in ["a", "b", "c", "d"] {
            statuses.replace(name.to_owned(), pending(""));
        }
        let (tried, never) = tried(&statuses, 20, |name| match name {
            "a" => Err(refused(500)),
            "b" => Err(refused(422)),
            "c" => Err(refused(409)),
            _ => Ok(()),
        })
        .await;
        let names: Vec<&str> = tried.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[..4], ["a", "b", "c", "d"]);
        assert!(names[4..].len() > 2, "it is tried again");
        assert!(names[4..].iter().all(|name| *name == "a"));
        assert_eq!(never, ["b", "c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_newest_status_is_written() {
        let statuses = PendingStatuses::default();
        statuses.replace("a".to_owned(), pending("old"));
        statuses.replace("a".to_owned(), pending("new"));
        let (first, _) = tried(&statuses, 0, |_| Err(refused(500))).await;
        assert_eq!(first, [("a".to_owned(), "new".to_owned())]);
        statuses.replace("a".to_owned(), pending("newest"));
        let (second, _) = tried(&statuses, 20, |_| Ok(())).await;
        assert_eq!(second, [("a".to_owned(), "newest".to_owned())]);
    }
}
