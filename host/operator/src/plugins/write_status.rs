//! Writes the statuses of MCPPlugins.

use std::collections::BTreeMap;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use mcp_operator_api::names::{API_VERSION, PLUGIN_KIND, field_managers};
use mcp_operator_api::v1alpha1::{McpPlugin, McpPluginStatus};
use mcp_operator_core::retry::retry_after;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::error::Error;
use crate::server::jitter;

/// A plugin's name and the status that it should have.
pub(super) type Told = (String, McpPluginStatus);

/// A status that is to be written.
struct Waiting {
    status: McpPluginStatus,
    failures: u32,
    due: Instant,
}

/// Writes what is told, one after the other: an older status never comes after a newer one. One that cannot be written
/// waits for itself; of one that never can, `unwritten` learns the name.
pub(super) async fn write_statuses(
    client: Client,
    told: UnboundedReceiver<Told>,
    unwritten: UnboundedSender<String>,
) {
    write_all(told, unwritten, |name, status| {
        write(client.clone(), name, status)
    })
    .await;
}

async fn write_all<W: Future<Output = Result<(), Error>>>(
    mut told: UnboundedReceiver<Told>,
    unwritten: UnboundedSender<String>,
    write: impl Fn(String, McpPluginStatus) -> W,
) {
    let mut waiting: BTreeMap<String, Waiting> = BTreeMap::new();
    loop {
        let next = waiting.iter().min_by_key(|(_, waiting)| waiting.due);
        let next = next.map(|(name, waiting)| (name.clone(), waiting.due));
        let name = tokio::select! {
            biased;
            new = told.recv() => match new {
                Some((name, status)) => {
                    add(&mut waiting, name, status);
                    continue;
                }
                None => return,
            },
            name = when_due(next) => name,
        };
        let Some(mut one) = waiting.remove(&name) else {
            continue;
        };
        let Err(error) = write(name.clone(), one.status.clone()).await else {
            continue;
        };
        one.failures += 1;
        let pause = retry_after(error.class(), one.failures, jitter());
        warn!(plugin = name, retry_in = ?pause, %error, "status of MCPPlugin not written");
        match pause {
            Some(pause) => {
                one.due = Instant::now() + pause;
                waiting.insert(name, one);
            }
            // The receiver is gone only when the program ends.
            None => drop(unwritten.send(name)),
        }
    }
}

/// A newer status takes the place of an older one, and its patience.
fn add(waiting: &mut BTreeMap<String, Waiting>, name: String, status: McpPluginStatus) {
    if let Some(older) = waiting.get_mut(&name) {
        older.status = status;
        return;
    }
    let new = Waiting {
        status,
        failures: 0,
        due: Instant::now(),
    };
    waiting.insert(name, new);
}

async fn when_due(next: Option<(String, Instant)>) -> String {
    match next {
        Some((name, due)) => {
            sleep_until(due).await;
            name
        }
        None => std::future::pending().await,
    }
}

async fn write(client: Client, name: String, status: McpPluginStatus) -> Result<(), Error> {
    let api: Api<McpPlugin> = Api::all(client);
    let body = json!({ "apiVersion": API_VERSION, "kind": PLUGIN_KIND, "metadata": { "name": name }, "status": status });
    let params = PatchParams::apply(field_managers::PLUGINS).force();
    match api.patch_status(&name, &params, &Patch::Apply(&body)).await {
        Ok(_) => Ok(()),
        // Deleted in the meantime: there is nobody left to tell.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(Error::api(
            format!("write status of MCPPlugin {name}"),
            error,
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use kube::core::Status;
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    fn refused(code: u16) -> Error {
        let status = Status {
            code,
            ..Status::default()
        };
        Error::api("write", kube::Error::Api(Box::new(status)))
    }

    /// Its name is the smallest, and it is told first.
    #[tokio::test(start_paused = true)]
    async fn a_status_that_cannot_be_written_delays_no_other() {
        let (tell, told) = unbounded_channel();
        let (unwritten, mut not_written) = unbounded_channel();
        for name in ["a", "b", "c"] {
            tell.send((name.to_owned(), McpPluginStatus::default()))
                .unwrap();
        }
        let written = Mutex::new(Vec::new());
        let write = |name: String, _| {
            let answer = match name.as_str() {
                "a" => Err(refused(500)),
                "b" => Err(refused(422)),
                _ => Ok(()),
            };
            written.lock().unwrap().push(name);
            std::future::ready(answer)
        };
        let _ = tokio::time::timeout(
            std::time::Duration::from_secs(20),
            write_all(told, unwritten, write),
        )
        .await;
        let written = written.into_inner().unwrap();
        assert_eq!(written[..3], ["a", "b", "c"]);
        assert!(written[3..].len() > 2, "it is tried again");
        assert!(written[3..].iter().all(|name| name == "a"));
        assert_eq!(not_written.try_recv().as_deref(), Ok("b"));
    }
}
