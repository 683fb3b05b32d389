//! Which optional APIs the cluster serves: they may be installed and removed at any time.

use futures::StreamExt;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::ApiResource;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use mcp_operator_runtime::{TaskGroup, watch as watches};
use tokio::sync::watch::{self, Receiver};
use tracing::{info, warn};

/// Whether an optional API is served: `None` until it is known.
pub(super) fn watch_served(
    client: &Client,
    tasks: &TaskGroup,
    resource: &ApiResource,
) -> Receiver<Option<bool>> {
    let version = resource.version.clone();
    let name = format!("{}.{}", resource.plural, resource.group);
    let (sender, served) = watch::channel(None);
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = watches::with_backoff(watcher(api, only)).boxed();
    tasks.spawn(
        format!("watch of CustomResourceDefinition {name}"),
        async move {
            let mut listed = false;
            while let Some(event) = events.next().await {
                let now = match event {
                    Ok(Event::Init) => {
                        listed = false;
                        continue;
                    }
                    Ok(Event::InitApply(definition) | Event::Apply(definition)) => {
                        listed = true;
                        is_served(&definition, &version)
                    }
                    Ok(Event::InitDone) if listed => continue,
                    Ok(Event::InitDone | Event::Delete(_)) => false,
                    Err(error) => {
                        warn!(watch = name, %error, "watch failed, trying again");
                        match watches::refusal(&error) {
                            // Then the objects themselves must show whether there is an API.
                            Some(status) if status.code == 403 => true,
                            _ => continue,
                        }
                    }
                };
                let changed = sender.send_if_modified(|known| {
                    let changed = *known != Some(now);
                    *known = Some(now);
                    changed
                });
                if changed {
                    info!(api = name, version, served = now, "optional API");
                }
            }
        },
    );
    served
}

fn is_served(definition: &CustomResourceDefinition, version: &str) -> bool {
    let established = definition
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .any(|condition| condition.type_ == "Established" && condition.status == "True");
    let leaving = definition.metadata.deletion_timestamp.is_some();
    let mut versions = definition.spec.versions.iter();
    established && !leaving && versions.any(|offered| offered.name == version && offered.served)
}
