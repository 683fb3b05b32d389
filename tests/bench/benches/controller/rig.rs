//! A control plane with the operator, and who uses both.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{
    DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind, PartialObjectMeta};
use kube::{Api, Client, Config};
use mcp_cluster::{Cache, ControlPlane, ControlPlaneOptions};
use mcp_e2e::{AuditLog, Environment, Operator, Request, install_definitions, install_plugins};
use serde_json::{Value, json};

/// Servers that both sides work on at once: the operator's own default.
pub(crate) const AT_ONCE: usize = 16;

const LONGEST: Duration = Duration::from_mins(30);

/// A control plane with the operator.
pub(crate) struct Rig {
    pub(crate) environment: Environment,
    pub(crate) client: Client,
    pub(crate) audit: AuditLog,
    operator: Option<Operator>,
    namespaces: usize,
    servers: usize,
    cluster: ControlPlane,
}

impl Rig {
    pub(crate) async fn start() -> Result<Self> {
        let options = ControlPlaneOptions {
            name: "bench-controller".into(),
            audit: true,
            ..ControlPlaneOptions::default()
        };
        let cluster = ControlPlane::start(&Cache::open()?, options)?;
        install_definitions(cluster.kubectl())?;
        install_plugins(cluster.kubectl())?;
        // Where the registrar writes to: a step that fails would be tried again and again.
        cluster.kubectl().run(&["create", "namespace", "litellm"])?;
        let environment = Environment {
            kubectl: cluster.kubectl().clone(),
            ..Environment::open()?
        };
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig())?;
        let config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let audit = AuditLog::new(&cluster.audit_log().context("no audit log")?);
        Ok(Self {
            operator: Some(Operator::start(&environment, "bench")?),
            client: Client::try_from(config)?,
            environment,
            audit,
            namespaces: 0,
            servers: 0,
            cluster,
        })
    }

    /// A new namespace.
    pub(crate) async fn namespace(&mut self) -> Result<String> {
        self.namespaces += 1;
        let name = format!("round-{}", self.namespaces);
        let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
        Api::all(self.client.clone())
            .create(&PostParams::default(), &namespace)
            .await?;
        Ok(name)
    }

    /// Creates servers, and waits until the operator has made the last object of the last one.
    pub(crate) async fn operate(&mut self, namespace: &str, count: usize) -> Result<Duration> {
        self.servers += count;
        let deployments: Api<PartialObjectMeta<Deployment>> =
            Api::namespaced(self.client.clone(), namespace);
        let mut events = Box::pin(
            deployments
                .watch_metadata(&WatchParams::default(), "0")
                .await?,
        );
        let kind = GroupVersionKind::gvk("mcp.litellm.ai", "v1alpha1", "MCPServer");
        let servers: Api<DynamicObject> = Api::namespaced_with(
            self.client.clone(),
            namespace,
            &ApiResource::from_gvk(&kind),
        );
        let params = PostParams::default();
        let began = Instant::now();
        let create = stream::iter(0..count)
            .map(|index| {
                let (servers, params) = (&servers, &params);
                async move {
                    let object = serde_json::from_value(server(namespace, &format!("s-{index}")))?;
                    servers.create(params, &object).await?;
                    anyhow::Ok(())
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>();
        let see = async {
            let mut seen = 0;
            while seen < count {
                match events.next().await.context("the watch ended")?? {
                    WatchEvent::Added(_) => seen += 1,
                    WatchEvent::Error(status) => anyhow::bail!("the watch failed: {status:?}"),
                    _ => {}
                }
            }
            Ok(())
        };
        tokio::time::timeout(LONGEST, async { tokio::try_join!(create, see) }).await??;
        Ok(began.elapsed())
    }

    /// Writes the Secret of the servers of a namespace, with other content each time.
    pub(crate) async fn secret(&self, namespace: &str, round: usize) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "token", "namespace": namespace, "labels": { "mcp.litellm.ai/server": "s-0" } },
            "stringData": { "token": format!("round-{round}") },
        });
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let params = PatchParams::apply("bench");
        secrets
            .patch("token", &params, &Patch::Apply(&secret))
            .await?;
        Ok(())
    }

    /// Changes the Secret of a namespace with one server, and waits until its Deployment has changed.
    pub(crate) async fn rotate(&self, namespace: &str, round: usize) -> Result<Duration> {
        let deployments: Api<PartialObjectMeta<Deployment>> =
            Api::namespaced(self.client.clone(), namespace);
        let now = deployments.list_metadata(&ListParams::default()).await?;
        let version = now
            .metadata
            .resource_version
            .context("a list without version")?;
        let generation = now
            .items
            .first()
            .and_then(|found| found.metadata.generation);
        let mut events = Box::pin(
            deployments
                .watch_metadata(&WatchParams::default(), &version)
                .await?,
        );
        self.secret(namespace, round).await?;
        let began = Instant::now();
        loop {
            if let WatchEvent::Modified(found) =
                events.next().await.context("the watch ended")??
                && found.metadata.generation != generation
            {
                return Ok(began.elapsed());
            }
        }
    }

    /// Waits until the pods of a namespace are there: the other controllers' work must not go into the next round.
    pub(crate) async fn settle(&self, namespace: &str, count: usize) -> Result<()> {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        let began = Instant::now();
        loop {
            let list = deployments.list(&ListParams::default()).await?;
            let available = |deployment: &&Deployment| {
                let status = deployment.status.as_ref();
                status.and_then(|status| status.available_replicas) == Some(2)
            };
            if list.items.iter().filter(available).count() == count {
                return Ok(());
            }
            ensure!(
                began.elapsed() < LONGEST,
                "the pods of {namespace} do not come"
            );
            tokio::time::sleep(Duration::from_millis(if count > 1 { 1000 } else { 50 })).await;
        }
    }

    /// Waits until the operator has written nothing for a while, and forgets what it wrote.
    pub(crate) fn writes_have_ended(&mut self) -> Result<()> {
        let mut quiet = 0;
        while quiet < 5 {
            std::thread::sleep(Duration::from_secs(1));
            let wrote = self.audit.requests()?.iter().any(Request::is_write);
            quiet = if wrote { 0 } else { quiet + 1 };
        }
        Ok(())
    }

    pub(crate) fn restart_operator(&mut self) -> Result<()> {
        drop(self.operator.take());
        self.operator = Some(Operator::start(&self.environment, "bench-again")?);
        Ok(())
    }

    pub(crate) fn operator_id(&self) -> u32 {
        self.operator.as_ref().map_or(0, Operator::id)
    }

    pub(crate) fn servers(&self) -> usize {
        self.servers
    }

    /// The plugins in force, as manifests in a file.
    pub(crate) fn policy(&self) -> Result<PathBuf> {
        let file = self.environment.logs.join("policy.yaml");
        let plugins = self.cluster.kubectl().run(&[
            "get",
            "mcpplugin",
            "validation",
            "compliance",
            "--output=yaml",
        ])?;
        std::fs::write(&file, plugins)?;
        Ok(file)
    }
}

/// A server as users write it. Not registered: LiteLLM is not what is measured.
pub(crate) fn server(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" },
            "config": { "logLevel": "info" },
            // Small: all of them must fit on the simulated node.
            "resources": { "limits": { "cpu": "10m", "memory": "64Mi" } },
            "litellm": { "autoRegister": false },
        },
    })
}
