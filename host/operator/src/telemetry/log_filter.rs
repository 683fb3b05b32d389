//! What is logged, and that it can be changed while the operator runs.

use std::sync::{Arc, Mutex, PoisonError};

use kube::Client;
use mcp_operator_api::names::installation::{LOG_FILTER, LOGGING};
use mcp_operator_runtime::follow_config_map_key;
use tracing::level_filters::LevelFilter;
use tracing::warn;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// Where nobody says anything else.
const DEFAULT: &str = "info";
/// What crates of others log below this may hold what is on its way, such as the header with the operator's own token.
/// Whoever starts the program may ask for that, and nobody who only writes a ConfigMap.
const LOWEST: LevelFilter = LevelFilter::DEBUG;
/// More than anybody writes by hand.
const MAX_BYTES: usize = 1024;

/// Decides what is logged. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct LogFilter(Arc<State>);

struct State {
    handle: reload::Handle<EnvFilter, Registry>,
    /// As the program was started.
    start: String,
    /// As it was said last; nothing: as it was started.
    said: Mutex<Option<String>>,
}

impl LogFilter {
    /// By `RUST_LOG`, or at level `info`. The first of both is for the subscriber.
    pub(super) fn from_environment() -> (reload::Layer<EnvFilter, Registry>, Self) {
        let asked = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
        let is_usable = !asked.is_empty() && EnvFilter::try_new(&asked).is_ok();
        Self::new(if is_usable { &asked } else { DEFAULT })
    }

    fn new(start: &str) -> (reload::Layer<EnvFilter, Registry>, Self) {
        let (layer, handle) = reload::Layer::new(EnvFilter::new(start));
        let state = State {
            handle,
            start: start.to_owned(),
            said: Mutex::default(),
        };
        (layer, Self(Arc::new(state)))
    }

    /// Follows the ConfigMap of the operator's namespace. Never ends.
    pub(crate) async fn follow(self, client: Client, namespace: String) {
        let name = format!("{namespace}/{LOGGING}");
        follow_config_map_key(client, &namespace, LOGGING, LOG_FILTER, |value| {
            self.set(value, &name);
        })
        .await;
    }

    /// Logs by this from now on; nothing: as the program was started. What cannot be understood changes nothing, and is told
    /// once.
    fn set(&self, value: Option<&str>, config_map: &str) {
        let State {
            handle,
            start,
            said,
        } = &*self.0;
        let value = value.map(str::trim).filter(|value| !value.is_empty());
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.as_deref() == value {
            return;
        }
        *said = value.map(str::to_owned);
        let read = value.map_or_else(|| Ok(EnvFilter::new(start)), parse);
        match read {
            Ok(filter) => {
                // Somebody may ask for errors only: a change is worth a line at any level that shows warnings.
                warn!(
                    config_map,
                    filter = value.unwrap_or(start),
                    "what is logged changes"
                );
                // Fails only where there is no subscriber any more.
                let _ = handle.reload(filter);
            }
            Err(error) => warn!(
                config_map,
                key = LOG_FILTER,
                error,
                "what is logged stays as it is"
            ),
        }
    }
}

/// Reads what a ConfigMap says. Unlike `RUST_LOG`, a word that is no level is a mistake: it would be a target of which everything
/// is logged.
fn parse(text: &str) -> Result<EnvFilter, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    let mut directives = Vec::new();
    for directive in text.split(',').map(str::trim) {
        let (target, level) = directive.rsplit_once('=').unwrap_or(("", directive));
        let is_target = |c: char| c.is_ascii_alphanumeric() || "_:-".contains(c);
        let (false, Ok(level)) = (level.is_empty(), level.trim().parse::<LevelFilter>()) else {
            return Err(format!(
                "`{directive}` has no level: write one of off, error, warn, info, debug, alone or as `target=level`, separated by commas, such as `info,mcp_operator=debug`"
            ));
        };
        let target = target.trim();
        if !target.chars().all(is_target) {
            return Err(format!(
                "`{target}` is no target: write the path of a module, such as `mcp_operator_controller`"
            ));
        }
        if level > LOWEST {
            return Err(format!(
                "`{directive}` asks for more than {LOWEST}, which may hold credentials: RUST_LOG in the environment of the operator can"
            ));
        }
        directives.push(if target.is_empty() {
            level.to_string()
        } else {
            format!("{target}={level}")
        });
    }
    EnvFilter::builder()
        .with_regex(false)
        .parse(directives.join(","))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io;

    use tracing::{Level, enabled};
    use tracing_subscriber::fmt;
    use tracing_subscriber::layer::{Layer, SubscriberExt};

    use super::*;

    #[test]
    fn a_filter_is_levels_and_targets_with_levels() {
        for text in [
            "debug",
            "WARN",
            "off",
            "info,mcp_operator=debug",
            "info, mcp_operator_controller::apply = debug",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
        for (text, said) in [
            ("inof", "`inof` has no level"),
            ("", "`` has no level"),
            ("info,", "`` has no level"),
            ("mcp_operator=loud", "`mcp_operator=loud` has no level"),
            ("mcp_operator=", "`mcp_operator=` has no level"),
            ("[span{name=.*}]=debug", "is no target"),
            ("trace", "asks for more than debug"),
            ("info,h2=trace", "`h2=trace` asks for more than debug"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
        assert!(parse(&"a".repeat(MAX_BYTES + 1)).is_err());
    }

    #[test]
    fn what_is_logged_changes_while_it_runs_and_a_mistake_changes_nothing() {
        let (layer, filter) = LogFilter::new("info");
        let lines = fmt::layer().with_writer(io::sink).with_filter(layer);
        let subscriber = tracing_subscriber::registry().with(lines);
        tracing::subscriber::with_default(subscriber, || {
            let shows_debug = || enabled!(target: "mcp_operator", Level::DEBUG);
            let shows_info = || enabled!(target: "mcp_operator", Level::INFO);
            assert!(!shows_debug() && shows_info());
            filter.set(Some("warn,mcp_operator=debug\n"), "home/logging");
            assert!(shows_debug());
            filter.set(Some("verbose"), "home/logging");
            assert!(shows_debug());
            filter.set(Some("error"), "home/logging");
            assert!(!shows_info());
            filter.set(None, "home/logging");
            assert!(!shows_debug() && shows_info());
        });
    }
}
