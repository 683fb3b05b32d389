//! What LiteLLM knows, or why it cannot be asked.

use litellm_identity::{HEALTH, Health, Listed, SERVERS, listed};
use mcp_plugin_sdk::{
    HttpResponse, Observed, Read, ReadSource, Registration, RegistrationState, Registry, Server,
};
use serde_json::Value;

use crate::api::get;
use crate::budget::Turn;
use crate::settings::Settings;

const LIST: &str = "list";
const DATABASE: &str = "database";
const HEALTHY: &str = "health";
/// Asking for one entry needs the database, listing does not. No server can have this name: it has hyphens.
const NOBODY: &str = "/v1/mcp/server/mcp-operator-asks-for-nobody";
/// What LiteLLM answers then.
const NO_DATABASE: &str = "Database not connected";
/// Characters of an answer that are repeated in a condition.
const EXCERPT: usize = 200;

/// The list, and whether there is a database to change it in.
pub(crate) fn observe(settings: &Settings) -> Vec<Read> {
    let always = [(LIST, SERVERS), (DATABASE, NOBODY)].into_iter();
    let wanted = always.chain(settings.verify_health.then_some((HEALTHY, HEALTH)));
    let read = |(id, path): (&str, &str)| Read {
        id: id.into(),
        source: ReadSource::Http(get(settings, path)),
        written: id == LIST,
    };
    wanted.map(read).collect()
}

/// Why nothing can be registered now.
#[derive(Clone, Debug)]
pub(crate) struct Obstacle {
    state: RegistrationState,
    reason: &'static str,
    message: String,
}

impl Obstacle {
    /// Somebody has to change something.
    fn refused(reason: &'static str, message: String) -> Self {
        Self {
            state: RegistrationState::Refused,
            reason,
            message,
        }
    }

    /// It may pass.
    fn pending(reason: &'static str, message: String) -> Self {
        Self {
            state: RegistrationState::Pending,
            reason,
            message,
        }
    }

    /// For the condition of a server.
    pub(crate) fn registration(&self, server: &Server) -> Registration {
        Registration {
            server: server.key(),
            registered_name: String::new(),
            state: self.state,
            reason: self.reason.into(),
            message: self.message.clone(),
        }
    }
}

/// Everything that LiteLLM lists, and where this pass begins.
pub(crate) fn read<'a>(
    settings: &Settings,
    registry: &'a Registry,
) -> Result<(Vec<Listed<'a>>, Turn), Obstacle> {
    let response = match registry.observed(LIST) {
        Some(Observed::Http(response)) => response,
        Some(Observed::Unavailable(why)) => {
            let message = format!("LiteLLM cannot be asked: {why}");
            return Err(Obstacle::pending("LiteLLMUnavailable", message));
        }
        _ => {
            let message = "LiteLLM was not asked".into();
            return Err(Obstacle::pending("LiteLLMUnavailable", message));
        }
    };
    check_status(settings, response)?;
    check_database(registry)?;
    match listed(&response.body) {
        Ok(listed) => Ok((listed, Turn::of(response))),
        Err(error) => {
            let message = format!(
                "LiteLLM cannot be asked: {error}: check baseUrl of the connection {}",
                settings.connection
            );
            Err(Obstacle::pending("UnreadableAnswer", message))
        }
    }
}

/// What LiteLLM can reach, if somebody wants to know.
pub(crate) fn health<'a>(settings: &Settings, registry: &'a Registry) -> Health<'a> {
    if settings.verify_health {
        Health::read(registry.observed(HEALTHY))
    } else {
        Health::NotAsked
    }
}

fn check_status(settings: &Settings, response: &HttpResponse) -> Result<(), Obstacle> {
    let connection = &settings.connection;
    let status = response.status;
    Err(match status {
        200 => return Ok(()),
        // LiteLLM's own words are not repeated: they tell about the key.
        401 | 403 => Obstacle::refused(
            "AccessDenied",
            format!(
                "LiteLLM refuses the credential of the connection {connection} (HTTP {status}): use a key of a user with the role proxy_admin"
            ),
        ),
        404 => Obstacle::refused(
            "NoAdminApi",
            format!(
                "There is no {SERVERS} (HTTP 404): check that baseUrl of the connection {connection} is that of a LiteLLM proxy"
            ),
        ),
        _ => Obstacle::pending(
            "LiteLLMUnavailable",
            format!("LiteLLM answers HTTP {status}: {}", detail(&response.body)),
        ),
    })
}

fn check_database(registry: &Registry) -> Result<(), Obstacle> {
    match registry.observed(DATABASE) {
        Some(Observed::Http(response)) if response.body.contains(NO_DATABASE) => {
            let message = "LiteLLM has no database, so its admin API keeps no MCP servers: connect one, or use the plugin litellm-configmap";
            Err(Obstacle::refused("NoDatabase", message.into()))
        }
        _ => Ok(()),
    }
}

/// The sentence in an error that LiteLLM answers, in any of its forms.
fn detail(body: &str) -> String {
    let parsed: Value = serde_json::from_str(body).unwrap_or_default();
    ["/detail/error", "/detail", "/error/message"]
        .into_iter()
        .find_map(|place| parsed.pointer(place)?.as_str())
        .unwrap_or(body)
        .chars()
        .take(EXCERPT)
        .collect()
}
