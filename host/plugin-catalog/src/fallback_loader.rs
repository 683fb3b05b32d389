//! One attempt to load a plugin: from its source, else from the operator's own copy, else from what was compiled before.
//!
//! It decides nothing about when plugins are loaded, and changes nothing: what came of an attempt goes back to the
//! [`controller`](crate::controller).

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_operator_core::retry::Classify;
use mcp_operator_policy::{ActivePlugin, LoadOutcome, PluginLoader, Rejection};
use mcp_operator_runtime::ApiError;
use mcp_plugin_host::Digest;

use crate::component_store::{ComponentCopy, ComponentStore};
use crate::plugin_state::{Attempt, Search};
use crate::status::shown_digest;

/// What an attempt led to.
pub(crate) struct Loaded {
    pub(crate) outcome: LoadOutcome,
    pub(crate) search: Search,
    /// What lies between this and what was in force before.
    pub(crate) between: Vec<ActivePlugin>,
}

/// Loads plugins, also where their source is away. Cheap to clone.
#[derive(Clone)]
pub(crate) struct FallbackLoader {
    pub(crate) loader: PluginLoader,
    pub(crate) components: ComponentStore,
}

impl FallbackLoader {
    /// Loads a plugin, and besides, where it is another one, what the leader has in force. A panic is a rejection.
    pub(crate) async fn load(&self, plugin: &McpPlugin, attempt: Attempt) -> Loaded {
        let loading = AssertUnwindSafe(self.load_and_search(plugin, attempt)).catch_unwind();
        loading.await.unwrap_or_else(|_| Loaded {
            outcome: LoadOutcome::Rejected {
                version: None,
                why: Rejection::panicked(),
                last_good: None,
            },
            search: Search::NotNeeded,
            between: Vec::new(),
        })
    }

    async fn load_and_search(&self, plugin: &McpPlugin, attempt: Attempt) -> Loaded {
        let (agreed, in_force) = (attempt.agreed.clone(), attempt.in_force.clone());
        let outcome = self.load_source(plugin, attempt).await;
        let digest = outcome.loaded().map(|loaded| shown_digest(loaded.digest()));
        let search = match agreed.filter(|agreed| digest.as_ref() != Some(agreed)) {
            None => Search::NotNeeded,
            Some(agreed) => self.search(plugin, &agreed).await,
        };
        let between = match (outcome.loaded(), in_force) {
            (Some(loaded), Some(in_force)) => self.loader.between(&in_force, loaded).await,
            _ => Vec::new(),
        };
        Loaded {
            outcome,
            search,
            between,
        }
    }

    /// Loads a plugin; at the start of the operator, the component that was in force before is the second choice.
    async fn load_source(&self, plugin: &McpPlugin, attempt: Attempt) -> LoadOutcome {
        match self.loader.load(plugin, attempt.loaded.as_ref()).await {
            LoadOutcome::Rejected {
                version, mut why, ..
            } if attempt.in_force.is_none() => {
                let kept = self.load_copy(plugin, |_| true).await;
                if let Err(of_copy) = &kept {
                    why.retry |= of_copy.retry;
                    why.message = format!(
                        "{}; and of the last good component: {}",
                        why.message, of_copy.message
                    );
                }
                let last_good = match kept {
                    Ok(Some(kept)) => Some(kept),
                    _ => self.loader.last_good(plugin).await,
                };
                LoadOutcome::Rejected {
                    version,
                    why,
                    last_good,
                }
            }
            outcome => outcome,
        }
    }

    /// Looks for the component that the leader has in force where it has left a copy, and where this replica keeps what it
    /// has compiled. Another one is not compiled to find that out.
    async fn search(&self, plugin: &McpPlugin, digest: &str) -> Search {
        let is_agreed = |copy: &ComponentCopy| shown_digest(Digest::of(&copy.component)) == digest;
        if let Ok(Some(found)) = self.load_copy(plugin, is_agreed).await {
            return Search::Found(found);
        }
        let cached = self.loader.last_good(plugin).await;
        cached
            .filter(|found| shown_digest(found.digest()) == digest)
            .map_or(Search::InVain, Search::Found)
    }

    /// Loads the operator's own copy of a component, if there is one that is wanted. The error says why that cannot be in
    /// force.
    async fn load_copy(
        &self,
        plugin: &McpPlugin,
        is_wanted: impl Fn(&ComponentCopy) -> bool,
    ) -> Result<Option<Box<ActivePlugin>>, Rejection> {
        if !self.loader.trusts_copies(plugin) {
            return Ok(None);
        }
        let copy = self.components.read(plugin).await.map_err(unread)?;
        let Some(copy) = copy.filter(is_wanted) else {
            return Ok(None);
        };
        let loaded = self
            .loader
            .load_kept(plugin, &copy.component, copy.provenance);
        loaded.await.map(Some)
    }
}

/// A copy that could not be read may be readable in a moment.
fn unread(error: ApiError) -> Rejection {
    Rejection {
        category: error.category(),
        message: error.to_string(),
        operator_fault: false,
        retry: true,
        interfaces: None,
    }
}
