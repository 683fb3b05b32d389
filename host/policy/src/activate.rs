//! Everything that is checked before a plugin is in force.

use std::time::Duration;

use kube::ResourceExt;
use mcp_operator_api::v1alpha1::{
    FailurePolicy, McpPlugin, McpPluginSpec, Mode, OnExisting, PluginGrants, PluginSource,
};
use mcp_operator_core::admission::PluginFailure;
use mcp_operator_core::exception::Exceptions;
use mcp_operator_core::field::{ErrorType, FieldError};
use mcp_operator_core::patch;
use mcp_operator_core::plugin_spec;
use mcp_operator_core::quantity::whole_units;
use mcp_operator_core::retry::Classify;
use mcp_plugin_host::contract::{Description, Finding, Patch};
use mcp_plugin_host::{
    Blame, ContractVersion, Digest, Fault, Host, Interfaces, Limits, Plugin, PluginError,
};
use serde_json::Value;

use super::context::{CONTEXT, PolicyContext};
use super::convert;
use super::found::invalid_reference;
use super::matching::Matching;
use super::provenance::Provenance;
use super::source::{self, SourceError};
use mcp_operator_connections::Connections;

/// A plugin in force: a component that was described and has accepted its settings.
pub struct ActivePlugin {
    pub(super) name: String,
    pub(super) plugin: Plugin,
    pub(super) settings: String,
    pub(super) mode: Mode,
    pub(super) failure_policy: FailurePolicy,
    pub(super) on_existing: OnExisting,
    pub(super) limits: Limits,
    pub(super) description: Description,
    pub(super) connections: Connections,
    pub(super) grants: PluginGrants,
    priority: i32,
    matching: Matching,
    exceptions: Exceptions,
    version: PluginVersion,
    uid: String,
    generation: i64,
    fingerprint: String,
    revision: String,
}

impl ActivePlugin {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its place among others, smaller first.
    pub fn priority(&self) -> i32 {
        self.priority
    }

    /// What its findings do.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    pub fn interfaces(&self) -> Interfaces {
        self.plugin.interfaces()
    }

    /// The version of the contract that its component was built for.
    pub fn contract(&self) -> ContractVersion {
        self.plugin.contract()
    }

    /// The loaded component, for who asks it without a snapshot.
    pub fn component(&self) -> &Plugin {
        &self.plugin
    }

    /// `MCPPlugin.spec.settings` as JSON, which it has accepted.
    pub fn settings(&self) -> &str {
        &self.settings
    }

    /// What a call of it may take.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The objects with these patches of it, as far as it may change them.
    ///
    /// # Errors
    /// What is refused, in one sentence.
    pub fn patched(&self, objects: &[Value], patches: Vec<Patch>) -> Result<Vec<Value>, String> {
        let patches = convert::patches(patches)?;
        patch::apply(objects, &patches, &self.grants).map_err(|error| error.to_string())
    }

    /// SHA-256 of the component, in hexadecimal digits.
    pub fn digest(&self) -> String {
        self.plugin.digest().to_string()
    }

    /// What the component says about itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Services that its plans may name.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// The specification that it was put into force by, as JSON.
    pub fn spec(&self) -> &str {
        &self.version.spec
    }

    /// `metadata.generation` of the MCPPlugin that it was put into force by; 0 outside of a cluster.
    pub fn generation(&self) -> i64 {
        self.generation
    }

    /// Servers that need not pass its rules for a while.
    pub fn exceptions(&self) -> &Exceptions {
        &self.exceptions
    }

    /// Where its component came from.
    pub fn provenance(&self) -> &Provenance {
        &self.version.provenance
    }

    /// Changes whenever the plugin could behave otherwise.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The same on every replica, of whatever version of the operator, that has this component in force by this
    /// specification.
    pub(super) fn revision(&self) -> &str {
        &self.revision
    }

    /// Of the MCPPlugin: the next one of its name has another.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    pub(super) fn wants(&self, context: &str) -> bool {
        self.description
            .context
            .iter()
            .any(|wanted| wanted == context)
    }

    pub(super) fn is_for(&self, context: &PolicyContext) -> bool {
        self.matching.includes(context)
    }
}

/// A failed call, as conditions and denials word it.
pub(super) fn failure(error: &PluginError) -> PluginFailure {
    PluginFailure {
        category: error.category(),
        guest: error.fault().is_provoked(),
        message: convert::short(&error.to_string()),
    }
}

/// Why a plugin is not put into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// One CamelCase word.
    pub category: &'static str,
    /// One sentence.
    pub message: String,
    /// It is the operator's fault, not the component's.
    pub operator_fault: bool,
    /// Nobody changed anything, and yet it may go better next time.
    pub retry: bool,
    /// What the component exports, where it could be loaded so far.
    pub interfaces: Option<Interfaces>,
}

impl Rejection {
    fn new(category: &'static str, message: impl Into<String>) -> Self {
        Self {
            category,
            message: message.into(),
            operator_fault: false,
            retry: false,
            interfaces: None,
        }
    }

    /// About what a source holds.
    fn of(source: &PluginSource, error: &PluginError) -> Self {
        let operator_fault = error.blame() == Blame::Host;
        // On a machine that is busy, what is fast enough takes long.
        let took_long = matches!(
            error.fault(),
            Fault::CompileTimeout { .. } | Fault::DeadlineExceeded { .. }
        );
        Self {
            category: error.category(),
            message: format!(
                "{}: {}",
                source::describe(source),
                convert::short(&error.to_string())
            ),
            operator_fault,
            retry: operator_fault || took_long,
            interfaces: None,
        }
    }

    /// About bytes that could not be read.
    pub(crate) fn unread(error: &SourceError) -> Self {
        Self {
            retry: true,
            ..Self::new(error.category(), error.to_string())
        }
    }

    /// The MCPPlugin itself cannot be read.
    pub fn unreadable(error: &str) -> Self {
        Self::new(
            "Unreadable",
            format!("the MCPPlugin cannot be read: {}", convert::short(error)),
        )
    }

    /// This replica could load it, and the one that leads has it not in force.
    pub fn not_by_the_leader(its_word: &str) -> Self {
        Self::new(
            "NotInForce",
            format!(
                "the replica that leads has not put it into force: {}",
                convert::short(its_word)
            ),
        )
    }

    /// The task that loaded the plugin panicked.
    pub fn panicked() -> Self {
        Self {
            operator_fault: true,
            retry: true,
            ..Self::new(
                "HostFailed",
                "the operator failed while it loaded the component; its log says where",
            )
        }
    }
}

/// The component's digest, where it came from, and the specification: while these stay the same, a plugin need not be loaded
/// again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginVersion {
    digest: String,
    spec: String,
    provenance: Provenance,
}

impl PluginVersion {
    /// This component, with what the MCPPlugin says.
    ///
    /// # Errors
    /// When the specification cannot be written as JSON.
    pub fn new(component: Digest, plugin: &McpPlugin) -> Result<Self, Rejection> {
        let spec = serde_json::to_string(&plugin.spec).map_err(|error| {
            Rejection::new(
                "InvalidSpec",
                format!("spec cannot be written as JSON: {error}"),
            )
        })?;
        Ok(Self {
            digest: component.to_string(),
            spec,
            provenance: Provenance::default(),
        })
    }

    /// The same, from there.
    #[must_use]
    pub(crate) fn with_provenance(self, provenance: Provenance) -> Self {
        Self { provenance, ..self }
    }

    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }
}

/// The component of one plugin in force by the specification of another, of the same MCPPlugin.
pub(super) async fn combine(
    host: &Host,
    operator_namespace: Option<&str>,
    specified: &ActivePlugin,
    component: &ActivePlugin,
) -> Result<ActivePlugin, Rejection> {
    let unreadable = |error: serde_json::Error| Rejection::unreadable(&error.to_string());
    let spec = serde_json::from_str(&specified.version.spec).map_err(unreadable)?;
    let mut wanted = McpPlugin::new(&specified.name, spec);
    wanted.metadata.uid = Some(specified.uid.clone());
    wanted.metadata.generation = Some(specified.generation);
    let version = PluginVersion {
        digest: component.version.digest.clone(),
        spec: specified.version.spec.clone(),
        provenance: component.version.provenance.clone(),
    };
    let loaded = async || Ok(component.plugin.clone());
    activate(host, operator_namespace, &wanted, &version, loaded).await
}

/// Loads the component, and puts it into force if it passes.
pub(super) async fn activate(
    host: &Host,
    operator_namespace: Option<&str>,
    wanted: &McpPlugin,
    version: &PluginVersion,
    load: impl AsyncFnOnce() -> Result<Plugin, PluginError>,
) -> Result<ActivePlugin, Rejection> {
    let (name, spec) = (wanted.name_any(), &wanted.spec);
    refuse_invalid(spec, operator_namespace)?;
    refuse_other_digest(spec, &version.digest)?;
    let limits = limits(spec, host.largest_memory())?;
    let connections = Connections::new(&spec.connections)
        .map_err(|error| Rejection::new("InvalidConnection", error.to_string()))?;
    let matching = Matching::new(&spec.matches)
        .map_err(|message| Rejection::new("InvalidSelector", message))?;
    let about_component = |error: PluginError| Rejection::of(&spec.source, &error);
    let plugin = load().await.map_err(about_component)?;
    let settings = Value::Object(spec.settings.clone()).to_string();
    let checked = async {
        let description = plugin.describe(&limits).await.map_err(about_component)?;
        refuse_unknown_context(&description)?;
        let judged = plugin.validate_settings(&settings, &limits).await;
        accept_settings(judged.map_err(about_component)?)?;
        Ok::<_, Rejection>(description)
    };
    let description = checked.await.map_err(|why| Rejection {
        interfaces: Some(plugin.interfaces()),
        ..why
    })?;
    let fingerprint = format!("{name} {} {}", version.digest, version.spec);
    let generation = wanted.metadata.generation.unwrap_or_default();
    let uid = wanted.metadata.uid.clone().unwrap_or_default();
    let revision = format!("{name} {uid} {generation} {}", version.digest);
    Ok(ActivePlugin {
        name,
        plugin,
        settings,
        mode: spec.mode,
        failure_policy: spec.failure_policy,
        on_existing: spec.on_existing,
        limits,
        description,
        connections,
        grants: spec.grants.clone(),
        priority: spec.priority,
        matching,
        exceptions: Exceptions::of(&spec.exceptions),
        version: version.clone(),
        uid,
        generation,
        fingerprint,
        revision,
    })
}

/// Everything that is wrong with the specification of an MCPPlugin that its schema cannot say. Outside of a cluster there is no
/// namespace of the operator.
pub fn validate_plugin_spec(
    spec: &McpPluginSpec,
    operator_namespace: Option<&str>,
) -> Vec<FieldError> {
    let mut errors = plugin_spec::validate(spec, operator_namespace);
    let invalid = spec.source.oci.as_ref().and_then(invalid_reference);
    errors.extend(invalid.map(|(field, message)| FieldError {
        field: field.into(),
        error_type: ErrorType::Invalid,
        bad_value: None,
        message,
        code: "source-reference".into(),
    }));
    errors
}

pub(super) fn refuse_invalid(
    spec: &McpPluginSpec,
    operator_namespace: Option<&str>,
) -> Result<(), Rejection> {
    let errors = validate_plugin_spec(spec, operator_namespace);
    if errors.is_empty() {
        return Ok(());
    }
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Err(Rejection::new("InvalidSpec", errors.join("; ")))
}

pub(super) fn refuse_other_digest(spec: &McpPluginSpec, digest: &str) -> Result<(), Rejection> {
    match &spec.sha256 {
        Some(wanted) if wanted != digest => {
            let message = format!("the component has SHA-256 {digest}, spec.sha256 wants {wanted}");
            Err(Rejection::new("DigestMismatch", message))
        }
        _ => Ok(()),
    }
}

fn limits(spec: &McpPluginSpec, largest: usize) -> Result<Limits, Rejection> {
    let memory = &spec.limits.memory;
    let bytes = whole_units(&memory.0).and_then(|bytes| usize::try_from(bytes).ok());
    let bytes = bytes.ok_or_else(|| {
        Rejection::new(
            "InvalidLimits",
            format!("spec.limits.memory: {memory} is no quantity such as 64Mi"),
        )
    })?;
    if bytes > largest {
        let message = format!(
            "spec.limits.memory: {memory} is more than the {} MiB that the operator has for one call",
            largest >> 20
        );
        return Err(Rejection::new("InvalidLimits", message));
    }
    let timeout =
        Duration::from_millis(u64::try_from(spec.limits.timeout_milliseconds).unwrap_or_default());
    Ok(Limits {
        timeout,
        memory_bytes: bytes,
        ..Limits::default()
    })
}

fn refuse_unknown_context(description: &Description) -> Result<(), Rejection> {
    match description
        .context
        .iter()
        .find(|name| !CONTEXT.contains(&name.as_str()))
    {
        Some(unknown) => {
            let message = format!(
                "it asks for the context {unknown}, but there are only: {}",
                CONTEXT.join(", ")
            );
            Err(Rejection::new("UnknownContext", message))
        }
        None => Ok(()),
    }
}

fn accept_settings(findings: Vec<Finding>) -> Result<(), Rejection> {
    let errors: Vec<String> = convert::findings(findings)
        .into_iter()
        .filter(|finding| !finding.warning)
        .map(|finding| convert::below("spec.settings", finding.error).to_string())
        .collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Rejection::new("InvalidSettings", errors.join("; ")))
    }
}
