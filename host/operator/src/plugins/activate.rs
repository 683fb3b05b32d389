//! Everything that is checked before a plugin is in force.

use std::path::Path;
use std::time::Duration;

use kube::ResourceExt;
use mcp_operator_api::v1alpha1::{FailurePolicy, McpPlugin, McpPluginSpec, Mode, PluginSource};
use mcp_operator_core::admission::PluginFailure;
use mcp_operator_core::quantity::whole_units;
use mcp_plugin_host::contract::{Description, Severity};
use mcp_plugin_host::{Blame, Host, Interfaces, Limits, Plugin, PluginError};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::convert;
use super::matching::Matching;
use super::source::{self, ConfigMaps};
use super::subject::{CONTEXT, Subject};
use crate::connections::Connections;

/// A plugin in force: a component that was described and has accepted its settings.
pub struct ActivePlugin {
    pub(super) name: String,
    pub(super) plugin: Plugin,
    pub(super) settings: String,
    pub(super) mode: Mode,
    pub(super) failure_policy: FailurePolicy,
    pub(super) limits: Limits,
    pub(super) description: Description,
    pub(super) connections: Connections,
    priority: i32,
    matching: Matching,
    version: Version,
    fingerprint: String,
}

impl ActivePlugin {
    /// Name of the MCPPlugin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its place among others, smaller first.
    pub fn priority(&self) -> i32 {
        self.priority
    }

    /// What the component exports.
    pub fn interfaces(&self) -> Interfaces {
        self.plugin.interfaces()
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

    /// Changes whenever the plugin could behave otherwise.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(super) fn wants(&self, context: &str) -> bool {
        self.description
            .context
            .iter()
            .any(|wanted| wanted == context)
    }

    pub(super) fn is_for(&self, subject: &Subject) -> bool {
        self.matching.includes(subject)
    }
}

/// A failed call, as conditions and denials tell it.
pub(super) fn failure(error: &PluginError) -> PluginFailure {
    PluginFailure {
        category: error.category(),
        guest: error.blame() == Blame::Guest,
        message: error.to_string(),
    }
}

/// Why a plugin is not put into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// One CamelCase word.
    pub category: &'static str,
    /// One sentence.
    pub message: String,
    /// Nobody changed anything, and yet it may go better next time.
    pub retry: bool,
}

impl Rejection {
    fn new(category: &'static str, message: impl Into<String>) -> Self {
        Self {
            category,
            message: message.into(),
            retry: false,
        }
    }
}

impl Rejection {
    /// About what a source holds.
    fn of(source: &PluginSource, error: PluginError) -> Self {
        let rejection = Self::from(error);
        Self {
            message: format!("{}: {}", source::describe(source), rejection.message),
            ..rejection
        }
    }
}

impl From<PluginError> for Rejection {
    fn from(error: PluginError) -> Self {
        Self {
            category: error.category(),
            message: error.to_string(),
            retry: error.blame() == Blame::Host,
        }
    }
}

/// What a plugin is made of: if it is the same, nothing is done again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    digest: String,
    spec: String,
}

/// What comes of trying.
pub(super) enum Attempt {
    /// It is what was tried before.
    Unchanged,
    /// It can be put into force, or not.
    Tried(Option<Version>, Result<Box<ActivePlugin>, Rejection>),
}

/// Reads the component, and everything else unless it is what was tried before.
pub(super) async fn attempt(
    maps: &ConfigMaps,
    host: &Host,
    builtin: &Path,
    plugin: &McpPlugin,
    tried: Option<&Version>,
) -> Attempt {
    let bytes = match source::read(maps, builtin, &plugin.spec.source).await {
        Ok(bytes) => bytes,
        Err(error) => {
            let rejection = Rejection {
                category: error.category(),
                message: error.to_string(),
                retry: true,
            };
            return Attempt::Tried(None, Err(rejection));
        }
    };
    let spec = serde_json::to_string(&plugin.spec).unwrap_or_default();
    let version = Version {
        digest: hex::encode(Sha256::digest(&bytes)),
        spec,
    };
    if tried == Some(&version) {
        return Attempt::Unchanged;
    }
    let result = activate(host, plugin, &bytes, &version).await;
    Attempt::Tried(Some(version), result.map(Box::new))
}

async fn activate(
    host: &Host,
    wanted: &McpPlugin,
    bytes: &[u8],
    version: &Version,
) -> Result<ActivePlugin, Rejection> {
    let (name, spec) = (wanted.name_any(), &wanted.spec);
    refuse_unsupported(spec)?;
    refuse_other_digest(spec, &version.digest)?;
    let limits = limits(spec)?;
    let connections = Connections::new(&spec.connections)
        .map_err(|message| Rejection::new("InvalidConnection", message))?;
    let matching = Matching::new(&spec.matches)
        .map_err(|message| Rejection::new("InvalidSelector", message))?;
    let about_component = |error: PluginError| Rejection::of(&spec.source, error);
    let plugin = host.load(&name, bytes).await.map_err(about_component)?;
    let description = plugin.describe(&limits).await.map_err(about_component)?;
    refuse_unknown_context(&description)?;
    let settings = Value::Object(spec.settings.clone()).to_string();
    accept_settings(&plugin, &settings, &limits).await?;
    let fingerprint = format!("{name} {} {}", version.digest, version.spec);
    Ok(ActivePlugin {
        name,
        plugin,
        settings,
        mode: spec.mode,
        failure_policy: spec.failure_policy,
        limits,
        description,
        connections,
        priority: spec.priority,
        matching,
        version: version.clone(),
        fingerprint,
    })
}

fn refuse_unsupported(spec: &McpPluginSpec) -> Result<(), Rejection> {
    if spec.verify.is_some() {
        let message =
            "spec.verify is not supported by this version: pin the component with spec.sha256";
        return Err(Rejection::new("VerifyNotSupported", message));
    }
    Ok(())
}

fn refuse_other_digest(spec: &McpPluginSpec, digest: &str) -> Result<(), Rejection> {
    match &spec.sha256 {
        Some(wanted) if wanted != digest => {
            let message = format!("the component has SHA-256 {digest}, spec.sha256 wants {wanted}");
            Err(Rejection::new("DigestMismatch", message))
        }
        _ => Ok(()),
    }
}

fn limits(spec: &McpPluginSpec) -> Result<Limits, Rejection> {
    let memory = &spec.limits.memory;
    let bytes = whole_units(&memory.0).and_then(|bytes| usize::try_from(bytes).ok());
    let bytes = bytes.ok_or_else(|| {
        Rejection::new(
            "InvalidLimits",
            format!("spec.limits.memory: {memory} is no quantity such as 64Mi"),
        )
    })?;
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

async fn accept_settings(
    plugin: &Plugin,
    settings: &str,
    limits: &Limits,
) -> Result<(), Rejection> {
    let findings = plugin.validate_settings(settings, limits).await?;
    let errors: Vec<String> = findings
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| convert::below("spec.settings", convert::finding(finding).error).to_string())
        .collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Rejection::new("InvalidSettings", errors.join("; ")))
    }
}
