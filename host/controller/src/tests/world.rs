//! An API server with a controller, and what tests ask of both.

use std::fmt::Debug;
use std::sync::Arc;

use kube::api::DeleteParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource};
use mcp_operator_metrics::Metrics;
use mcp_operator_runtime::{Events, GuardedServer, Namespaces, Supervisor};
use serde::de::DeserializeOwned;

use super::*;
use crate::context::Context;
use crate::reconcile::reconcile;
use crate::requeue::{Attempt, Requeue, RetryLimiter};
use crate::{Controller, ControllerSettings, obtain_hash_key, schedule};

/// An API server, and a controller whose watches are going on. Its reconciles run when a test says so.
pub(super) struct World {
    pub(super) api: ApiServer,
    pub(super) controller: Controller,
    pub(super) supervisor: Supervisor,
    pub(super) metrics: Metrics,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::on(api_server()).await
    }

    pub(super) async fn on(api: ApiServer) -> Self {
        Self::with_settings(api, build::Settings::default()).await
    }

    pub(super) async fn with_settings(api: ApiServer, build: build::Settings) -> Self {
        let snapshots = Snapshots::fixed(Snapshot::default());
        Self::with_snapshots(api, build, snapshots).await
    }

    pub(super) async fn with_snapshots(
        api: ApiServer,
        build: build::Settings,
        snapshots: Snapshots,
    ) -> Self {
        let supervisor = Supervisor::default();
        let (client, tasks) = (api.client(), supervisor.tasks());
        let namespaces = Namespaces::watch(&client, &tasks);
        let hash_key = obtain_hash_key(&client, OPERATOR_NAMESPACE).await.unwrap();
        // Tests count what the controller itself writes.
        api.clear_log();
        let metrics = Metrics::new("1.0.0");
        let settings = ControllerSettings {
            build,
            concurrency: CONCURRENCY,
            identity_delay: IDENTITY_DELAY,
            hash_key,
            reports: true,
            metrics: metrics.reconciles("mcpserver"),
        };
        let events = Events::new(client.clone());
        let controller = Controller::new(
            &client,
            client.clone(),
            settings,
            snapshots,
            namespaces,
            events,
            &tasks,
        );
        let world = Self {
            api,
            controller,
            supervisor,
            metrics,
        };
        world.context().servers.ready().await.unwrap();
        world.context().objects.ready().await.unwrap();
        world.context().secret_hashes.ready().await.unwrap();
        world.context().pod_issues.ready().await.unwrap();
        world
    }

    /// A world with a server that has been reconciled until nothing was left to do, and whose pods serve.
    pub(super) async fn with_server(spec: Value) -> Self {
        let world = Self::new().await;
        world.put_server(spec);
        world.converge().await;
        world
    }

    pub(super) fn context(&self) -> &Arc<Context> {
        &self.controller.context
    }

    pub(super) fn put_server(&self, spec: Value) {
        self.put_server_named(NAME, spec);
    }

    pub(super) fn put_server_named(&self, name: &str, spec: Value) {
        self.api.put(mcp_server_with(NAMESPACE, name, spec));
    }

    /// Changes the specification as a user does.
    pub(super) fn edit_spec(&self, change: impl FnOnce(&mut Value)) {
        let edited = self.api.edit("MCPServer", NAMESPACE, NAME, |server| {
            change(&mut server["spec"]);
        });
        edited.unwrap();
    }

    /// Reconciles until everything is as it should be, with a Deployment whose pods serve.
    pub(super) async fn converge(&self) {
        assert!(matches!(
            self.reconcile().await,
            Ok(Progress::DeploymentCreated)
        ));
        self.roll_out();
        assert!(matches!(self.reconcile().await, Ok(Progress::Applied(_))));
        self.api.clear_log();
    }

    /// Lets the Deployment's pods serve.
    pub(super) fn roll_out(&self) {
        let edited = self
            .api
            .edit("Deployment", NAMESPACE, CHILD, deployment_rolled_out);
        edited.unwrap();
    }

    /// Deletes an object that a finalizer keeps for now.
    pub(super) async fn begin_deletion<K>(&self, name: &str)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        self.api.edit(&K::kind(&()), NAMESPACE, name, |object| {
            object["metadata"]["finalizers"] = json!(["example.com/wait"]);
        });
        let objects: Api<K> = Api::namespaced(self.api.client(), NAMESPACE);
        objects
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
    }

    /// The server as the informer shows it, when that has caught up.
    pub(super) async fn guarded(&self) -> Arc<GuardedServer> {
        self.api.idle().await;
        let server = ServerKey::new(NAMESPACE, NAME);
        self.context().servers.get(&server).unwrap()
    }

    pub(super) async fn server(&self) -> McpServer {
        let guarded = self.guarded().await;
        let server = guarded.readable().unwrap();
        self.context().servers.latest(server).into_owned()
    }

    /// The first try of a reconcile, after the caches have caught up.
    pub(super) async fn reconcile(&self) -> Result<Progress, ReconcileError> {
        self.attempt(false).await
    }

    /// A reconcile after one that failed.
    pub(super) async fn retry(&self) -> Result<Progress, ReconcileError> {
        self.attempt(true).await
    }

    pub(super) async fn attempt(&self, is_retry: bool) -> Result<Progress, ReconcileError> {
        let server = self.server().await;
        self.attempt_with(&server, is_retry).await
    }

    /// The same with a server that the informer shows no more.
    pub(super) async fn attempt_with(
        &self,
        server: &McpServer,
        is_retry: bool,
    ) -> Result<Progress, ReconcileError> {
        let attempt = Attempt::begin(is_retry);
        let reconciled = reconcile(server, self.context(), &attempt).await;
        reconciled.map(|reconciled| reconciled.progress)
    }

    /// A reconcile as the work queue would start it.
    pub(super) async fn scheduled(&self) -> Option<Requeue> {
        let guarded = self.guarded().await;
        let retries = RetryLimiter::new(CONCURRENCY);
        schedule::run(guarded, self.context(), &retries).await
    }

    /// Forgets that everything is as it should be, so that all objects are compared again.
    pub(super) fn compare_again(&self) {
        let server = ServerKey::new(NAMESPACE, NAME);
        self.context().noop_cache.forget(&server);
    }

    /// What was written since the last call, events aside: `Service` for an apply of it, `status`, `delete Service`.
    pub(super) fn written(&self) -> Vec<String> {
        let written = self.api.writes().into_iter();
        let lines = written
            .filter(|request| request.kind != "Event")
            .map(|request| match request.verb {
                Verb::Apply if request.subresource == "status" => "status".into(),
                Verb::Apply => request.kind,
                verb => format!("{verb:?} {}", request.kind).to_lowercase(),
            })
            .collect();
        self.api.clear_log();
        lines
    }

    pub(super) fn exists(&self, kind: ManagedKind) -> bool {
        let (namespace, name) = place(kind);
        self.api.get(kind.name(), namespace, name).is_some()
    }

    /// Kinds of which the API server has objects.
    pub(super) fn kinds(&self) -> Vec<ManagedKind> {
        ManagedKind::iter()
            .filter(|kind| !self.api.objects_of(kind.name()).is_empty())
            .collect()
    }

    /// Reasons of the events about MCPServers.
    pub(super) fn events(&self) -> Vec<String> {
        let events = self.api.objects_of("Event").into_iter();
        events
            .map(|event| event["reason"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(super) fn note(&self, reason: &str) -> String {
        let mut events = self.api.objects_of("Event").into_iter();
        let event = events.find(|event| event["reason"] == reason).unwrap();
        event["note"].as_str().unwrap().to_owned()
    }

    /// Status, reason and message of a condition; nothing if there is none.
    pub(super) fn condition(&self, kind: &str) -> Option<(String, String, String)> {
        let server = self.api.get("MCPServer", NAMESPACE, NAME)?;
        let conditions = server["status"]["conditions"].as_array()?.clone();
        let found = conditions.iter().find(|found| found["type"] == kind)?;
        let text = |member: &str| found[member].as_str().unwrap().to_owned();
        Some((text("status"), text("reason"), text("message")))
    }

    /// Reason and message of the summary.
    pub(super) fn ready(&self) -> (String, String) {
        let (_, reason, message) = self.condition(conditions::READY).unwrap();
        (reason, message)
    }
}
