//! The other side: a client that knows what to apply and does nothing else.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::{try_join, try_join_all};
use futures::{StreamExt, TryStreamExt, stream};
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde::Deserialize;
use serde_json::Value;

use crate::batch::{Batch, server};
use crate::rig::{AT_ONCE, Rig};

/// Names that occur nowhere else in a manifest.
const PATTERN: &str = "name-of-the-server";
const NAMESPACE: &str = "namespace-of-the-server";

const MANAGED_BY: &str = "managed-by: mcp-operator";

/// Applies what the operator would apply.
pub(crate) struct Applier {
    client: kube::Client,
    manifests: Vec<String>,
}

impl Applier {
    /// Takes the manifests from `mcp-operator render`.
    pub(crate) fn new(rig: &Rig) -> Result<Self> {
        let mut child = Command::new(&rig.environment.artifacts.operator)
            .args(["render", "--filename", "-", "--plugins"])
            .arg(rig.policy()?)
            .arg("--builtin-plugins")
            .arg(&rig.environment.artifacts.plugins)
            .arg("--cache-dir")
            .arg(rig.environment.logs.join("components"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("no input")?;
        { input }.write_all(server(NAMESPACE, PATTERN).to_string().as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "render failed");
        // The operator must not watch them: that would be at the cost of this side.
        let rendered = String::from_utf8(output.stdout)?.replace(MANAGED_BY, "managed-by: bench");
        let mut manifests = Vec::new();
        for document in serde_yaml_ng::Deserializer::from_str(&rendered) {
            let object = Value::deserialize(document)?;
            // The cluster does not know the APIs of these two.
            if !["ExternalSecret", "ServiceMonitor"]
                .iter()
                .any(|kind| object["kind"] == *kind)
            {
                manifests.push(object.to_string());
            }
        }
        ensure!(
            !manifests
                .iter()
                .any(|it| it.contains("by\":\"mcp-operator")),
            "the operator would watch them"
        );
        ensure!(manifests.len() > 4, "only {} objects", manifests.len());
        Ok(Self {
            client: rig.client.clone(),
            manifests,
        })
    }

    /// How many objects a server has.
    pub(crate) fn writes(&self) -> usize {
        self.manifests.len()
    }

    /// All objects of all servers; what pods need before the Deployment, as the operator does it.
    pub(crate) async fn apply(&self, batch: &Batch) -> Result<Duration> {
        let began = Instant::now();
        stream::iter(batch.places())
            .map(|(namespace, name)| self.apply_one(namespace, name))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        Ok(began.elapsed())
    }

    async fn apply_one(&self, namespace: &str, name: String) -> Result<()> {
        let objects: Vec<DynamicObject> = self
            .manifests
            .iter()
            .map(|manifest| {
                let manifest = manifest.replace(NAMESPACE, namespace);
                Ok(serde_json::from_str(&manifest.replace(PATTERN, &name))?)
            })
            .collect::<Result<_>>()?;
        let (needs, others): (Vec<_>, Vec<_>) = objects.iter().partition(|object| {
            is_one_of(object, &["ServiceAccount", "ConfigMap", "NetworkPolicy"])
        });
        let (pods, others): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|object| is_one_of(object, &["Deployment"]));
        let (scaling, beside): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|object| is_one_of(object, &["HorizontalPodAutoscaler"]));
        let in_turn = async {
            self.write_all(namespace, needs).await?;
            self.write_all(namespace, pods).await?;
            self.write_all(namespace, scaling).await
        };
        try_join(in_turn, self.write_all(namespace, beside)).await?;
        Ok(())
    }

    async fn write_all(&self, namespace: &str, objects: Vec<&DynamicObject>) -> Result<()> {
        let writes = objects.into_iter();
        try_join_all(writes.map(|object| self.write(namespace, object))).await?;
        Ok(())
    }

    async fn write(&self, namespace: &str, object: &DynamicObject) -> Result<()> {
        let kind = object.types.as_ref().context("no kind")?;
        let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(kind)?);
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, &resource);
        let name = object.metadata.name.as_deref().context("no name")?;
        let params = PatchParams::apply("bare-client").force();
        api.patch(name, &params, &Patch::Apply(object)).await?;
        Ok(())
    }
}

fn is_one_of(object: &DynamicObject, kinds: &[&str]) -> bool {
    let types = object.types.as_ref();
    types.is_some_and(|types| kinds.contains(&types.kind.as_str()))
}
