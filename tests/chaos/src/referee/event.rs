//! A line of the audit log.

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;

/// How the operator calls itself.
const OPERATOR: &str = "mcp-operator/";
const WRITES: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];
/// Questions that are asked by creating something, and write nothing.
const QUESTIONS: [&str; 2] = ["authorization.k8s.io", "authentication.k8s.io"];

/// A request that was answered.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) verb: String,
    pub(crate) group: String,
    /// With its subresource: `mcpservers/status`.
    pub(crate) resource: String,
    /// `namespace/name`.
    pub(crate) object: String,
    pub(crate) code: u64,
    /// What a failure says.
    pub(crate) message: String,
    pub(crate) agent: String,
    pub(crate) received: Timestamp,
    pub(crate) answered: Timestamp,
    pub(crate) is_dry_run: bool,
    /// Whether what it asks for was done: by its answer, until [`super::outcomes`] has seen what is stored.
    pub(crate) is_done: bool,
    /// In whose name a patch was sent.
    pub(crate) field_manager: String,
    /// What was sent, where the log has it.
    pub(crate) body: Value,
    /// What was answered, where the log has it.
    pub(crate) answer: Value,
}

impl Event {
    pub(crate) fn parse(line: &str) -> Result<Self> {
        let event: Value =
            serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let time = |member: &str| -> Result<Timestamp> {
            let time = event[member].as_str().unwrap_or_default();
            time.parse()
                .with_context(|| format!("{member} is no time: {line}"))
        };
        let object = &event["objectRef"];
        let (kind, part) = (text(&object["resource"]), text(&object["subresource"]));
        let body = event["requestObject"].clone();
        // What is created may have its name inside alone.
        let name = object["name"]
            .as_str()
            .or(body["metadata"]["name"].as_str());
        let name = name.unwrap_or_default();
        let uri = text(&event["requestURI"]);
        let (_, query) = uri.split_once('?').unwrap_or_default();
        let code = event["responseStatus"]["code"].as_u64().unwrap_or_default();
        Ok(Self {
            verb: text(&event["verb"]),
            group: text(&object["apiGroup"]),
            resource: if part.is_empty() {
                kind
            } else {
                format!("{kind}/{part}")
            },
            object: format!("{}/{name}", text(&object["namespace"])),
            code,
            message: text(&event["responseStatus"]["message"]),
            agent: text(&event["userAgent"]),
            received: time("requestReceivedTimestamp")?,
            answered: time("stageTimestamp")?,
            is_dry_run: query.contains("dryRun=All"),
            is_done: (200..300).contains(&code),
            field_manager: query
                .split('&')
                .find_map(|parameter| parameter.strip_prefix("fieldManager="))
                .unwrap_or_default()
                .to_owned(),
            body,
            answer: event["responseObject"].clone(),
        })
    }

    /// Whether the operator asked it.
    pub(crate) fn is_by_operator(&self) -> bool {
        self.agent.starts_with(OPERATOR)
    }

    /// Whether it was meant to change what is stored.
    pub(crate) fn is_write(&self) -> bool {
        WRITES.contains(&self.verb.as_str())
            && !self.is_dry_run
            && !QUESTIONS.contains(&self.group.as_str())
    }

    /// Whether its answer, or that there is none, leaves open what was stored.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.code == 0 || self.code >= 500
    }

    /// Whether it took something away.
    pub(crate) fn is_removal(&self) -> bool {
        self.verb.starts_with("delete")
    }

    /// In one line.
    pub(crate) fn line(&self) -> String {
        let (agent, _) = self.agent.split_at(self.agent.len().min(60));
        format!(
            "{} {} {} {} by {agent}, answered with {}{}",
            self.received,
            self.verb,
            self.resource,
            self.object,
            self.code,
            if self.message.is_empty() {
                String::new()
            } else {
                format!(": {}", self.message)
            }
        )
    }
}
