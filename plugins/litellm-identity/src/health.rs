//! LiteLLM's health report of its MCP servers: `GET /v1/mcp/server/health`.

use std::borrow::Cow;
use std::collections::HashMap;

use mcp_plugin_sdk::Observed;
use serde::Deserialize;

/// Path of the health report. LiteLLM connects to every server before it answers.
pub const HEALTH_PATH: &str = "/v1/mcp/server/health";

/// LiteLLM's health report.
#[derive(Clone, Debug)]
pub enum HealthReport<'a> {
    /// The settings do not ask for it.
    NotRequested,
    /// There is none, and why.
    Unavailable(String),
    /// By server id, whether LiteLLM could not reach it.
    Available(HashMap<Cow<'a, str>, bool>),
}

/// Whether LiteLLM reaches a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reachability {
    /// It does, or nothing is known that says otherwise.
    Reachable,
    /// It tried and failed.
    Unreachable,
    /// LiteLLM gave no answer, and why.
    Unknown(String),
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    server_id: Cow<'a, str>,
    #[serde(borrow, default)]
    status: Cow<'a, str>,
}

impl<'a> HealthReport<'a> {
    /// Reads the answer to [`HEALTH_PATH`].
    pub fn read(observed: Option<&'a Observed>) -> Self {
        let why = match observed {
            Some(Observed::Http(answer)) if answer.status == 200 => {
                match serde_json::from_str::<Vec<Entry<'_>>>(&answer.body) {
                    Ok(entries) => {
                        return Self::Available(
                            entries.into_iter().map(Entry::into_unhealthy).collect(),
                        );
                    }
                    Err(error) => {
                        format!("the answer to GET {HEALTH_PATH} cannot be read ({error})")
                    }
                }
            }
            // The body is not repeated: it may describe the key.
            Some(Observed::Http(answer)) => {
                format!("GET {HEALTH_PATH} is answered with HTTP {}", answer.status)
            }
            Some(Observed::Unavailable(why)) => why.clone(),
            _ => "it was not asked".into(),
        };
        Self::Unavailable(why)
    }

    /// Whether a server is reached.
    pub fn reachability(&self, server_id: &str) -> Reachability {
        match self {
            Self::NotRequested => Reachability::Reachable,
            Self::Unavailable(why) => {
                Reachability::Unknown(format!("LiteLLM does not say what it can reach: {why}"))
            }
            Self::Available(entries) => match entries.get(server_id) {
                Some(false) => Reachability::Reachable,
                Some(true) => Reachability::Unreachable,
                None => Reachability::Unknown("LiteLLM has not tried to reach it yet".into()),
            },
        }
    }
}

impl<'a> Entry<'a> {
    /// The id, and whether it is unhealthy. LiteLLM reports `unknown` where it cannot connect itself, for example because
    /// the server needs the credential of a user; that does not make a server unreachable.
    fn into_unhealthy(self) -> (Cow<'a, str>, bool) {
        (self.server_id, self.status == "unhealthy")
    }
}

#[cfg(test)]
mod tests {
    use mcp_plugin_sdk::HttpResponse;
    use serde_json::{Value, json};

    use super::*;

    fn answer(status: u16, body: &Value) -> Observed {
        Observed::Http(HttpResponse {
            status,
            headers: Vec::new(),
            body: body.to_string(),
        })
    }

    #[test]
    fn what_was_tried_is_known() {
        let answer = answer(
            200,
            &json!([
                { "server_id": "up", "status": "healthy" },
                { "server_id": "down", "status": "unhealthy" },
                { "server_id": "per-user", "status": "unknown" },
            ]),
        );
        let health = HealthReport::read(Some(&answer));
        assert_eq!(health.reachability("up"), Reachability::Reachable);
        assert_eq!(health.reachability("down"), Reachability::Unreachable);
        assert_eq!(health.reachability("per-user"), Reachability::Reachable);
        assert!(matches!(
            health.reachability("new"),
            Reachability::Unknown(_)
        ));
        assert_eq!(
            HealthReport::NotRequested.reachability("new"),
            Reachability::Reachable
        );
    }

    #[test]
    fn no_answer_is_not_healthy() {
        for observed in [
            None,
            Some(Observed::Unavailable("connection refused".into())),
            Some(answer(503, &json!({}))),
            Some(answer(200, &json!({ "status": "ok" }))),
        ] {
            let health = HealthReport::read(observed.as_ref());
            assert!(
                matches!(health.reachability("up"), Reachability::Unknown(_)),
                "{observed:?}"
            );
        }
    }
}
