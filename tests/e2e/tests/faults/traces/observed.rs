//! An operator of which everything is known: log, audit log and traces.

use std::fs;

use anyhow::{Context, Result};
use mcp_cluster::{Cache, Collector, Span};
use mcp_e2e::{LiteLlm, Operator, OwnCluster, eventually};
use serde_json::{Value, json};

use crate::world::{RECOVERY, World};

/// The operator's namespace.
pub(super) const HOME: &str = "mcp-operator-system";
/// The ConfigMap there that says what is logged.
pub(super) const LOGGING: &str = "mcp-operator-logging";

/// What somebody gives away by mistake, or has to: none of it may be read anywhere else.
pub(super) const IN_ENV: &str = "hidden-in-env-4711";
pub(super) const IN_CONFIG: &str = "hidden-in-config-4711";
pub(super) const IN_SECRET: &str = "hidden-in-secret-4711";
pub(super) const IN_KEY: &str = "hidden-in-key-4711";
pub(super) const IN_HEADER: &str = "hidden-in-header-4711";

/// An operator that logs everything that may be asked for, and exports everything, and what it works with.
pub(super) struct Observed {
    pub(super) world: World,
    pub(super) collector: Collector,
    pub(super) operator: Operator,
    _litellm: LiteLlm,
}

impl Observed {
    /// Starts all of it.
    pub(super) fn start(name: &str) -> Result<Self> {
        let world = World::start(name)?;
        let environment = &world.own.environment;
        let collector = Collector::start(&Cache::open()?, &environment.logs.join(name))?;
        let litellm = register_with(&world)?;
        let headers = format!("authorization=Bearer%20{IN_HEADER}");
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()),
            ("OTEL_EXPORTER_OTLP_HEADERS", headers),
            ("OTEL_BSP_SCHEDULE_DELAY", "200".to_owned()),
            ("RUST_LOG", "debug".to_owned()),
        ];
        let variables = variables
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let operator = Operator::start_told(environment, name, &["--log-json"], &variables)?;
        Ok(Self {
            world,
            collector,
            operator,
            _litellm: litellm,
        })
    }

    /// Waits for a span.
    pub(super) fn span(&self, what: &str, is_it: impl Fn(&Span) -> bool) -> Result<Span> {
        eventually(what, RECOVERY, || {
            let spans = self.collector.spans()?;
            spans
                .into_iter()
                .find(|span| is_it(span))
                .context("no such span")
        })
    }

    /// Waits for a span of this name that is a part of another one.
    pub(super) fn below(
        &self,
        parent: &Span,
        name: &str,
        attributes: &[(&str, &str)],
    ) -> Result<Span> {
        let what = format!("{name} {attributes:?} below {}", parent.name);
        self.span(&what, |span| {
            let mut wanted = attributes.iter();
            span.trace == parent.trace
                && span.parent == parent.id
                && span.name == name
                && wanted.all(|(name, value)| span.attribute(name) == *value)
        })
    }

    /// The log until now.
    pub(super) fn log(&self) -> Result<String> {
        fs::read_to_string(self.operator.log()).context("no log")
    }

    /// Waits for a line of the log, after what was there before.
    pub(super) fn line(&self, after: usize, is_it: impl Fn(&Value) -> bool) -> Result<Value> {
        eventually("a line of the log", RECOVERY, || {
            let log = self.log()?;
            let lines = log[after..].lines().map(serde_json::from_str);
            let mut lines = lines.filter_map(Result::ok);
            lines.find(|line| is_it(line)).context("no such line")
        })
    }

    /// A server with something to hide.
    pub(super) fn server(name: &str, tag: &str) -> Value {
        let reference = json!({ "name": "token", "key": "token" });
        json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": name, "namespace": OwnCluster::NAMESPACE, "annotations": { "note": IN_CONFIG } },
            "spec": {
                "image": { "repository": "docker.io/local/mcp-weather", "tag": tag },
                "resources": { "limits": { "cpu": "500m", "memory": "64Mi" } },
                "config": { "password": IN_CONFIG },
                "env": [
                    { "name": "TOKEN", "value": IN_ENV },
                    { "name": "OTHER", "valueFrom": { "secretKeyRef": reference } },
                ],
            },
        })
    }

    /// What `kubectl apply` says of a server that is refused.
    pub(super) fn refusal(&self, name: &str) -> Result<String> {
        let denied = Self::server(name, "latest").to_string();
        let refused = self.world.kubectl().apply(&denied);
        let refused = refused.err().context("it was accepted")?;
        Ok(format!("{refused:#}"))
    }

    /// Has this logged from now on.
    pub(super) fn filter(&self, filter: &str) -> Result<()> {
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": LOGGING, "namespace": HOME },
            "data": { "filter": filter },
        });
        self.world.kubectl().apply(&map.to_string()).map(drop)
    }
}

/// Has servers registered by a stand-in for LiteLLM, over a connection with a key.
fn register_with(world: &World) -> Result<LiteLlm> {
    let litellm = LiteLlm::start()?;
    let secret = |namespace: &str, name: &str, value: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name, "namespace": namespace },
            "stringData": { "token": value },
        })
    };
    let registrar = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": "api" },
        "spec": {
            "source": { "builtin": "litellm-admin-api" }, "priority": 10,
            "connections": [{
                "name": "litellm", "baseUrl": litellm.url(),
                "auth": { "secretKeyRef": { "name": "key", "key": "token" } },
            }],
        },
    });
    for object in [
        secret(HOME, "key", IN_KEY),
        secret(OwnCluster::NAMESPACE, "token", IN_SECRET),
        registrar,
    ] {
        world.kubectl().apply(&object.to_string())?;
    }
    let delete = ["delete", "mcpplugin", "litellm-configmap"];
    world.kubectl().run(&delete)?;
    Ok(litellm)
}
