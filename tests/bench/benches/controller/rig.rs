//! A control plane with the operator, and who uses both.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config, ResourceExt};
use mcp_cluster::{Cache, ControlPlane, ControlPlaneOptions};
use mcp_e2e::{AuditLog, Environment, MemoryGroup, Operator, install_definitions, install_plugins};
use serde_json::json;
use tokio::time::timeout;

use crate::batch::{self, Batch, SECRET, server};
use crate::seen::{all_seen, replaced};

/// Servers that both sides work on at once: the operator's own default.
pub(crate) const AT_ONCE: usize = 16;

const LONGEST: Duration = Duration::from_mins(30);

/// Name of the objects of a server that is the only one of its namespace.
const OBJECT: &str = "mcp-s-0";

/// A control plane with the operator.
pub(crate) struct Rig {
    pub(crate) environment: Environment,
    pub(crate) client: Client,
    pub(crate) audit: AuditLog,
    audit_of_all: AuditLog,
    operator: Option<Operator>,
    namespaces: usize,
    servers: usize,
    cluster: ControlPlane,
}

impl Rig {
    /// With an operator that may have all memory of the machine.
    pub(crate) async fn start() -> Result<Self> {
        Self::start_within(None).await
    }

    /// With an operator that has as much memory as this group, and nothing compiled yet.
    pub(crate) async fn start_within(group: Option<&MemoryGroup>) -> Result<Self> {
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
        let mut environment = Environment {
            kubectl: cluster.kubectl().clone(),
            ..Environment::open()?
        };
        if let Some(group) = group {
            let wrapper = environment.logs.join("mcp-operator-in-group");
            group.wrap(&environment.artifacts.operator, &wrapper)?;
            environment.artifacts.operator = wrapper;
            forget_compiled(&environment)?;
        }
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig())?;
        let config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let audit = cluster.audit_log().context("no audit log")?;
        Ok(Self {
            operator: Some(Operator::start_as_shipped(&environment, "bench")?),
            client: Client::try_from(config)?,
            environment,
            audit: AuditLog::new(&audit),
            audit_of_all: AuditLog::new(&audit),
            namespaces: 0,
            servers: 0,
            cluster,
        })
    }

    /// So many servers to come, in new namespaces.
    pub(crate) async fn batch(&mut self, count: usize) -> Result<Batch> {
        let mut namespaces = Vec::new();
        for _ in 0..count.div_ceil(batch::IN_ONE_NAMESPACE) {
            self.namespaces += 1;
            let name = format!("round-{}", self.namespaces);
            let namespace: Namespace =
                serde_json::from_value(json!({ "metadata": { "name": name } }))?;
            Api::all(self.client.clone())
                .create(&PostParams::default(), &namespace)
                .await?;
            namespaces.push(name);
        }
        Ok(Batch { namespaces, count })
    }

    /// Creates servers, and waits until the operator has made the last object of the last one. How long that took, and
    /// how long after the answer to the last creation.
    pub(crate) async fn operate(&mut self, batch: &Batch) -> Result<(Duration, Duration)> {
        self.servers += batch.count;
        // The others are made before one of these.
        let deployments = all_seen::<Deployment>(&self.client, batch).await?;
        let services = all_seen::<Service>(&self.client, batch).await?;
        let budgets = all_seen::<PodDisruptionBudget>(&self.client, batch).await?;
        let kind = GroupVersionKind::gvk("mcp.litellm.ai", "v1alpha1", "MCPServer");
        let (kind, params) = (ApiResource::from_gvk(&kind), PostParams::default());
        let began = Instant::now();
        let create = stream::iter(batch.places())
            .map(|(namespace, name)| {
                let servers: Api<DynamicObject> =
                    Api::namespaced_with(self.client.clone(), namespace, &kind);
                let params = &params;
                async move {
                    let object = serde_json::from_value(server(namespace, &name))?;
                    servers.create(params, &object).await?;
                    anyhow::Ok(())
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>();
        let create = async {
            create.await?;
            Ok(Instant::now())
        };
        let all = async { tokio::try_join!(create, deployments, services, budgets) };
        let (answered, ..) = timeout(LONGEST, all).await??;
        Ok((began.elapsed(), answered.elapsed()))
    }

    /// Writes the Secret of the servers of a namespace, with other content each time.
    pub(crate) async fn secret(&self, namespace: &str, round: usize) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": SECRET, "namespace": namespace, "labels": { "mcp.litellm.ai/server": "s-0" } },
            "stringData": { "token": format!("round-{round}") },
        });
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let params = PatchParams::apply("bench");
        secrets
            .patch(SECRET, &params, &Patch::Apply(&secret))
            .await?;
        Ok(())
    }

    /// Changes the Secret of a namespace with one server, and waits until its Deployment has changed.
    pub(crate) async fn rotate(&self, namespace: &str, round: usize) -> Result<Duration> {
        let change = self.secret(namespace, round);
        replaced::<Deployment>(&self.client, namespace, OBJECT, change).await
    }

    /// Deletes the ConfigMap of the one server of a namespace, and waits until there is another.
    pub(crate) async fn take_away(&self, namespace: &str) -> Result<Duration> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        // Its name follows from its content.
        let ours = ListParams::default().labels("mcp.litellm.ai/server");
        let list = maps.list(&ours).await?;
        let [map] = &list.items[..] else {
            bail!("{namespace} has {} ConfigMaps", list.items.len());
        };
        let name = map.name_any();
        let delete = async {
            maps.delete(&name, &DeleteParams::default()).await?;
            Ok(())
        };
        replaced::<ConfigMap>(&self.client, namespace, &name, delete).await
    }

    /// Waits until the pods of all servers are there: the other controllers' work must not go into the next round.
    pub(crate) async fn settle(&self, batch: &Batch) -> Result<()> {
        let began = Instant::now();
        let pause = Duration::from_millis(if batch.count > 1 { 1000 } else { 50 });
        for (namespace, count) in batch.counts() {
            let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
            loop {
                let list = deployments.list(&ListParams::default()).await?;
                let available = |deployment: &&Deployment| {
                    let status = deployment.status.as_ref();
                    status.and_then(|status| status.available_replicas) == Some(2)
                };
                if list.items.iter().filter(available).count() == count {
                    break;
                }
                ensure!(
                    began.elapsed() < LONGEST,
                    "the pods of {namespace} do not come"
                );
                tokio::time::sleep(pause).await;
            }
        }
        Ok(())
    }

    /// Waits until nobody has written anything for a while: what the controllers of the cluster and the operator do after
    /// one side is done must not be at the cost of the other.
    pub(crate) fn writes_have_ended(&mut self) -> Result<()> {
        let mut quiet = 0;
        while quiet < 5 {
            std::thread::sleep(Duration::from_secs(1));
            let wrote = !self.audit_of_all.writes_of_all()?.is_empty();
            quiet = if wrote { 0 } else { quiet + 1 };
        }
        Ok(())
    }

    pub(crate) fn restart_operator(&mut self) -> Result<()> {
        drop(self.operator.take());
        self.operator = Some(Operator::start_as_shipped(
            &self.environment,
            "bench-again",
        )?);
        Ok(())
    }

    /// The same by a pod that finds nothing compiled.
    pub(crate) fn restart_operator_afresh(&mut self) -> Result<()> {
        drop(self.operator.take());
        forget_compiled(&self.environment)?;
        self.restart_operator()
    }

    /// Whether it runs: one that was killed for its memory does not.
    pub(crate) fn is_running(&mut self) -> bool {
        self.operator
            .as_mut()
            .is_some_and(|operator| !operator.has_ended())
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

/// Removes the components that an earlier operator has compiled.
fn forget_compiled(environment: &Environment) -> Result<()> {
    let folder = environment.logs.join("components");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}
