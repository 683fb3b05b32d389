//! Asks the plugins of a snapshot.

use std::sync::Arc;

use futures::future::join_all;
use mcp_operator_api::v1alpha1::{FailurePolicy, Mode};
use mcp_operator_core::admission::{Outcome, PluginFailure};
use mcp_operator_core::patch;
use serde_json::Value;
use tracing::warn;

use super::activate::{ActivePlugin, failure};
use super::convert;
use super::snapshot::Snapshot;
use super::subject::{Documents, Subject};

/// An MCPServer with what plugins added.
#[derive(Clone, Debug)]
pub struct Defaulted {
    /// The server.
    pub object: Value,
    /// What plugins in mode `warn` would have added, for the user.
    pub warnings: Vec<String>,
}

impl Snapshot {
    /// Asks all plugins with rules that are for this server, at the same time.
    pub async fn validate(&self, subject: &Subject) -> Vec<Outcome> {
        let documents = Documents::of(subject);
        let asked = self
            .plugins()
            .iter()
            .filter(|plugin| plugin.interfaces().validator && plugin.is_for(subject));
        join_all(asked.map(|plugin| plugin.validate(&documents))).await
    }

    /// Lets plugins complete the server itself, one after the other.
    ///
    /// # Errors
    /// The failure of a plugin that must not fail.
    pub async fn default_server(&self, subject: &Subject) -> Result<Defaulted, Vec<PluginFailure>> {
        let object = subject.object.clone().unwrap_or_default();
        let (mut objects, warnings) = self.complete(subject, vec![object]).await?;
        Ok(Defaulted {
            object: objects.pop().unwrap_or_default(),
            warnings,
        })
    }

    /// Lets plugins complete the objects that the server becomes, one after the other.
    ///
    /// # Errors
    /// The failure of a plugin that must not fail.
    pub async fn default_objects(
        &self,
        subject: &Subject,
        objects: Vec<Value>,
    ) -> Result<Vec<Value>, Vec<PluginFailure>> {
        self.complete(subject, objects)
            .await
            .map(|(objects, _)| objects)
    }

    async fn complete(
        &self,
        subject: &Subject,
        mut objects: Vec<Value>,
    ) -> Result<(Vec<Value>, Vec<String>), Vec<PluginFailure>> {
        let documents = Documents::of(subject);
        let mut warnings = Vec::new();
        for plugin in self.defaulters(subject) {
            match plugin.complete(&documents, &objects).await {
                Ok(completed) if plugin.mode == Mode::Enforce => objects = completed,
                Ok(completed) if plugin.mode == Mode::Warn && completed != objects => {
                    warnings.push(format!(
                        "plugin {} would complete this object (its mode is warn)",
                        plugin.name()
                    ));
                }
                Ok(_) => {}
                Err(failure)
                    if plugin.mode == Mode::Enforce
                        && plugin.failure_policy == FailurePolicy::Fail =>
                {
                    return Err(vec![failure]);
                }
                Err(failure) => {
                    warn!(
                        plugin = plugin.name(),
                        category = failure.category,
                        error = failure.message,
                        "defaults ignored"
                    );
                }
            }
        }
        Ok((objects, warnings))
    }

    fn defaulters<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> impl Iterator<Item = &'a Arc<ActivePlugin>> {
        self.plugins()
            .iter()
            .filter(|plugin| plugin.interfaces().defaulter && plugin.is_for(subject))
    }
}

impl ActivePlugin {
    async fn validate(&self, documents: &Documents<'_>) -> Outcome {
        let context = documents.context(&self.description.context);
        let answer = self
            .plugin
            .validate(&self.settings, &documents.request(&context), &self.limits)
            .await;
        if let Err(error) = &answer {
            warn!(plugin = self.name(), category = error.category(), %error, "plugin failed");
        }
        Outcome {
            plugin: self.name.clone(),
            mode: self.mode,
            failure_policy: self.failure_policy,
            result: answer
                .map(|findings| findings.into_iter().map(convert::finding).collect())
                .map_err(|error| failure(&error)),
        }
    }

    async fn complete(
        &self,
        documents: &Documents<'_>,
        objects: &[Value],
    ) -> Result<Vec<Value>, PluginFailure> {
        let context = documents.context(&self.description.context);
        let texts: Vec<String> = objects.iter().map(Value::to_string).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let request = documents.defaulting(&texts, &context);
        let answer = self
            .plugin
            .defaults(&self.settings, &request, &self.limits)
            .await;
        let patches = answer.map_err(|error| failure(&error))?;
        let patches = patches
            .into_iter()
            .map(convert::patch)
            .collect::<Result<Vec<_>, _>>();
        let patches = patches.map_err(|why| self.refused_patch(&why))?;
        patch::apply(objects, &patches).map_err(|error| self.refused_patch(&error.to_string()))
    }

    fn refused_patch(&self, why: &str) -> PluginFailure {
        PluginFailure {
            category: "PatchRefused",
            guest: true,
            message: format!("plugin {}: {why}", self.name),
        }
    }
}
