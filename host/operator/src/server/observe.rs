//! What is there now, for the status and for the pods.

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use kube::ResourceExt;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::build::{child_name, secret_objects, service_monitor_place};
use mcp_operator_core::manifest::{ManagedKind, Manifest};
use mcp_operator_core::pass::{Pass, Presence, Verdict};
use mcp_operator_core::rollout::Rollout;
use mcp_operator_core::rotation;
use serde_json::Value;

use super::apply::Stopped;
use super::context::Context;
use super::live::State;
use super::reference::reference;

/// What a pass came to, as the watches show it.
pub(super) fn observe(
    server: &McpServer,
    context: &Context,
    verdict: Verdict,
    stopped: Option<&Stopped>,
) -> Pass {
    let namespace = server.namespace().unwrap_or_default();
    let name = child_name(&server.name_any());
    // What a plugin failed at is in the verdict already.
    let failure = stopped
        .filter(|_| matches!(verdict, Verdict::Valid))
        .map(Stopped::failure);
    let secrets = secret_objects(server).into_iter();
    let external_secrets = secrets.filter(|secret| secret.fetched).map(|secret| {
        let presence = context.presence(ManagedKind::ExternalSecret, &namespace, &secret.name);
        (secret, presence)
    });
    let metrics = server.spec.observability.metrics.enabled;
    Pass {
        verdict,
        failure,
        rollout: context
            .object(ManagedKind::Deployment, &namespace, &name)
            .map(|deployment| Rollout::of(&deployment)),
        blind: context.live.state(ManagedKind::Deployment) != State::Listed,
        trouble: context
            .troubles
            .of(&reference(server))
            .and_then(|troubles| troubles.into_values().min()),
        external_secrets: external_secrets.collect(),
        service_monitor: metrics.then(|| {
            let (namespace, name) = service_monitor_place(server, &context.settings.build);
            context.presence(ManagedKind::ServiceMonitor, &namespace, &name)
        }),
        notes: context.notes(server),
    }
}

impl Context {
    /// What is not done because it may not be read: visible where people look, not only in the log.
    fn notes(&self, server: &McpServer) -> Vec<String> {
        let reads_secrets = !server.spec.secrets.is_empty()
            || server.spec.env.iter().any(|variable| {
                let source = variable.value_from.as_ref();
                source.is_some_and(|source| source.secret_key_ref.is_some())
            });
        let secrets = self.secrets.refusal().filter(|_| reads_secrets);
        let pods = self.troubles.refusal();
        let note = |what: &str, why: String| format!("{what}, because the operator may not: {why}");
        [
            secrets.map(|why| note("pods are not replaced when a Secret changes", why)),
            pods.map(|why| note("what keeps a pod from serving is not told", why)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Something whenever more or less can be read than before: that concerns all servers.
    pub(super) fn states_change(&self) -> BoxStream<'static, ()> {
        let objects = self.live.states_change();
        let facts = stream::select(self.secrets.states_change(), self.troubles.states_change());
        stream::select(objects, facts).boxed()
    }

    /// Puts into the Deployment what replaces its pods, if a Secret that they read has changed.
    pub(super) fn stamp_secrets(&self, server: &McpServer, wanted: &mut [Manifest]) {
        let (Some(uid), Some(deployment)) = (
            server.uid(),
            wanted
                .iter_mut()
                .find(|manifest| manifest.kind == ManagedKind::Deployment),
        ) else {
            return;
        };
        if !rotation::reads_secrets(&deployment.object) {
            return;
        }
        let namespace = server.namespace().unwrap_or_default();
        let live = self
            .live
            .get(ManagedKind::Deployment, &namespace, deployment.name());
        let known = self.secrets.of(&reference(server));
        rotation::stamp(
            &mut deployment.object,
            live.as_deref(),
            known.as_ref(),
            &uid,
        );
    }

    fn presence(&self, kind: ManagedKind, namespace: &str, name: &str) -> Presence {
        if self.live.state(kind) == State::NotServed {
            return Presence::NotServed;
        }
        self.object(kind, namespace, name)
            .map_or(Presence::Missing, Presence::Present)
    }

    fn object(&self, kind: ManagedKind, namespace: &str, name: &str) -> Option<Value> {
        let object = self.live.get(kind, namespace, name)?;
        serde_json::to_value(&*object).ok()
    }
}
