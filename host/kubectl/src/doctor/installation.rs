//! Everything that checks look at, as it was read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mcp_operator_api::names::installation::{CONFIGURATION, WEBHOOK_SECRET, WEBHOOK_SERVICE};
use serde_json::Value;

use super::permissions::Permission;

/// Name of the operator's Deployment and its account.
pub(crate) const MANAGER: &str = "mcp-operator-controller-manager";

/// An object that was looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'a> {
    There(&'a Value),
    Missing,
    /// It may not be read, or nobody asked.
    Unread,
}

impl<'a> Found<'a> {
    pub(crate) fn there(self) -> Option<&'a Value> {
        match self {
            Self::There(object) => Some(object),
            Self::Missing | Self::Unread => None,
        }
    }

    pub(crate) fn is_missing(self) -> bool {
        matches!(self, Self::Missing)
    }
}

/// Kind, namespace (empty for all of the cluster) and name.
pub(crate) type Key = (String, String, String);

/// An installation, as far as it could be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Installation {
    /// Of the operator.
    pub(crate) namespace: String,
    /// By the clock of this machine.
    pub(crate) now: Timestamp,
    /// By the clock of the API server, if it says.
    pub(crate) api_time: Option<Timestamp>,
    /// By what they are; nothing: they are not there. Of Secrets, nothing but the names of keys and certificates.
    pub(crate) objects: BTreeMap<Key, Option<Value>>,
    /// By kind and namespace; what may not be read is not there.
    pub(crate) lists: BTreeMap<(String, String), Vec<Value>>,
    /// What the operator's account needs, and whether it has it.
    pub(crate) permissions: Vec<(Permission, bool)>,
    /// What whoever asks may not read.
    pub(crate) unread: Vec<String>,
}

impl Installation {
    pub(crate) fn object(&self, kind: &str, namespace: &str, name: &str) -> Found<'_> {
        match self
            .objects
            .get(&(kind.into(), namespace.into(), name.into()))
        {
            Some(Some(object)) => Found::There(object),
            Some(None) => Found::Missing,
            None => Found::Unread,
        }
    }

    /// The objects of a kind; nothing if they could not be read.
    pub(crate) fn list(&self, kind: &str, namespace: &str) -> Option<&[Value]> {
        let found = self.lists.get(&(kind.into(), namespace.into()));
        found.map(Vec::as_slice)
    }

    /// By the clock that leases and certificates are judged by.
    pub(crate) fn time(&self) -> Timestamp {
        self.api_time.unwrap_or(self.now)
    }

    pub(crate) fn deployment(&self) -> Found<'_> {
        self.object("Deployment", &self.namespace, MANAGER)
    }

    /// The two configurations, with their kinds.
    pub(crate) fn webhook_configurations(&self) -> [(&'static str, Found<'_>); 2] {
        [
            "ValidatingWebhookConfiguration",
            "MutatingWebhookConfiguration",
        ]
        .map(|kind| (kind, self.object(kind, "", CONFIGURATION)))
    }

    /// The Service that the API server is told to ask; nothing where it is told an address.
    pub(crate) fn webhook_service(&self) -> Option<(String, String)> {
        let configurations = self.webhook_configurations().into_iter();
        let mut webhooks = configurations
            .filter_map(|(_, found)| found.there())
            .flat_map(webhooks);
        if let Some(webhook) = webhooks.find(|it| !it["clientConfig"].is_null()) {
            let service = &webhook["clientConfig"]["service"];
            let part = |name: &str| service[name].as_str().map(str::to_owned);
            return Some((part("namespace")?, part("name")?));
        }
        Some((self.namespace.clone(), WEBHOOK_SERVICE.into()))
    }

    /// The Secret that holds the webhook's certificate.
    pub(crate) fn certificate_secret(&self) -> String {
        let deployment = self.deployment().there();
        let volumes =
            deployment.and_then(|it| it["spec"]["template"]["spec"]["volumes"].as_array());
        let mut volumes = volumes.into_iter().flatten();
        let mounted = volumes.find(|volume| volume["name"] == "webhook-server-cert");
        let name = mounted.and_then(|volume| volume["secret"]["secretName"].as_str());
        name.unwrap_or(WEBHOOK_SECRET).to_owned()
    }

    /// Whether somebody else makes the certificate, and has it trusted.
    pub(crate) fn has_mounted_certificate(&self) -> bool {
        self.certificate_secret() != WEBHOOK_SECRET
    }
}

/// The webhooks of a configuration.
pub(crate) fn webhooks(configuration: &Value) -> impl Iterator<Item = &Value> {
    configuration["webhooks"].as_array().into_iter().flatten()
}

/// How an object is named in findings.
pub(crate) fn place(kind: &str, namespace: &str, name: &str) -> String {
    if namespace.is_empty() {
        format!("{kind} {name}")
    } else {
        format!("{kind} {namespace}/{name}")
    }
}
