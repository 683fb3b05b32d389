//! Which version of a plugin a replica puts into force that does not lead: the one that the leader has.
//!
//! All replicas load what the source has, and try it. The leader puts it into force, and says so in the status; the others
//! follow. So requests are judged alike whichever replica answers, also where one could load what another could not.

use mcp_operator_api::names::conditions::READY;
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_operator_policy::ActivePlugin;

use crate::status::shown_digest;

/// A component, and the specification that it is in force by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// As the status shows it.
    pub(crate) digest: String,
    /// `metadata.generation`.
    pub(crate) generation: i64,
}

impl Version {
    pub(crate) fn of(plugin: &ActivePlugin) -> Self {
        Self {
            digest: shown_digest(plugin.digest()),
            generation: plugin.generation(),
        }
    }
}

/// What the leader has made known of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agreement {
    /// The component in force; nothing: there is none.
    digest: Option<String>,
    /// The generation that the leader has looked at.
    observed: i64,
    /// That generation is in force, and not only what was before it.
    as_specified: bool,
    /// What the leader says of it.
    message: String,
}

impl Agreement {
    /// By its status. Nothing: no leader has looked at the plugin yet.
    pub(crate) fn of(plugin: &McpPlugin) -> Option<Self> {
        let status = plugin.status.as_ref()?;
        let observed = status
            .observed_generation
            .filter(|observed| *observed >= 0)?;
        let ready = status
            .conditions
            .iter()
            .find(|condition| condition.type_ == READY);
        Some(Self {
            digest: status.digest.clone(),
            observed,
            as_specified: ready.is_some_and(|ready| ready.status == "True"),
            message: ready.map(|ready| ready.message.clone()).unwrap_or_default(),
        })
    }

    /// The component in force.
    pub(crate) fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// What the leader says of the plugin.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Whether this is what the leader has in force. Of one that keeps an earlier version, the specification of that is not
    /// known any more: then it is enough to have the component.
    pub(crate) fn is_met_by(&self, version: &Version) -> bool {
        self.digest.as_ref() == Some(&version.digest)
            && (!self.as_specified || version.generation == self.observed)
    }

    /// Whether a replica with this in force, if any, judges otherwise than the leader because it lacks something.
    pub(crate) fn is_ahead_of(&self, in_force: Option<&Version>) -> bool {
        self.digest.is_some() && !in_force.is_some_and(|version| self.is_met_by(version))
    }
}

/// Whether a replica that does not lead puts into force what it has loaded.
pub(crate) fn follows(
    agreement: Option<&Agreement>,
    in_force: Option<&Version>,
    loaded: &Version,
) -> bool {
    match agreement {
        // Nobody has said anything: what is loaded is better than nothing, and no better than what is in force.
        None => in_force.is_none(),
        Some(agreement) => {
            agreement.is_met_by(loaded)
                && !in_force.is_some_and(|version| agreement.is_met_by(version))
        }
    }
}

#[cfg(test)]
#[path = "agreement_tests.rs"]
mod tests;
