//! How the kubelet finds out whether a server has started, is alive and can take requests.
//!
//! Stock MCP servers answer neither `/health` nor `/ready`, and those that protect themselves against DNS rebinding answer
//! 421 to the pod's address: a probe that states nothing only opens a connection, which every server takes that listens,
//! and none that does not. Who states a path or a header is asked by HTTP. There is no probe that speaks MCP: the kubelet
//! sends GET only, which MCP does not answer with success.

use serde::{Deserialize, Serialize};

/// How the kubelet finds out whether a server has started, is alive and can take requests. A probe that states neither
/// `path` nor `headers` opens a TCP connection: every server passes that listens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HealthProbes {
    /// Has the server started? Until then the other two wait, and after `failureThreshold` times `periodSeconds` its
    /// container is restarted. Default: asks what `liveness` asks, every 2 seconds, 60 times.
    #[serde(default)]
    pub startup: Probe,

    /// Is the server alive? If not, its container is restarted.
    #[serde(default)]
    pub liveness: Probe,

    /// Can the server take requests? If not, it gets none.
    #[serde(default)]
    pub readiness: Probe,
}

/// A probe. What is left out takes the default of the probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(kube::KubeSchema))]
#[cfg_attr(
    feature = "crd",
    x_kube(validation = kube::core::Rule::new("!(has(self.path) || has(self.headers)) || !has(self.type) || self.type == 'HTTP'")
        .message("path and headers are what a probe of type HTTP asks: remove them (`null` in a patch), or the type")
        .field_path(".type"))
)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// `HTTP`: `path` is answered with a status from 200 to 399; `TCP`: the port takes a connection; `None`: there is no
    /// such probe. Default: `HTTP` where `path` or `headers` are stated, and `TCP` otherwise.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub probe_type: Option<ProbeType>,

    /// Path that is asked by HTTP. Default, for a probe of type `HTTP`: `/ready` for `readiness`, `/health` for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(max = 256)))]
    pub path: Option<String>,

    /// Port that is asked. Default: `spec.port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 65535)))]
    pub port: Option<i32>,

    /// Headers that are sent by HTTP. A server that answers 421 to names that it does not know wants
    /// `[{name: Host, value: localhost}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "crd", schemars(length(max = 16)))]
    pub headers: Vec<ProbeHeader>,

    /// Seconds from the start of the container to the first probe. Default: 10 for `liveness`, 5 for `readiness`, 0 for
    /// `startup`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 0, max = 3600)))]
    pub initial_delay_seconds: Option<i32>,

    /// Seconds between probes. Default: 10 for `liveness`, 5 for `readiness`, 2 for `startup`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 3600)))]
    pub period_seconds: Option<i32>,

    /// Seconds after which a probe has failed. Default: 1, Kubernetes' own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 3600)))]
    pub timeout_seconds: Option<i32>,

    /// Failures in a row that count as one. Default: 60 for `startup`, and otherwise 3, Kubernetes' own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 1000)))]
    pub failure_threshold: Option<i32>,
}

/// How a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub enum ProbeType {
    /// A request is answered with success.
    #[serde(rename = "HTTP")]
    Http,
    /// A connection is taken.
    #[serde(rename = "TCP")]
    Tcp,
    /// Not at all.
    None,
}

/// A header of a probe by HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub struct ProbeHeader {
    /// Name, for example `Host`.
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 256), regex(pattern = "^[A-Za-z0-9-]+$"))
    )]
    pub name: String,
    /// Value, for example `localhost`.
    #[cfg_attr(feature = "crd", schemars(length(max = 1024)))]
    pub value: String,
}

/// What a probe asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeAction {
    /// A request by HTTP.
    Http {
        /// Path of the request.
        path: String,
        /// Its headers.
        headers: Vec<ProbeHeader>,
    },
    /// A connection.
    Tcp,
}

impl HealthProbes {
    /// The startup probe with what the user left out filled in: it asks what the liveness probe asks, unless it says itself.
    pub fn effective_startup(&self) -> Option<Probe> {
        let asks = if self.startup.says_what() {
            self.startup.clone()
        } else {
            Probe {
                probe_type: self.liveness.probe_type,
                path: self.liveness.path.clone(),
                headers: self.liveness.headers.clone(),
                port: self.startup.port.or(self.liveness.port),
                ..self.startup.clone()
            }
        };
        asks.completed((0, 2, Some(60)))
    }

    /// The liveness probe with what the user left out filled in.
    pub fn effective_liveness(&self) -> Option<Probe> {
        self.liveness.completed((10, 10, None))
    }

    /// The readiness probe with what the user left out filled in.
    pub fn effective_readiness(&self) -> Option<Probe> {
        self.readiness.completed((5, 5, None))
    }
}

impl Probe {
    /// What the probe asks; nothing where there is none. `path` is the one where none is stated.
    pub fn action(&self, path: &str) -> Option<ProbeAction> {
        match self.probe_type {
            Some(ProbeType::None) => None,
            Some(ProbeType::Http) => Some(self.http(path)),
            None if self.says_what() => Some(self.http(path)),
            Some(ProbeType::Tcp) | None => Some(ProbeAction::Tcp),
        }
    }

    /// Whether it states how or what it asks, by another member than the port.
    pub fn says_what(&self) -> bool {
        self.probe_type.is_some() || self.path.is_some() || !self.headers.is_empty()
    }

    fn http(&self, path: &str) -> ProbeAction {
        ProbeAction::Http {
            path: self.path.clone().unwrap_or_else(|| path.to_owned()),
            headers: self.headers.clone(),
        }
    }

    /// With the default delay, period and threshold; nothing where there is none.
    fn completed(&self, (delay, period, threshold): (i32, i32, Option<i32>)) -> Option<Self> {
        (self.probe_type != Some(ProbeType::None)).then(|| Self {
            initial_delay_seconds: self.initial_delay_seconds.or(Some(delay)),
            period_seconds: self.period_seconds.or(Some(period)),
            failure_threshold: self.failure_threshold.or(threshold),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn probes(given: Value) -> HealthProbes {
        serde_json::from_value(given).unwrap()
    }

    fn http(path: &str) -> ProbeAction {
        let (path, headers) = (path.to_owned(), Vec::new());
        ProbeAction::Http { path, headers }
    }

    #[test]
    fn who_states_nothing_is_asked_for_a_connection_and_who_states_a_path_by_http() {
        for (given, asked) in [
            (json!({}), Some(ProbeAction::Tcp)),
            (json!({ "initialDelaySeconds": 3 }), Some(ProbeAction::Tcp)),
            (json!({ "type": "TCP", "port": 9 }), Some(ProbeAction::Tcp)),
            (json!({ "type": "None" }), None),
            (json!({ "path": "/up" }), Some(http("/up"))),
            (json!({ "type": "HTTP" }), Some(http("/default"))),
        ] {
            let probe: Probe = serde_json::from_value(given.clone()).unwrap();
            assert_eq!(probe.action("/default"), asked, "{given}");
        }
        let headers: Probe = serde_json::from_value(
            json!({ "headers": [{ "name": "Host", "value": "localhost" }] }),
        )
        .unwrap();
        assert!(matches!(
            headers.action("/default"),
            Some(ProbeAction::Http { .. })
        ));
    }

    #[test]
    fn a_probe_with_only_a_path_keeps_the_other_defaults() {
        let probes =
            probes(json!({ "readiness": { "path": "/up" }, "liveness": { "type": "None" } }));
        let readiness = probes.effective_readiness().unwrap();
        assert_eq!(readiness.path.as_deref(), Some("/up"));
        assert_eq!(
            (readiness.initial_delay_seconds, readiness.period_seconds),
            (Some(5), Some(5))
        );
        assert_eq!(probes.effective_liveness(), None);
        assert_eq!(
            probes.effective_startup(),
            None,
            "it asks what liveness asks"
        );
    }

    #[test]
    fn a_start_may_take_two_minutes_and_is_seen_as_liveness_sees_it() {
        let startup = |given| probes(given).effective_startup().unwrap();
        let default = startup(json!({ "liveness": { "path": "/live", "port": 9 } }));
        assert_eq!(
            (default.path.as_deref(), default.port),
            (Some("/live"), Some(9))
        );
        let seconds = default.period_seconds.unwrap() * default.failure_threshold.unwrap();
        assert_eq!(seconds, 120);
        let own = startup(
            json!({ "startup": { "type": "TCP", "failureThreshold": 300 }, "liveness": { "path": "/live" } }),
        );
        assert_eq!((own.path, own.failure_threshold), (None, Some(300)));
    }
}
