//! `kubectl mcp doctor`: whether the installation is as it has to be.
//!
//! [`collect`] reads what is looked at, and every check is a function of that: it finds, and asks nobody.

mod access;
mod certificate;
mod collect;
mod configuration;
mod connections;
mod definitions;
mod gateway;
mod installation;
mod lease;
mod mounts;
mod permissions;
mod plugins;
mod reachability;
mod registrations;
mod replicas;
mod webhooks;

#[cfg(test)]
mod tests;

use std::fmt::Write;

use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;

pub(crate) use self::installation::Installation;
use crate::Outcome;
use crate::cluster::Cluster;
use crate::view::{Style, Tone, View, harmless};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Severity {
    /// Something does not work, or nothing keeps it from what it must not do.
    Wrong,
    /// It works, and may not for long.
    Doubtful,
}

/// Something that is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// The object: `Deployment litellm/litellm-proxy`.
    pub(crate) place: String,
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl Finding {
    pub(crate) fn wrong(
        place: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Wrong,
            place: place.into(),
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    pub(crate) fn doubtful(
        place: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Doubtful,
            ..Self::wrong(place, what, remedy)
        }
    }
}

/// One thing that is looked at.
struct Check {
    name: &'static str,
    find: fn(&Installation) -> Vec<Finding>,
    /// Whether there is something to look at that could be read: who sees nothing has nothing to praise.
    is_seen: fn(&Installation) -> bool,
}

impl Check {
    const fn new(
        name: &'static str,
        find: fn(&Installation) -> Vec<Finding>,
        is_seen: fn(&Installation) -> bool,
    ) -> Self {
        Self {
            name,
            find,
            is_seen,
        }
    }
}

/// What is looked at, in the order in which things need each other.
const CHECKS: [Check; 12] = [
    Check::new("custom resource definitions", definitions::check, |it| {
        it.is_known("CustomResourceDefinition")
    }),
    Check::new("permissions", permissions::check, |it| {
        !it.permissions.is_empty()
    }),
    Check::new("replicas", replicas::check, |it| it.is_known("Deployment")),
    Check::new("leader and clocks", lease::check, |it| it.is_known("Lease")),
    Check::new("webhook configurations", webhooks::check, |it| {
        it.is_known("ValidatingWebhookConfiguration")
    }),
    Check::new("webhook certificate", certificate::check, |it| {
        it.is_known("Secret")
    }),
    Check::new("answer of the webhook", reachability::check, |it| {
        it.asked.is_some()
    }),
    Check::new("confinement", configuration::check, |it| {
        it.is_known("ValidatingAdmissionPolicy")
    }),
    Check::new("plugins", plugins::check, |it| {
        it.list("MCPPlugin", "").is_some()
    }),
    Check::new("connections", connections::check, connections::is_seen),
    Check::new("LiteLLM", gateway::check, gateway::is_seen),
    Check::new("registrations", registrations::check, |it| {
        it.list("MCPServer", "")
            .is_some_and(|servers| !servers.is_empty())
    }),
];

/// What was looked at and found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Diagnosis {
    findings: Vec<Finding>,
    /// What was looked at without a finding.
    well: Vec<&'static str>,
    /// What was not looked at: it is not there, or may not be read.
    unseen: Vec<&'static str>,
    /// What whoever asks may not read: nothing is said about it.
    unread: Vec<String>,
}

/// Reads the installation, and looks at it.
///
/// # Errors
/// When the cluster does not answer.
pub(crate) async fn examine(cluster: &Cluster, now: Timestamp) -> Result<Diagnosis> {
    Ok(diagnose(
        &collect::installation(cluster, now, collect::Secrets::Read).await?,
    ))
}

/// What the checks look at, without asking for any Secret.
///
/// # Errors
/// When the cluster does not answer.
pub(crate) async fn installation_without_secrets(
    cluster: &Cluster,
    now: Timestamp,
) -> Result<Installation> {
    collect::installation(cluster, now, collect::Secrets::Untouched).await
}

/// What is found in an installation.
pub(crate) fn diagnose(installation: &Installation) -> Diagnosis {
    let (mut findings, mut well, mut unseen) = (Vec::new(), Vec::new(), Vec::new());
    for check in CHECKS {
        let found = (check.find)(installation);
        if found.is_empty() {
            let is_seen = (check.is_seen)(installation);
            if is_seen { &mut well } else { &mut unseen }.push(check.name);
        }
        findings.extend(found);
    }
    findings.sort_by_key(|finding| finding.severity);
    Diagnosis {
        findings,
        well,
        unseen,
        unread: installation.unread.clone(),
    }
}

impl View for Diagnosis {
    fn text(&self, style: &Style) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let (tone, mark) = match finding.severity {
                Severity::Wrong => (Tone::Bad, "wrong"),
                Severity::Doubtful => (Tone::Waiting, "doubtful"),
            };
            let line = format!("{}: {}: {}", finding.place, finding.what, finding.remedy);
            let before = mark.len() + 2;
            let line = style.wrap(&harmless(&line), before);
            _ = writeln!(text, "{}  {line}", style.paint(tone, mark));
        }
        let unread = self.unread.iter().map(|why| format!("not read: {why}"));
        for unread in unread {
            _ = writeln!(text, "{}", style.wrap(&harmless(&unread), 10));
        }
        if !self.unseen.is_empty() {
            let line = format!("not looked at: {}", self.unseen.join(", "));
            _ = writeln!(text, "{}", style.wrap(&line, 0));
        }
        if !self.well.is_empty() {
            let line = format!("nothing found: {}", self.well.join(", "));
            _ = writeln!(text, "{}", style.paint(Tone::Good, &style.wrap(&line, 0)));
        }
        text
    }

    fn outcome(&self) -> Outcome {
        if self
            .findings
            .iter()
            .any(|it| it.severity == Severity::Wrong)
        {
            Outcome::Wrong
        } else {
            Outcome::Fine
        }
    }
}
