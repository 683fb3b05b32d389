//! Asks the plugins of a snapshot.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use mcp_operator_api::v1alpha1::{FailurePolicy, Mode, OnExisting};
use mcp_operator_core::admission::{self, Finding, Outcome, PluginFailure};
use mcp_operator_core::field::FieldError;
use mcp_operator_core::field_authors::FieldAuthors;
use mcp_operator_core::private_values;
use mcp_operator_core::remote;
use mcp_plugin_host::contract::Stage;
use mcp_plugin_host::{Fault, Limits, PluginError};
use serde_json::Value;
use tokio::time::Instant;
use tracing::warn;

use super::activate::{ActivePlugin, failure};
use super::context::{PolicyContext, SerializedContext};
use super::convert;
use super::snapshot::Snapshot;
use super::unavailable::UnavailablePlugin;

/// Name under which the operator's own rule is reported.
pub(crate) const OPERATOR: &str = "mcp-operator";

/// An MCPServer with what plugins added.
#[derive(Clone, Debug)]
pub struct Defaulted {
    /// The server.
    pub object: Value,
    /// Which plugin set what.
    pub authors: FieldAuthors,
    /// What plugins in mode `warn` would have added, for the user.
    pub warnings: Vec<String>,
    /// The plugins that were asked, sorted.
    pub asked: BTreeSet<String>,
}

impl Snapshot {
    /// Asks all plugins with rules that are for this server, at the same time. The operator's own rule is what was
    /// `refused` when the server was parsed.
    pub async fn validate(
        &self,
        context: &PolicyContext,
        refused: Vec<FieldError>,
    ) -> Vec<Outcome> {
        let mut outcomes = self.ask_validators(context, None).await;
        outcomes.extend(own_rules(admission::refusals(refused), context));
        private_values::hide(&mut outcomes, context.object.as_ref());
        outcomes
    }

    /// The same for a server that nobody has parsed, and a plugin without an answer by `deadline` has failed.
    pub async fn validate_by(
        &self,
        context: &PolicyContext,
        deadline: Option<Instant>,
    ) -> Vec<Outcome> {
        let mut outcomes = self.ask_validators(context, deadline).await;
        let object = context.object.as_ref();
        let findings = object.map(admission::unbuildable).unwrap_or_default();
        outcomes.extend(own_rules(findings, context));
        private_values::hide(&mut outcomes, object);
        outcomes
    }

    async fn ask_validators(
        &self,
        context: &PolicyContext,
        deadline: Option<Instant>,
    ) -> Vec<Outcome> {
        let documents = SerializedContext::of(context);
        let asked = self
            .plugins()
            .iter()
            .filter(|plugin| plugin.interfaces().validator && plugin.is_for(context));
        let mut outcomes =
            join_all(asked.map(|plugin| plugin.validate(&documents, deadline))).await;
        let unavailable = self.unavailable().iter();
        outcomes.extend(unavailable.filter_map(|plugin| missing_rules(plugin, context)));
        outcomes
    }

    /// Lets plugins complete the server itself, one after the other.
    ///
    /// # Errors
    /// The failure of a plugin that must not fail.
    pub async fn default_server(
        &self,
        context: &PolicyContext,
    ) -> Result<Defaulted, Vec<PluginFailure>> {
        self.default_server_by(context, None).await
    }

    /// The same, of which a plugin without an answer by `deadline` has failed.
    ///
    /// # Errors
    /// The failure of a plugin that must not fail.
    pub async fn default_server_by(
        &self,
        context: &PolicyContext,
        deadline: Option<Instant>,
    ) -> Result<Defaulted, Vec<PluginFailure>> {
        // Nothing to default where there is no object: it is being deleted.
        let objects = context.object.iter().cloned().collect();
        let mut authors = FieldAuthors::default();
        let record = |plugin: &str, before: &[Value], after: &[Value]| {
            for (before, after) in before.iter().zip(after) {
                authors.record(plugin, before, after);
            }
        };
        let completed = self.complete(context, objects, deadline, record).await;
        let (mut objects, warnings) = completed.map_err(|failures| hidden(failures, context))?;
        let object = objects.pop().unwrap_or_default();
        let written = context.object.as_ref().unwrap_or(&object);
        let asked = self.defaulters(context);
        Ok(Defaulted {
            authors: authors.of_difference(written, &object),
            object,
            warnings,
            asked: asked.map(|plugin| plugin.name().to_owned()).collect(),
        })
    }

    /// Lets plugins complete the objects that the server becomes, one after the other.
    ///
    /// # Errors
    /// The failure of a plugin that must not fail.
    pub async fn default_objects(
        &self,
        context: &PolicyContext,
        objects: Vec<Value>,
    ) -> Result<Vec<Value>, Vec<PluginFailure>> {
        self.complete(context, objects, None, |_, _, _| {})
            .await
            .map(|(objects, _)| objects)
            .map_err(|failures| hidden(failures, context))
    }

    async fn complete(
        &self,
        context: &PolicyContext,
        mut objects: Vec<Value>,
        deadline: Option<Instant>,
        mut record: impl FnMut(&str, &[Value], &[Value]),
    ) -> Result<(Vec<Value>, Vec<String>), Vec<PluginFailure>> {
        let unavailable = self.unavailable().iter();
        let missing: Vec<PluginFailure> = unavailable
            .filter_map(|plugin| plugin.missing_defaults(context))
            .collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let documents = SerializedContext::of(context);
        let mut warnings = Vec::new();
        for plugin in self.defaulters(context) {
            match plugin.complete(&documents, &objects, deadline).await {
                Ok(completed) if plugin.mode == Mode::Enforce => {
                    record(plugin.name(), &objects, &completed);
                    objects = completed;
                }
                Ok(completed) if plugin.mode == Mode::Warn && completed != objects => {
                    warnings.push(format!(
                        "plugin {} would complete this object (its mode is warn)",
                        plugin.name()
                    ));
                }
                Ok(_) => {}
                Err(failure) => {
                    if let Some(refusal) =
                        failure.refusal(plugin.mode, plugin.default_failure_policy(context.stage))
                    {
                        return Err(vec![refusal]);
                    }
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
        context: &'a PolicyContext,
    ) -> impl Iterator<Item = &'a Arc<ActivePlugin>> {
        self.plugins()
            .iter()
            .filter(|plugin| plugin.interfaces().defaulter && plugin.is_for(context))
    }
}

impl ActivePlugin {
    /// The failure policy is about requests. Objects are written as a whole: a default that is left out once is taken away
    /// from pods that have it, and given back with the next reconcile.
    fn default_failure_policy(&self, stage: Stage) -> FailurePolicy {
        match stage {
            Stage::Admission => self.failure_policy,
            Stage::Reconcile => FailurePolicy::Fail,
        }
    }

    async fn validate(
        &self,
        documents: &SerializedContext<'_>,
        deadline: Option<Instant>,
    ) -> Outcome {
        let limits = limits_by(self.limits, deadline);
        let context = documents.context(&self.description.context);
        let answer = documents
            .plugin_for(&self.plugin)
            .validate(&self.settings, &documents.request(&context), &limits)
            .await;
        if let Err(error) = &answer {
            // It may quote what the plugin printed, and that what it was asked about.
            let said = documents.without_private_values(&error.to_string());
            warn!(
                plugin = self.name(),
                category = error.category(),
                error = said,
                "plugin failed"
            );
        }
        Outcome {
            plugin: self.name.clone(),
            mode: self.mode,
            failure_policy: self.failure_policy,
            on_existing: self.on_existing,
            result: answer
                .map(|said| {
                    let mut findings = convert::findings(said);
                    documents.except(self.exceptions(), &mut findings);
                    findings
                })
                .map_err(|error| self.failure(&error, &limits)),
        }
    }

    async fn complete(
        &self,
        documents: &SerializedContext<'_>,
        objects: &[Value],
        deadline: Option<Instant>,
    ) -> Result<Vec<Value>, PluginFailure> {
        let context = documents.context(&self.description.context);
        let texts: Vec<String> = objects.iter().map(Value::to_string).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let request = documents.defaulting(&texts, &context);
        let limits = limits_by(self.limits, deadline);
        let answer = documents
            .plugin_for(&self.plugin)
            .defaults(&self.settings, &request, &limits)
            .await;
        let patches = answer.map_err(|error| self.failure(&error, &limits))?;
        self.patched(objects, patches)
            .map_err(|why| self.refused_patch(&why))
    }

    /// A plugin that had less time than its own limit is not advised to be faster than that.
    fn failure(&self, error: &PluginError, limits: &Limits) -> PluginFailure {
        let late = matches!(
            error.fault(),
            Fault::DeadlineExceeded { .. } | Fault::Overloaded { .. }
        );
        if !late || limits.timeout == self.limits.timeout {
            return failure(error);
        }
        PluginFailure {
            category: error.category(),
            // An object can make a plugin slow, so that it is not the operator's fault.
            guest: error.fault().is_provoked(),
            message: format!(
                "plugin {}: no answer within the {:?} that were left of the request's time: raise timeoutSeconds of the webhook",
                self.name, limits.timeout
            ),
        }
    }

    fn refused_patch(&self, why: &str) -> PluginFailure {
        PluginFailure {
            category: "PatchRefused",
            guest: true,
            message: format!("plugin {}: {}", self.name, convert::short(why)),
        }
    }
}

/// Failures without what nothing shows of the server.
fn hidden(mut failures: Vec<PluginFailure>, context: &PolicyContext) -> Vec<PluginFailure> {
    private_values::hide_in_failures(&mut failures, context.object.as_ref());
    failures
}

/// A rule that nobody can ask.
fn missing_rules(plugin: &UnavailablePlugin, context: &PolicyContext) -> Option<Outcome> {
    let failure = plugin.missing_rules(context)?;
    Some(Outcome {
        plugin: plugin.name().to_owned(),
        mode: Mode::Enforce,
        failure_policy: FailurePolicy::Fail,
        on_existing: OnExisting::Keep,
        result: Err(failure),
    })
}

/// The operator's own rules: what an object cannot be built from, and where the gateway may be sent to by the word of the
/// namespace.
fn own_rules(mut findings: Vec<Finding>, context: &PolicyContext) -> Option<Outcome> {
    let object = context.object.as_ref();
    let urls = object.map(|object| remote::url::errors(object, context.namespace.as_ref()));
    let urls = admission::refusals(urls.unwrap_or_default());
    // What runs, and is registered, is of an earlier specification; but where the gateway may no longer go, it does not.
    let on_existing = if urls.is_empty() {
        OnExisting::Keep
    } else {
        OnExisting::Deregister
    };
    findings.extend(urls);
    (!findings.is_empty()).then(|| Outcome {
        plugin: OPERATOR.into(),
        mode: Mode::Enforce,
        failure_policy: FailurePolicy::Fail,
        on_existing,
        result: Ok(convert::bounded(findings)),
    })
}

/// No call outlives the request that it is for: it would fail all plugins, instead of only the one that is late.
fn limits_by(limits: Limits, deadline: Option<Instant>) -> Limits {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let timeout = left.map_or(limits.timeout, |left| limits.timeout.min(left));
    Limits { timeout, ..limits }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_has_the_time_that_is_left() {
        let limits = Limits::default();
        let by = |left| limits_by(limits, Some(Instant::now() + left)).timeout;
        assert_eq!(limits_by(limits, None), limits);
        assert_eq!(by(Duration::from_mins(1)), limits.timeout);
        assert_eq!(by(Duration::from_millis(20)), Duration::from_millis(20));
        assert_eq!(by(Duration::ZERO), Duration::ZERO);
    }
}
