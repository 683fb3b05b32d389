//! Status of an MCPPlugin, from what is in force and what was tried last.

use std::fmt::Display;

use jiff::Timestamp;
use kube::ResourceExt;
use mcp_operator_api::names::conditions::READY;
use mcp_operator_api::v1alpha1::{McpPlugin, McpPluginStatus, PluginRule};
use mcp_operator_core::conditions::{ConditionDraft, ConditionStatus, unchanged};
use mcp_operator_core::text::one_line;
use mcp_operator_policy::{ActivePlugin, Rejection};

/// Digits of a digest that a table shows.
const SHORT_DIGEST: usize = 12;
/// The longest text of a description that is shown, in bytes, and the most rules.
const LONGEST_TEXT: usize = 512;
const MOST_RULES: usize = 200;
/// What it means that a plugin in `enforce` is not loaded.
const REFUSES: &str = "; requests for MCPServers that this plugin is for are refused until it is loaded, and their objects stay as they are";

/// What decides about the status of a plugin, besides the plugin itself.
#[derive(Clone, Copy, Default)]
pub(crate) struct Loaded<'a> {
    pub(crate) active: Option<&'a ActivePlugin>,
    pub(crate) rejection: Option<&'a Rejection>,
    /// Requests are refused because it is not loaded.
    pub(crate) refuses: bool,
    /// Name of the registrar in force.
    pub(crate) registrar: Option<&'a str>,
}

/// The status that a plugin should have.
pub(crate) fn compute(plugin: &McpPlugin, loaded: Loaded<'_>, now: Timestamp) -> McpPluginStatus {
    let previous = plugin
        .status
        .as_ref()
        .map_or(&[][..], |status| &status.conditions);
    let ready = ready(plugin, loaded);
    // What failed for good is tried again when somebody changes it.
    let is_stalled = loaded.rejection.is_some_and(|rejection| !rejection.retry);
    let progress = ConditionDraft::progress(&ready, is_stalled);
    let drafts = [ready].into_iter().chain(progress);
    let conditions = drafts
        .map(|draft| draft.condition(previous, plugin.metadata.generation, now))
        .collect();
    let active = loaded.active;
    // What it was is known better than what it is: whether objects may be written without it depends on that.
    let was = plugin
        .status
        .as_ref()
        .and_then(|status| status.interfaces.clone());
    let digest = active.map(ActivePlugin::digest);
    let description = active.map(ActivePlugin::description);
    let provenance = active.map(ActivePlugin::provenance);
    McpPluginStatus {
        conditions,
        observed_generation: plugin.metadata.generation,
        short_digest: digest
            .as_ref()
            .map(|digest| digest.chars().take(SHORT_DIGEST).collect()),
        digest: digest.map(shown_digest),
        resolved_reference: provenance.and_then(|from| from.resolved_reference.clone()),
        signed_by: provenance
            .map(|from| from.signed_by.clone())
            .unwrap_or_default(),
        interfaces: active.map(interfaces).or(was),
        contract: active.map(|active| active.contract().as_str().to_owned()),
        name: description.map(|description| bounded(&description.name)),
        version: description.map(|description| bounded(&description.version)),
        summary: description.map(|description| bounded(&description.summary)),
        rules: description
            .map(|description| {
                description
                    .rules
                    .iter()
                    .take(MOST_RULES)
                    .map(rule)
                    .collect()
            })
            .unwrap_or_default(),
        // The controller's, who writes it by itself.
        violating_servers: None,
    }
}

/// A digest as the status shows it.
pub(crate) fn shown_digest(digest: impl Display) -> String {
    format!("sha256:{digest}")
}

/// Whether writing `new` over `old` changes anything but times, and what others write.
pub(crate) fn differs(new: &McpPluginStatus, old: Option<&McpPluginStatus>) -> bool {
    let Some(old) = old else { return true };
    let comparable = |status: &McpPluginStatus| McpPluginStatus {
        conditions: Vec::new(),
        violating_servers: None,
        ..status.clone()
    };
    comparable(new) != comparable(old) || !unchanged(&new.conditions, &old.conditions)
}

fn ready(plugin: &McpPlugin, loaded: Loaded<'_>) -> ConditionDraft {
    let consequence = if loaded.refuses { REFUSES } else { "" };
    match (loaded.active, loaded.rejection) {
        (Some(active), Some(rejection)) => {
            let short: String = active.digest().chars().take(SHORT_DIGEST).collect();
            let message = format!(
                "{}; the last good component stays in force: {short}",
                rejection.message
            );
            ConditionDraft::new(READY, ConditionStatus::False, rejection.category, message)
        }
        (None, Some(rejection)) => ConditionDraft::new(
            READY,
            ConditionStatus::False,
            rejection.category,
            format!("{}{consequence}", rejection.message),
        ),
        (None, None) => ConditionDraft::new(
            READY,
            ConditionStatus::Unknown,
            "Loading",
            format!("The component is being loaded{consequence}"),
        ),
        (Some(active), None) => match loaded
            .registrar
            .filter(|name| active.interfaces().registrar && *name != plugin.name_any())
        {
            Some(other) => {
                let message = format!("Registrar {other} comes first by priority; this one waits");
                ConditionDraft::new(READY, ConditionStatus::True, "Standby", message)
            }
            None => ConditionDraft::new(
                READY,
                ConditionStatus::True,
                "InForce",
                "The component is in force",
            ),
        },
    }
}

fn interfaces(active: &ActivePlugin) -> String {
    let names: Vec<&str> = active
        .interfaces()
        .names()
        .filter(|name| *name != "metadata")
        .collect();
    names.join(",")
}

fn rule(rule: &mcp_plugin_host::contract::Rule) -> PluginRule {
    PluginRule {
        code: bounded(&rule.code),
        summary: bounded(&rule.summary),
    }
}

/// A plugin's text about itself: an object holds 1.5 MiB, and status is read by people.
fn bounded(text: &str) -> String {
    one_line(text, LONGEST_TEXT)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plugin(status: Option<McpPluginStatus>) -> McpPlugin {
        let mut plugin: McpPlugin = serde_json::from_value(json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin",
            "metadata": { "name": "rule", "generation": 2 },
            "spec": { "source": { "builtin": "rule" } },
        }))
        .unwrap();
        plugin.status = status;
        plugin
    }

    fn rejection() -> Rejection {
        Rejection {
            category: "Trapped",
            message: "it trapped".into(),
            operator_fault: false,
            retry: false,
            interfaces: None,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn writing_again_changes_nothing() {
        let rejection = rejection();
        let refused = Loaded {
            rejection: Some(&rejection),
            ..Loaded::default()
        };
        let first = compute(&plugin(None), refused, at(1));
        assert_eq!(first.conditions[0].reason, "Trapped");
        assert!(differs(&first, None));
        let second = compute(&plugin(Some(first.clone())), refused, at(2));
        assert!(!differs(&second, Some(&first)));
    }

    #[test]
    fn one_that_is_not_loaded_says_what_that_means() {
        let rejection = rejection();
        for (rejection, said) in [
            (Some(&rejection), "it trapped"),
            (None, "The component is being loaded"),
        ] {
            let message = |refuses| {
                let loaded = Loaded {
                    rejection,
                    refuses,
                    ..Loaded::default()
                };
                compute(&plugin(None), loaded, at(1)).conditions[0]
                    .message
                    .clone()
            };
            assert_eq!(message(false), said);
            assert_eq!(message(true), format!("{said}{REFUSES}"));
        }
    }

    #[test]
    fn what_a_plugin_was_is_not_forgotten_when_it_is_lost() {
        let was = McpPluginStatus {
            interfaces: Some("defaulter".into()),
            ..McpPluginStatus::default()
        };
        let lost = compute(&plugin(Some(was)), Loaded::default(), at(1));
        assert_eq!(lost.interfaces.as_deref(), Some("defaulter"));
        assert_eq!(lost.digest, None);
    }

    #[test]
    fn what_a_plugin_says_about_itself_is_cut() {
        let long = rule(&mcp_plugin_host::contract::Rule {
            code: "a\nb".into(),
            summary: "s".repeat(10_000),
        });
        assert_eq!(
            (long.code.as_str(), long.summary.len()),
            ("a b", LONGEST_TEXT)
        );
    }
}
