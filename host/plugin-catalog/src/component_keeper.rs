//! Keeps copies of the components that are in force.

use mcp_operator_core::retry::{Classify, ErrorClass, retry_after};
use mcp_operator_runtime::{ApiError, Leadership, jitter};
use tracing::warn;

use crate::component_store::{ComponentStore, KeptComponent};
use crate::pending::Pending;

/// Keeps one after the other. One that cannot be kept is tried again for as long as it takes, without holding up others: its
/// plugin is in force meanwhile, but would not outlive its source. Never ends.
pub(crate) async fn keep_components(
    store: ComponentStore,
    pending: Pending<KeptComponent>,
    leadership: Leadership,
) {
    let store = &store;
    let keep = async |_, kept: KeptComponent| store.keep(&kept).await;
    let pause = |name: &str, error: &ApiError, attempt| {
        let again = |class| retry_after(class, attempt, jitter());
        // What is refused for good may be allowed later, and nobody tells.
        let pause = again(error.class()).or_else(|| again(ErrorClass::External));
        warn!(plugin = name, category = error.category(), retry_in = ?pause, %error, "the component in force could not be copied: it would not outlive its source and this pod");
        pause
    };
    pending.write_all(keep, pause, &leadership).await;
}
