//! What decides about the objects of a server, in one number: while it stays the same, so do they.

use std::hash::{DefaultHasher, Hash, Hasher};

use kube::{Resource, ResourceExt};
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::ManagedKind;
use strum::IntoEnumIterator;

use super::context::Context;
use super::reference::reference;
use crate::plugins::Snapshot;

impl Context {
    /// Everything that decides about the objects of a server, and the objects without their status.
    pub(super) fn basis_of(&self, server: &McpServer, plugins: &Snapshot) -> u64 {
        let reference = reference(server);
        let namespace = server.namespace().unwrap_or_default();
        let meta = server.meta();
        let mut hasher = DefaultHasher::new();
        (&meta.uid, meta.generation, &meta.labels, &meta.annotations).hash(&mut hasher);
        plugins.fingerprint().hash(&mut hasher);
        self.namespaces.facts(&namespace).hash(&mut hasher);
        self.secrets.of(&reference).hash(&mut hasher);
        for kind in ManagedKind::iter() {
            self.live.state(kind).hash(&mut hasher);
            for (namespace, name) in self.live.keys_of(kind, &reference) {
                let object = self.live.fingerprint(kind, &namespace, &name);
                (namespace, name, object).hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}
