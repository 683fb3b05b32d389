//! Plugins that are in force by their MCPPlugins, and are not loaded.

use mcp_operator_api::v1alpha1::{FailurePolicy, McpPlugin, Mode};
use mcp_operator_core::admission::PluginFailure;
use mcp_plugin_host::Interfaces;

use crate::Stage;
use crate::activate::Rejection;
use crate::context::PolicyContext;
use crate::convert;
use crate::matching::Matching;

/// The category of everything that is refused because a plugin is not loaded.
const CATEGORY: &str = "PluginUnavailable";
/// Plugins of the operator's image that have neither rules nor defaults.
const REGISTRARS: [&str; 2] = ["litellm-configmap", "litellm-admin-api"];
/// The plugin of the operator's image with the defaults that harden pods.
const DEFAULTER: &str = "compliance";
/// As `status.interfaces` names them.
const DEFAULTER_INTERFACE: &str = "defaulter";

/// Whether a component that is not loaded exports an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exported {
    No,
    Perhaps,
    Yes,
}

/// A plugin that should be in force, and whose component is not loaded: what it would have said is not known.
#[derive(Clone, Debug)]
pub struct UnavailablePlugin {
    name: String,
    mode: Mode,
    failure_policy: FailurePolicy,
    /// Absent: it is not known which MCPServers it is for, so it is for all.
    matching: Option<Matching>,
    validator: Exported,
    defaulter: Exported,
    message: String,
    fingerprint: String,
}

impl UnavailablePlugin {
    /// Of an MCPPlugin that was refused; without a rejection it is being loaded.
    pub fn new(plugin: &McpPlugin, rejection: Option<&Rejection>) -> Self {
        let (name, spec) = (
            plugin.metadata.name.clone().unwrap_or_default(),
            &plugin.spec,
        );
        let builtin = spec.source.builtin.as_deref();
        let loaded = rejection.and_then(|why| why.interfaces);
        let known = loaded.or_else(|| registrar(builtin));
        let [validator, defaulter] = match known {
            Some(known) => [known.validator, known.defaulter]
                .map(|is| if is { Exported::Yes } else { Exported::No }),
            None => [Exported::Perhaps; 2],
        };
        // A status is believed only where that is the stricter way: others may write it.
        let was_defaulter = builtin == Some(DEFAULTER) || said_to_be_a_defaulter(plugin);
        let defaulter = match defaulter {
            Exported::Perhaps if was_defaulter => Exported::Yes,
            known => known,
        };
        let category = rejection.map_or("Loading", |why| why.category);
        let message = match rejection {
            None => format!("plugin {name} is not loaded yet: try again in a moment"),
            Some(why) => format!(
                "plugin {name} is not loaded ({category}): {}; mend the MCPPlugin {name}, or set its spec.mode to warn to go on without it",
                why.message
            ),
        };
        let selectors = serde_json::to_string(&spec.matches).unwrap_or_default();
        let (mode, failure_policy) = (spec.mode, spec.failure_policy);
        Self {
            fingerprint: format!(
                "{name} {mode:?} {failure_policy:?} {validator:?} {defaulter:?} {category} {selectors}"
            ),
            matching: Matching::new(&spec.matches).ok(),
            message: convert::short(&message),
            name,
            mode,
            failure_policy,
            validator,
            defaulter,
        }
    }

    /// Of an MCPPlugin that cannot be read: nothing is known of it but its name.
    pub fn unreadable(name: &str, error: &str) -> Self {
        let why = Rejection::unreadable(error);
        let message = format!(
            "plugin {name} is not loaded ({}): {}; mend or delete the MCPPlugin {name}",
            why.category, why.message
        );
        Self {
            name: name.to_owned(),
            mode: Mode::Enforce,
            failure_policy: FailurePolicy::Fail,
            matching: None,
            validator: Exported::Perhaps,
            defaulter: Exported::Perhaps,
            fingerprint: format!("{name} unreadable"),
            message: convert::short(&message),
        }
    }

    /// Name of the MCPPlugin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its findings would do.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether requests are refused because of it.
    pub fn refuses(&self) -> bool {
        let has_a_say = [self.validator, self.defaulter] != [Exported::No; 2];
        self.mode == Mode::Enforce && self.failure_policy == FailurePolicy::Fail && has_a_say
    }

    /// Changes whenever the plugin could be missing otherwise.
    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Why nobody can say whether this server is valid, if that depends on the plugin.
    pub(super) fn missing_rules(&self, context: &PolicyContext) -> Option<PluginFailure> {
        let is_missing = self.refuses() && self.validator != Exported::No && self.is_for(context);
        is_missing.then(|| self.failure())
    }

    /// Why nobody can say what this server or its objects should be, if that depends on the plugin.
    ///
    /// The failure policy is about requests. Objects are written as a whole, so that a default which is missing is taken away
    /// from pods that have it: in a reconcile, no defaulter in `enforce` may be missing.
    pub(super) fn missing_defaults(&self, context: &PolicyContext) -> Option<PluginFailure> {
        let is_taken_away = self.mode == Mode::Enforce
            && self.defaulter == Exported::Yes
            && context.stage == Stage::Reconcile;
        let is_refused = self.refuses() && self.defaulter != Exported::No;
        let is_missing = (is_taken_away || is_refused) && self.is_for(context);
        is_missing.then(|| self.failure())
    }

    fn is_for(&self, context: &PolicyContext) -> bool {
        let matching = self.matching.as_ref();
        matching.is_none_or(|matching| matching.includes(context))
    }

    fn failure(&self) -> PluginFailure {
        PluginFailure {
            category: CATEGORY,
            guest: false,
            message: self.message.clone(),
        }
    }
}

/// What a registrar of the operator's image exports.
fn registrar(builtin: Option<&str>) -> Option<Interfaces> {
    REGISTRARS.contains(&builtin?).then_some(Interfaces {
        validator: false,
        defaulter: false,
        registrar: true,
    })
}

fn said_to_be_a_defaulter(plugin: &McpPlugin) -> bool {
    let interfaces = plugin
        .status
        .as_ref()
        .and_then(|status| status.interfaces.as_deref());
    interfaces.is_some_and(|names| names.split(',').any(|name| name == DEFAULTER_INTERFACE))
}

#[cfg(test)]
#[path = "unavailable_tests.rs"]
mod tests;
