//! What is there now, for the status and for the pods.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::build::{child_name, secret_objects};
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_core::rollout::Rollout;
use mcp_operator_core::rotation;
use mcp_operator_core::status::{Pass, Presence, Verdict};
use serde_json::Value;

use super::apply::Stopped;
use super::context::Context;
use super::live::State;
use super::servers::ServerRef;

/// What a pass came to, as the watches show it.
pub(super) fn observe(
    server: &McpServer,
    context: &Context,
    verdict: Verdict,
    stopped: Option<&Stopped>,
) -> Pass {
    let name = child_name(&server.name_any());
    // What a plugin failed at is in the verdict already.
    let failure = stopped
        .filter(|_| matches!(verdict, Verdict::Valid))
        .map(Stopped::failure);
    let secrets = secret_objects(server).into_iter();
    let external_secrets = secrets.filter(|secret| secret.fetched).map(|secret| {
        let presence = context.presence(server, ManagedKind::ExternalSecret, &secret.name);
        (secret, presence)
    });
    let metrics = server.spec.observability.metrics.enabled;
    Pass {
        verdict,
        failure,
        rollout: context
            .object(server, ManagedKind::Deployment, &name)
            .map(|deployment| Rollout::of(&deployment)),
        trouble: context.troubles.of(&reference(server)).into_values().min(),
        external_secrets: external_secrets.collect(),
        service_monitor: metrics
            .then(|| context.presence(server, ManagedKind::ServiceMonitor, &name)),
    }
}

impl Context {
    /// Hash of the Secrets that a server's pods read, as far as they are there.
    pub(super) fn secret_hash(&self, server: &McpServer) -> Option<String> {
        let known: BTreeMap<_, _> = self.secrets.of(&reference(server));
        rotation::hash(&server.uid()?, &known)
    }

    fn presence(&self, server: &McpServer, kind: ManagedKind, name: &str) -> Presence {
        if self.live.state(kind) == State::NotServed {
            return Presence::NotServed;
        }
        self.object(server, kind, name)
            .map_or(Presence::Missing, Presence::Present)
    }

    fn object(&self, server: &McpServer, kind: ManagedKind, name: &str) -> Option<Value> {
        let namespace = server.namespace().unwrap_or_default();
        let object = self.live.get(kind, &namespace, name)?;
        serde_json::to_value(&*object).ok()
    }
}

/// A server, as watches name it.
pub(super) fn reference(server: &McpServer) -> ServerRef {
    ObjectRef::new(&server.name_any()).within(&server.namespace().unwrap_or_default())
}
