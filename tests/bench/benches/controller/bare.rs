//! The other side: a client that knows what to apply and does nothing else.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde::Deserialize;
use serde_json::Value;

use crate::rig::{AT_ONCE, Rig, server};

/// A name that occurs nowhere else in a manifest.
const PATTERN: &str = "name-of-the-server";

/// Applies what the operator would apply.
pub(crate) struct Applier {
    client: kube::Client,
    namespace: String,
    manifests: Vec<String>,
}

impl Applier {
    /// Takes the manifests from `mcp-operator render`.
    pub(crate) fn new(rig: &Rig, namespace: &str) -> Result<Self> {
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
        { input }.write_all(server(namespace, PATTERN).to_string().as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "render failed");
        let rendered = String::from_utf8(output.stdout)?;
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
        ensure!(manifests.len() > 4, "only {} objects", manifests.len());
        Ok(Self {
            client: rig.client.clone(),
            namespace: namespace.to_owned(),
            manifests,
        })
    }

    /// How many objects a server has.
    pub(crate) fn writes(&self) -> usize {
        self.manifests.len()
    }

    /// All objects of so many servers; the Deployment after the others, as the operator does it.
    pub(crate) async fn apply(&self, count: usize) -> Result<Duration> {
        let began = Instant::now();
        stream::iter(0..count)
            .map(|index| self.apply_one(format!("s-{index}")))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        Ok(began.elapsed())
    }

    async fn apply_one(&self, name: String) -> Result<()> {
        let objects: Vec<DynamicObject> = self
            .manifests
            .iter()
            .map(|manifest| Ok(serde_json::from_str(&manifest.replace(PATTERN, &name))?))
            .collect::<Result<_>>()?;
        let is_deployment = |object: &&DynamicObject| {
            object
                .types
                .as_ref()
                .is_some_and(|types| types.kind == "Deployment")
        };
        let (pods, needs): (Vec<_>, Vec<_>) = objects.iter().partition(is_deployment);
        for stage in [needs, pods] {
            try_join_all(stage.into_iter().map(|object| self.write(object))).await?;
        }
        Ok(())
    }

    async fn write(&self, object: &DynamicObject) -> Result<()> {
        let kind = object.types.as_ref().context("no kind")?;
        let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(kind)?);
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let name = object.metadata.name.as_deref().context("no name")?;
        let params = PatchParams::apply("bare-client").force();
        api.patch(name, &params, &Patch::Apply(object)).await?;
        Ok(())
    }
}
