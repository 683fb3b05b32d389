//! Whether LiteLLM reaches its MCP servers: `GET /v1/mcp/server/health`.

use std::borrow::Cow;
use std::collections::HashMap;

use mcp_plugin_sdk::Observed;
use serde::Deserialize;

/// Path of their health. LiteLLM tries all of them for the answer.
pub const HEALTH: &str = "/v1/mcp/server/health";

/// What LiteLLM says about the health of its servers.
#[derive(Clone, Debug)]
pub enum Health<'a> {
    /// Nobody wants to know.
    NotAsked,
    /// It did not say: why.
    Unknown(String),
    /// By id, whether it could not be reached.
    Known(HashMap<Cow<'a, str>, bool>),
}

/// Whether LiteLLM reaches one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// As far as anybody knows.
    Reached,
    /// It tried, and could not.
    Unreachable,
    /// It did not say: why.
    Unknown(String),
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    server_id: Cow<'a, str>,
    #[serde(borrow, default)]
    status: Cow<'a, str>,
}

impl<'a> Health<'a> {
    /// From the answer to [`HEALTH`].
    pub fn read(observed: Option<&'a Observed>) -> Self {
        let why = match observed {
            Some(Observed::Http(answer)) if answer.status == 200 => {
                match serde_json::from_str::<Vec<Entry<'_>>>(&answer.body) {
                    Ok(entries) => {
                        return Self::Known(entries.into_iter().map(Entry::verdict).collect());
                    }
                    Err(error) => format!("the answer to GET {HEALTH} cannot be read ({error})"),
                }
            }
            // Its own words tell about the key.
            Some(Observed::Http(answer)) => {
                format!("GET {HEALTH} is answered with HTTP {}", answer.status)
            }
            Some(Observed::Unavailable(why)) => why.clone(),
            _ => "it was not asked".into(),
        };
        Self::Unknown(why)
    }

    /// Whether a server is reached.
    pub fn of(&self, server_id: &str) -> Reach {
        match self {
            Self::NotAsked => Reach::Reached,
            Self::Unknown(why) => {
                Reach::Unknown(format!("LiteLLM does not say what it can reach: {why}"))
            }
            Self::Known(entries) => match entries.get(server_id) {
                Some(false) => Reach::Reached,
                Some(true) => Reach::Unreachable,
                None => Reach::Unknown("LiteLLM has not tried to reach it yet".into()),
            },
        }
    }
}

impl<'a> Entry<'a> {
    /// `unknown` is what LiteLLM cannot try, for example since it needs the credential of a user: that is no reason to
    /// call it unreachable.
    fn verdict(self) -> (Cow<'a, str>, bool) {
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
        let health = Health::read(Some(&answer));
        assert_eq!(health.of("up"), Reach::Reached);
        assert_eq!(health.of("down"), Reach::Unreachable);
        assert_eq!(health.of("per-user"), Reach::Reached);
        assert!(matches!(health.of("new"), Reach::Unknown(_)));
        assert_eq!(Health::NotAsked.of("new"), Reach::Reached);
    }

    #[test]
    fn no_answer_is_not_healthy() {
        for observed in [
            None,
            Some(Observed::Unavailable("connection refused".into())),
            Some(answer(503, &json!({}))),
            Some(answer(200, &json!({ "status": "ok" }))),
        ] {
            let health = Health::read(observed.as_ref());
            assert!(matches!(health.of("up"), Reach::Unknown(_)), "{observed:?}");
        }
    }
}
