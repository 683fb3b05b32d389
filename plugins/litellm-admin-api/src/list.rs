//! Reads LiteLLM's list and its errors.

use litellm_identity::{HEALTH_PATH, HealthReport, ListedServer, SERVERS_PATH, parse_server_list};
use mcp_plugin_sdk::{
    HttpResponse, Observed, Read, ReadSource, Registration, RegistrationState, Registry, Server,
};
use serde_json::Value;

use crate::api::get;
use crate::budget::Rotation;
use crate::settings::Settings;

const LIST: &str = "list";
const DATABASE: &str = "database";
const HEALTHY: &str = "health";
/// Reading one entry needs the database, listing does not. No server has this name, because names have no hyphens.
const DATABASE_PROBE_PATH: &str = "/v1/mcp/server/mcp-operator-asks-for-nobody";
/// Part of LiteLLM's answer if it has no database.
const NO_DATABASE: &str = "Database not connected";
/// Characters of an error that a condition repeats.
const MAX_DETAIL_CHARS: usize = 200;

/// Reads the list, and whether there is a database.
pub(crate) fn observe(settings: &Settings) -> Vec<Read> {
    let always = [(LIST, SERVERS_PATH), (DATABASE, DATABASE_PROBE_PATH)].into_iter();
    let wanted = always.chain(settings.verify_health.then_some((HEALTHY, HEALTH_PATH)));
    let read = |(id, path): (&str, &str)| Read {
        id: id.into(),
        source: ReadSource::Http(get(settings, path)),
        written: id == LIST,
    };
    wanted.map(read).collect()
}

/// Why no server can be registered now.
#[derive(Clone, Debug)]
pub(crate) struct ListError {
    state: RegistrationState,
    reason: &'static str,
    message: String,
}

impl ListError {
    /// It stays until a user changes something.
    fn refused(reason: &'static str, message: String) -> Self {
        Self {
            state: RegistrationState::Refused,
            reason,
            message,
        }
    }

    /// It may go away by itself.
    fn pending(reason: &'static str, message: String) -> Self {
        Self {
            state: RegistrationState::Pending,
            reason,
            message,
        }
    }

    /// The state to report for a server.
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

/// All entries that LiteLLM lists, and where this plan starts.
pub(crate) fn read<'a>(
    settings: &Settings,
    registry: &'a Registry,
) -> Result<(Vec<ListedServer<'a>>, Rotation), ListError> {
    let response = match registry.observed(LIST) {
        Some(Observed::Http(response)) => response,
        Some(Observed::Unavailable(why)) => {
            let message = format!("LiteLLM cannot be asked: {why}");
            return Err(ListError::pending("LiteLLMUnavailable", message));
        }
        _ => {
            let message = "LiteLLM was not asked".into();
            return Err(ListError::pending("LiteLLMUnavailable", message));
        }
    };
    check_status(settings, response)?;
    check_database(registry)?;
    match parse_server_list(&response.body) {
        Ok(listed) => Ok((listed, Rotation::from_date(response))),
        Err(error) => {
            let message = format!(
                "LiteLLM cannot be asked: {error}: check baseUrl of the connection {}",
                settings.connection
            );
            Err(ListError::pending("UnreadableAnswer", message))
        }
    }
}

/// Where the plan starts, if LiteLLM answers and only its list cannot be read: it may be too large.
pub(crate) fn answers_without_list(registry: &Registry) -> Option<Rotation> {
    match (registry.observed(LIST), registry.observed(DATABASE)) {
        (Some(Observed::Unavailable(_)), Some(Observed::Http(response))) => {
            Some(Rotation::from_date(response))
        }
        _ => None,
    }
}

/// The health report, if the settings ask for it.
pub(crate) fn health<'a>(settings: &Settings, registry: &'a Registry) -> HealthReport<'a> {
    if settings.verify_health {
        HealthReport::read(registry.observed(HEALTHY))
    } else {
        HealthReport::NotRequested
    }
}

fn check_status(settings: &Settings, response: &HttpResponse) -> Result<(), ListError> {
    let connection = &settings.connection;
    let status = response.status;
    Err(match status {
        200 => return Ok(()),
        // The body is not repeated: it may describe the key.
        401 | 403 => ListError::refused(
            "AccessDenied",
            format!(
                "LiteLLM refuses the credential of the connection {connection} (HTTP {status}): use a key of a user with the role proxy_admin"
            ),
        ),
        404 => ListError::refused(
            "NoAdminApi",
            format!(
                "There is no {SERVERS_PATH} (HTTP 404): check that baseUrl of the connection {connection} is that of a LiteLLM proxy"
            ),
        ),
        _ => ListError::pending(
            "LiteLLMUnavailable",
            format!("LiteLLM answers HTTP {status}: {}", detail(&response.body)),
        ),
    })
}

fn check_database(registry: &Registry) -> Result<(), ListError> {
    match registry.observed(DATABASE) {
        Some(Observed::Http(response)) if response.body.contains(NO_DATABASE) => {
            let message = "LiteLLM has no database, so its admin API keeps no MCP servers: connect one, or use the plugin litellm-configmap";
            Err(ListError::refused("NoDatabase", message.into()))
        }
        _ => Ok(()),
    }
}

/// The message in an error of LiteLLM, which has several forms.
fn detail(body: &str) -> String {
    let parsed: Value = serde_json::from_str(body).unwrap_or_default();
    ["/detail/error", "/detail", "/error/message"]
        .into_iter()
        .find_map(|place| parsed.pointer(place)?.as_str())
        .unwrap_or(body)
        .chars()
        .take(MAX_DETAIL_CHARS)
        .collect()
}
