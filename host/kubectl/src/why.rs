//! `kubectl mcp why NAME`: what keeps an MCPServer from being written, ready and registered, in the order in which it is mended.

use std::fmt::Write;

use anyhow::Result;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::core::ApiResource;
use serde::Serialize;
use serde_json::Value;

use crate::Outcome;
use crate::causes::{Cause, causes, tone};
use crate::cluster::{Cluster, Scope};
use crate::view::{Style, Tone, View, harmless, not_read, text};

/// Events that are shown.
const MOST_EVENTS: usize = 5;

/// Why it is as it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explanation {
    name: String,
    namespace: String,
    phase: Option<String>,
    causes: Vec<Cause>,
    /// Warnings about it, the newest first.
    warnings: Vec<Warning>,
    /// What whoever asks may not read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unread: Vec<String>,
}

/// An event.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Warning {
    reason: String,
    note: String,
    last_seen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
}

/// Reads the MCPServer and the events about it.
///
/// # Errors
/// When it is not there.
pub(crate) async fn why(cluster: &Cluster, name: &str) -> Result<Explanation> {
    let server = cluster.server(name).await?;
    let about = format!("regarding.kind=MCPServer,regarding.name={name}");
    let params = ListParams::default().fields(&about);
    let resource = ApiResource::erase::<Event>(&());
    let scope = Scope::Namespace(&cluster.namespace);
    let events = cluster.list_of(&resource, scope, &params).await?;
    let mut unread = Vec::new();
    let events = events.or_note(&mut unread).unwrap_or_default();
    Ok(view(&server, &events, unread))
}

fn view(server: &Value, events: &[Value], unread: Vec<String>) -> Explanation {
    let causes = causes(server);
    let uid = &server["metadata"]["uid"];
    let about_this = events
        .iter()
        .filter(|event| event["type"] == "Warning" && event["regarding"]["uid"] == *uid);
    let mut warnings: Vec<Warning> = about_this.map(warning).collect();
    // What a condition says is not said again.
    warnings.retain(|warning| !causes.iter().any(|cause| cause.reason == warning.reason));
    warnings.sort_by(|one, other| other.last_seen.cmp(&one.last_seen));
    warnings.truncate(MOST_EVENTS);
    Explanation {
        name: text(&server["metadata"]["name"]),
        namespace: text(&server["metadata"]["namespace"]),
        phase: server["status"]["phase"].as_str().map(str::to_owned),
        causes,
        warnings,
        unread,
    }
}

fn warning(event: &Value) -> Warning {
    let reason = text(&event["reason"]);
    let series = &event["series"]["lastObservedTime"];
    let last_seen = if series.is_null() {
        &event["eventTime"]
    } else {
        series
    };
    Warning {
        remedy: remedy(&reason),
        note: text(&event["note"]),
        last_seen: text(last_seen),
        reason,
    }
}

/// Of events that no condition repeats: what they mean for who waits for an object to be written.
fn remedy(reason: &str) -> Option<&'static str> {
    match reason {
        "PutBack" => Some("change the MCPServer, not its objects"),
        "Overruled" => Some(
            "whoever changes objects as they are written (a mutating webhook) leaves this field alone",
        ),
        "Contested" => Some(
            "the note names who fights; one of the two has to stop, then the operator goes on by itself",
        ),
        _ => None,
    }
}

impl View for Explanation {
    fn text(&self, style: &Style) -> String {
        let mut text = String::new();
        let phase = self.phase.as_deref().unwrap_or("not looked at yet");
        let name = format!("{}/{}", self.namespace, self.name);
        if self.causes.is_empty() {
            let line = style.paint(Tone::Good, "everything is there and serves");
            _ = writeln!(text, "{name} ({phase}): {line}.");
        } else {
            _ = writeln!(text, "{name} ({phase}):");
        }
        for (index, cause) in self.causes.iter().enumerate() {
            let head = style.paint(tone(std::slice::from_ref(cause)), cause.what);
            let reason = harmless(&cause.reason);
            _ = writeln!(text, "\n{}. {head}: {reason}", index + 1);
            _ = writeln!(text, "   {}", style.wrap(&harmless(&cause.message), 3));
            if let Some(remedy) = &cause.remedy {
                let before = "What helps: ".len() + 3;
                _ = writeln!(text, "   What helps: {}", style.wrap(remedy, before));
            }
        }
        if !self.warnings.is_empty() {
            text.push_str("\nEvents:\n");
        }
        for warning in &self.warnings {
            let note = format!("{} {}: {}", warning.last_seen, warning.reason, warning.note);
            _ = writeln!(text, "   {}", style.wrap(&harmless(&note), 3));
            if let Some(remedy) = warning.remedy {
                _ = writeln!(text, "   What helps: {}", style.wrap(remedy, 15));
            }
        }
        if !self.unread.is_empty() {
            text.push('\n');
        }
        text.push_str(&not_read(&self.unread, style));
        text
    }

    fn outcome(&self) -> Outcome {
        if self.causes.is_empty() {
            Outcome::Fine
        } else {
            Outcome::Wrong
        }
    }
}

#[cfg(test)]
mod tests {
    use mcp_testkit::Match;
    use mcp_testkit::objects::mcp_server;
    use serde_json::json;

    use super::*;
    use crate::test_cluster::{PLAIN, TestCluster, condition};

    fn server(cluster: &TestCluster, conditions: Value) -> Value {
        let mut server = serde_json::to_value(mcp_server("tools", "weather")).unwrap();
        server["status"] =
            json!({ "phase": "Failed", "observedGeneration": 1, "conditions": conditions });
        cluster.api.put(server)
    }

    fn event(server: &Value, name: &str, reason: &str, time: &str) -> Value {
        json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": name, "namespace": "tools" },
            "type": "Warning", "reason": reason, "note": format!("{reason}: note"), "eventTime": time,
            "regarding": { "kind": "MCPServer", "name": "weather", "uid": server["metadata"]["uid"] },
        })
    }

    #[tokio::test]
    async fn causes_come_in_order_with_what_helps_and_then_events() {
        let cluster = TestCluster::new();
        let conditions = json!([
            condition("Ready", "False", "ImagePullBackOff"),
            condition("SpecValid", "True", "Valid"),
            condition("DeploymentReady", "False", "ImagePullBackOff"),
            condition("Available", "False", "NoPodServes"),
            condition("LiteLLMRegistered", "Unknown", "Waiting"),
        ]);
        let server = server(&cluster, conditions);
        for (name, reason, time) in [
            ("a", "PutBack", "2026-01-01T00:00:01Z"),
            ("b", "Contested", "2026-01-01T00:00:02Z"),
            ("c", "ImagePullBackOff", "2026-01-01T00:00:03Z"),
        ] {
            cluster.api.put(event(&server, name, reason, time));
        }
        let mut of_namesake = event(&server, "d", "PutBack", "2026-01-01T00:00:04Z");
        of_namesake["regarding"]["uid"] = json!("other");
        cluster.api.put(of_namesake);
        let explanation = why(&cluster.cluster(), "weather").await.unwrap();
        assert_eq!(explanation.outcome(), Outcome::Wrong);
        insta::assert_snapshot!(explanation.text(&PLAIN), @r"
        tools/weather (Failed):

        1. not ready: ImagePullBackOff
           ImagePullBackOff!
           What helps: name, tag, imagePullSecrets, the registry

        2. not registered: Waiting
           Waiting!
           What helps: it passes

        Events:
           2026-01-01T00:00:02Z Contested: Contested: note
           What helps: the note names who fights; one of the two has to stop, then the operator goes on by itself
           2026-01-01T00:00:01Z PutBack: PutBack: note
           What helps: change the MCPServer, not its objects
        ");
    }

    #[tokio::test]
    async fn one_that_is_well_says_so_whatever_else_may_be_read() {
        let cluster = TestCluster::new();
        server(&cluster, json!([condition("Ready", "True", "Ready")]));
        cluster
            .api
            .deny(Match::any().kind("Event"), "events is forbidden");
        let explanation = why(&cluster.cluster(), "weather").await.unwrap();
        assert_eq!(explanation.outcome(), Outcome::Fine);
        let text = explanation.text(&PLAIN);
        assert!(text.contains("everything is there and serves"), "{text}");
        assert!(
            text.contains("Not read: list events: events is forbidden"),
            "{text}"
        );
        let error = why(&cluster.cluster(), "other").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no MCPServer other in the namespace tools (-n names another)"
        );
    }
}
