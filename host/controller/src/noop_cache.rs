//! Why most reconciles end early: nothing has changed that decides about the objects.
//!
//! A rollout wakes a server many times. To ask the plugins and to compare all objects each time would cost more than
//! everything else.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::{Resource, ResourceExt};
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::{Applied, ManagedKind, Objects};
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_policy::Snapshot;
use strum::IntoEnumIterator;
use tokio::time::Instant;

use crate::context::Context;

/// After this everything is compared again, whatever seems to be the same.
const MAX_AGE: Duration = Duration::from_mins(30);

/// By server, the inputs of the last reconcile that left everything as it should be.
#[derive(Default)]
pub(crate) struct NoopCache(Mutex<HashMap<ServerKey, (u64, Instant)>>);

impl NoopCache {
    /// Whether a reconcile with these inputs would change nothing.
    pub(crate) fn is_noop(&self, server: &McpServer, inputs_hash: u64) -> bool {
        let known = self.lock().get(&ServerKey::of(server)).copied();
        known.is_some_and(|(known, since)| known == inputs_hash && since.elapsed() < MAX_AGE)
    }

    /// Notes that everything is as it should be, which only objects that were applied can be.
    pub(crate) fn remember(
        &self,
        server: &McpServer,
        inputs_hash: u64,
        _applied: &Objects<Applied>,
    ) {
        let entry = (inputs_hash, Instant::now());
        self.lock().insert(ServerKey::of(server), entry);
    }

    /// Forgets a server that is not as it should be, or is gone.
    pub(crate) fn forget(&self, server: &ServerKey) {
        self.lock().remove(server);
    }

    /// Forgets all: whoever was the leader meanwhile may have left something else.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerKey, (u64, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Context {
    /// A hash of everything that decides about the objects of a server, and of the objects without their status.
    pub(crate) fn inputs_hash(&self, server: &McpServer, plugins: &Snapshot) -> u64 {
        let (key, meta) = (ServerKey::of(server), server.meta());
        let mut hasher = DefaultHasher::new();
        (
            &meta.uid,
            meta.generation,
            server.labels(),
            server.annotations(),
        )
            .hash(&mut hasher);
        plugins.fingerprint().hash(&mut hasher);
        self.namespaces.facts(&key.namespace).hash(&mut hasher);
        self.secret_hashes.of(&key).hash(&mut hasher);
        for kind in ManagedKind::iter() {
            self.objects.availability(kind).hash(&mut hasher);
            for (namespace, name) in self.objects.keys_of(kind, &key) {
                let object = self.objects.hash_without_status(kind, &namespace, &name);
                (namespace, name, object).hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use mcp_operator_core::build;
    use mcp_operator_core::validated_server::ValidatedServer;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_same_inputs_are_a_noop_for_a_while() {
        let cache = NoopCache::default();
        let server: McpServer = serde_json::from_value(serde_json::json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": "a", "namespace": "tools" },
            "spec": { "image": { "repository": "acme/mcp" } },
        }))
        .unwrap();
        assert!(!cache.is_noop(&server, 1));
        let built = build::objects(
            &ValidatedServer::parse(&server).unwrap(),
            &build::Settings::default(),
        )
        .unwrap();
        let values = built.values().cloned().collect();
        let applied = built.mutated(values).unwrap().into_applied();
        cache.remember(&server, 1, &applied);
        assert!(cache.is_noop(&server, 1));
        assert!(!cache.is_noop(&server, 2), "something else decides now");
        advance(MAX_AGE).await;
        assert!(!cache.is_noop(&server, 1));
        cache.remember(&server, 1, &applied);
        cache.forget(&ServerKey::of(&server));
        assert!(!cache.is_noop(&server, 1));
    }
}
