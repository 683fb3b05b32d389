//! Everything that checks look at, as it was read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mcp_operator_api::names::installation::{CONFIGURATION, WEBHOOK_SECRET, WEBHOOK_SERVICE};
use serde_json::Value;

use super::permissions::Permission;
use super::reachability::Asked;

/// Name of the operator's Deployment and its account.
pub(crate) const MANAGER: &str = "mcp-operator-controller-manager";

/// The port at which the API server asks the Service of the webhook.
pub(crate) const HTTPS: i64 = 443;

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
    /// What the API server said to an MCPServer that was not to be stored; nothing if it was not asked.
    pub(crate) asked: Option<Asked>,
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

    /// Whether an object of this kind was looked for, and it is known whether it is there.
    pub(crate) fn is_known(&self, kind: &str) -> bool {
        self.objects.keys().any(|(known, ..)| known == kind)
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

    /// Whether there shall be pods of the operator in the cluster.
    pub(crate) fn has_replicas(&self) -> bool {
        let deployment = self.deployment().there();
        deployment.is_some_and(|it| it["spec"]["replicas"].as_i64() != Some(0))
    }

    /// What an option of the operator was given, by the environment or by an argument; of two, what the program takes.
    pub(crate) fn option(&self, variable: &str, argument: &str) -> Option<&str> {
        let deployment = self.deployment().there()?;
        let containers = deployment["spec"]["template"]["spec"]["containers"].as_array()?;
        let prefix = format!("{argument}=");
        let args = containers
            .iter()
            .flat_map(|container| container["args"].as_array().into_iter().flatten())
            .filter_map(|argument| argument.as_str()?.strip_prefix(&prefix));
        let env = containers
            .iter()
            .flat_map(|container| container["env"].as_array().into_iter().flatten())
            .filter(|entry| entry["name"] == variable)
            .filter_map(|entry| entry["value"].as_str());
        args.chain(env).next()
    }

    /// Whether the operator was told to serve no webhooks.
    pub(crate) fn has_webhooks_off(&self) -> bool {
        self.option("ENABLE_WEBHOOKS", "--enable-webhooks") == Some("false")
    }

    /// Whether replicas were told to ask nobody before they write.
    pub(crate) fn has_election_off(&self) -> bool {
        self.option("LEADER_ELECT", "--leader-elect") == Some("false")
    }

    /// The two configurations, with their kinds.
    pub(crate) fn webhook_configurations(&self) -> [(&'static str, Found<'_>); 2] {
        [
            "ValidatingWebhookConfiguration",
            "MutatingWebhookConfiguration",
        ]
        .map(|kind| (kind, self.object(kind, "", CONFIGURATION)))
    }

    /// The Service that the API server is told to ask: the operator's own where one of the webhooks
    /// names it. Nothing where it is told an
    /// address.
    pub(crate) fn webhook_service(&self) -> Option<(String, String)> {
        let configurations = self.webhook_configurations().into_iter();
        let clients: Vec<&Value> = configurations
            .filter_map(|(_, found)| found.there())
            .flat_map(webhooks)
            .map(|webhook| &webhook["clientConfig"])
            .filter(|client| !client.is_null())
            .collect();
        if clients.is_empty() {
            return Some((self.namespace.clone(), self.service_name().to_owned()));
        }
        let part = |service: &Value, name: &str| service[name].as_str().map(str::to_owned);
        let services = clients.iter().map(|client| &client["service"]);
        let mut services = services
            .filter_map(|service| Some((part(service, "namespace")?, part(service, "name")?)));
        let first = services.next()?;
        let wanted = self.service_name();
        let named = services.find(|(_, name)| name == wanted);
        Some(named.filter(|_| first.1 != wanted).unwrap_or(first))
    }

    /// The name of the Service that the operator has the API server ask.
    pub(crate) fn service_name(&self) -> &str {
        self.option("WEBHOOK_SERVICE", "--webhook-service")
            .unwrap_or(WEBHOOK_SERVICE)
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

/// The labels of an object.
pub(crate) fn labels(object: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(object["metadata"]["labels"].clone()).unwrap_or_default()
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
