//! Keeps copies of the components that are in force.

use std::collections::BTreeMap;

use mcp_operator_core::retry::{Classify, ErrorClass, retry_after};
use mcp_operator_runtime::jitter;
use tracing::warn;

use crate::component_store::{ComponentStore, KeptComponent};
use crate::pending::Pending;

/// Keeps one after the other. One that cannot be kept is tried again for as long as it takes, without holding up others: its
/// plugin is in force meanwhile, but would not outlive its source. Never ends.
pub(crate) async fn keep_components(store: ComponentStore, pending: Pending<KeptComponent>) {
    let mut failures: BTreeMap<String, u32> = BTreeMap::new();
    loop {
        let (name, kept) = pending.next().await;
        let Err(error) = store.keep(&kept).await else {
            failures.remove(&name);
            continue;
        };
        let attempt = failures.get(&name).map_or(1, |failures| failures + 1);
        let again = |class| retry_after(class, attempt, jitter());
        // What is refused for good may be allowed later, and nobody tells.
        let pause = again(error.class()).or_else(|| again(ErrorClass::External));
        warn!(plugin = name, category = error.category(), retry_in = ?pause, %error, "the component in force could not be copied: it would not outlive its ConfigMap and this pod");
        if let Some(pause) = pause {
            failures.insert(name.clone(), attempt);
            pending.retry(name, kept, pause);
        }
    }
}
