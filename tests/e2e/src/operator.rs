//! An operator that runs beside its cluster, as a process of this machine and with the account that it has in a cluster.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use mcp_cluster::{CabledNetwork, Kubectl, Process, free_port};

use crate::account::{operator_kubeconfig, point_webhooks};
use crate::clock::Clock;
use crate::environment::Environment;
use crate::wait::eventually;

/// How long it may take to be ready; the first time it compiles its plugins.
const START: Duration = Duration::from_mins(2);

/// A test does not wait for what users want to be left alone by.
const IMPATIENT: [&str; 8] = [
    "--registry-debounce-milliseconds",
    "200",
    "--registry-arrival-seconds",
    "1",
    "--registry-grace-seconds",
    "5",
    "--registry-return-seconds",
    "1",
];

/// A running operator; it stops when this is dropped.
pub struct Operator {
    process: Process,
    webhook: SocketAddr,
    health: SocketAddr,
    metrics: SocketAddr,
}

impl Operator {
    /// Starts it and waits until it is ready and the API server calls its webhook.
    ///
    /// # Errors
    /// When it does not become ready, with the end of its log.
    pub fn start(environment: &Environment, name: &str) -> Result<Self> {
        Self::start_at(environment, name, environment.kubectl.kubeconfig())
    }

    /// The same, at the API server that this kubeconfig names.
    ///
    /// # Errors
    /// As [`Operator::start`].
    pub fn start_at(environment: &Environment, name: &str, kubeconfig: &Path) -> Result<Self> {
        Self::start_with(environment, name, kubeconfig, &IMPATIENT)
    }

    /// The same as [`Operator::start`], with a clock of its own.
    ///
    /// # Errors
    /// As [`Operator::start`].
    pub fn start_by(clock: &Clock, environment: &Environment, name: &str) -> Result<Self> {
        let kubeconfig = environment.kubectl.kubeconfig();
        Self::prepared(environment, name, kubeconfig, &IMPATIENT, |command| {
            clock.show(command);
        })
    }

    /// The same, with the patience that it has by itself.
    ///
    /// # Errors
    /// As [`Operator::start`].
    pub fn start_as_shipped(environment: &Environment, name: &str) -> Result<Self> {
        Self::start_with(environment, name, environment.kubectl.kubeconfig(), &[])
    }

    /// The same, with these options instead of a test's impatience.
    ///
    /// # Errors
    /// As [`Operator::start`].
    pub fn start_with(
        environment: &Environment,
        name: &str,
        kubeconfig: &Path,
        options: &[&str],
    ) -> Result<Self> {
        Self::prepared(environment, name, kubeconfig, options, |_| {})
    }

    /// The same as [`Operator::start`], with these options and this environment besides.
    ///
    /// # Errors
    /// As [`Operator::start`].
    pub fn start_told(
        environment: &Environment,
        name: &str,
        options: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let kubeconfig = environment.kubectl.kubeconfig();
        let options = [&IMPATIENT, options].concat();
        Self::prepared(environment, name, kubeconfig, &options, |command| {
            command.envs(variables.iter().copied());
        })
    }

    /// Starts one of several replicas, and waits until it is ready. The webhook configurations are left alone: beside a cluster
    /// they name one replica only.
    ///
    /// # Errors
    /// When it does not become ready, with the end of its log.
    pub fn start_replica(environment: &Environment, name: &str, kubeconfig: &Path) -> Result<Self> {
        let replica = Self::start_replica_with(environment, name, kubeconfig, &[])?;
        eventually("the replica is ready", START, || {
            anyhow::ensure!(replica.is_ready(), "it is not");
            Ok(())
        })?;
        Ok(replica)
    }

    /// The same with these options besides, and it need not become ready.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_replica_with(
        environment: &Environment,
        name: &str,
        kubeconfig: &Path,
        options: &[&str],
    ) -> Result<Self> {
        let here = Place::of(environment)?;
        let options = [&IMPATIENT, options].concat();
        Self::launch(environment, name, kubeconfig, &here, &options, |command| {
            command.env("POD_NAME", name);
        })
    }

    /// One of several replicas behind the Service of the webhook, with the certificates that they share as in a cluster, and
    /// with a clock of its own. It need not become ready.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_behind_service(
        environment: &Environment,
        name: &str,
        kubeconfig: &Path,
        options: &[&str],
        clock: &Clock,
    ) -> Result<Self> {
        let place = Place {
            is_behind_service: true,
            ..Place::of(environment)?
        };
        let options = [&IMPATIENT, options].concat();
        Self::launch(environment, name, kubeconfig, &place, &options, |command| {
            command.env("POD_NAME", name);
            clock.show(command);
        })
    }

    /// The same as [`Operator::start_replica`], in a network of its own, from which this kubeconfig leads to the API server.
    ///
    /// # Errors
    /// As [`Operator::start_replica`].
    pub fn start_replica_within(
        network: &CabledNetwork,
        environment: &Environment,
        name: &str,
        kubeconfig: &Path,
    ) -> Result<Self> {
        let address = |port| SocketAddr::from((network.inside, port));
        let there = Place {
            webhook: address(9443),
            health: address(8081),
            metrics: address(8080),
            network: Some(network),
            is_behind_service: false,
        };
        Self::spawn(
            environment,
            name,
            kubeconfig,
            &there,
            &IMPATIENT,
            |command| {
                command.env("POD_NAME", name);
            },
        )
    }

    fn prepared(
        environment: &Environment,
        name: &str,
        kubeconfig: &Path,
        options: &[&str],
        more: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let here = Place::of(environment)?;
        let webhook = here.webhook;
        point_webhooks(&environment.kubectl, &webhook.to_string())?;
        let operator = Self::spawn(environment, name, kubeconfig, &here, options, more)?;
        let url = format!("{webhook}/");
        eventually(
            "the API server calls the webhook",
            Duration::from_mins(1),
            || {
                let kind = "mutatingwebhookconfigurations,validatingwebhookconfigurations";
                let found = environment.kubectl.run(&[
                    "get",
                    kind,
                    "--output",
                    "jsonpath={.items[*].webhooks[*].clientConfig.url}",
                ])?;
                let ours = found
                    .split_whitespace()
                    .filter(|found| found.contains(&url));
                anyhow::ensure!(ours.count() == 5, "{found}");
                is_called(&environment.kubectl)
            },
        )?;
        Ok(operator)
    }

    /// Starts it, and waits until it is ready.
    fn spawn(
        environment: &Environment,
        name: &str,
        kubeconfig: &Path,
        place: &Place<'_>,
        options: &[&str],
        more: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let mut operator = Self::launch(environment, name, kubeconfig, place, options, more)?;
        operator
            .process
            .wait(START, || is_ready(place.health))
            .context("the operator does not become ready")?;
        Ok(operator)
    }

    fn launch(
        environment: &Environment,
        name: &str,
        kubeconfig: &Path,
        place: &Place<'_>,
        options: &[&str],
        more: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let Place {
            webhook,
            health,
            metrics,
            network,
            is_behind_service,
        } = place;
        let kubeconfig = operator_kubeconfig(&environment.kubectl, kubeconfig, &environment.logs)?;
        let cache = environment.logs.join("components");
        let prepare = |command: &mut Command| {
            command
                .arg("run")
                .arg("--builtin-plugins")
                .arg(&environment.artifacts.plugins)
                .arg("--cache-dir")
                .arg(cache)
                .args(["--webhook-bind", &webhook.to_string()])
                .args(["--health-bind", &health.to_string()])
                .args(["--metrics-bind-address", &metrics.to_string()])
                // Tests change their servers more often than a team may; those that are about that say so by an option.
                .env("REGISTRY_ROLLOUT_INTERVAL_SECONDS", "0")
                .env("REGISTRY_ROLLOUT_PAUSE_SECONDS", "0")
                .args(options)
                .env("KUBECONFIG", kubeconfig);
            if !is_behind_service {
                command.args(["--webhook-address", &webhook.to_string()]);
            }
            more(command);
        };
        let log = environment.logs.join(format!("operator-{name}.log"));
        let program = &environment.artifacts.operator;
        let process = match network {
            Some(network) => Process::start_within(network, program, prepare, &log)?,
            None => Process::start(program, prepare, &log)?,
        };
        Ok(Self {
            process,
            webhook: *webhook,
            health: *health,
            metrics: *metrics,
        })
    }

    /// Sends it a signal: `STOP`, `CONT`, `TERM`.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let process = self.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &process])
            .status()?;
        anyhow::ensure!(sent.success(), "no process {process}");
        Ok(())
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.process.has_ended()
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Whether it says that it is ready.
    pub fn is_ready(&self) -> bool {
        is_ready(self.health)
    }

    /// Where its webhook is, as `address:port`.
    pub fn webhook_address(&self) -> String {
        self.webhook.to_string()
    }

    /// Where it says whether it is ready, as `address:port`.
    pub fn health_address(&self) -> String {
        self.health.to_string()
    }

    /// Where it says what it has counted, as `address:port`.
    pub fn metrics_address(&self) -> String {
        self.metrics.to_string()
    }

    /// What it has counted, in the format of Prometheus.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn scrape(&self) -> Result<String> {
        get(self.metrics, "/metrics").context("cannot read the metrics")
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its log file.
    pub fn log(&self) -> &Path {
        self.process.log()
    }
}

/// Where an operator listens.
struct Place<'a> {
    webhook: SocketAddr,
    health: SocketAddr,
    metrics: SocketAddr,
    /// Its own; nothing: this machine's.
    network: Option<&'a CabledNetwork>,
    /// Whether the API server reaches it as in a cluster.
    is_behind_service: bool,
}

impl Place<'_> {
    fn of(environment: &Environment) -> Result<Self> {
        let here = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Ok(Self {
            webhook: SocketAddr::new(environment.webhook_host, free_port()?),
            health: here(free_port()?),
            metrics: here(free_port()?),
            network: None,
            is_behind_service: false,
        })
    }
}

fn is_ready(health: SocketAddr) -> bool {
    get(health, "/readyz").is_ok()
}

/// The body of an answer that is one. HTTP 1.0, since that has no chunks.
fn get(address: SocketAddr, path: &str) -> Result<String> {
    let patience = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    anyhow::ensure!(head.contains(" 200 "), "{head}");
    Ok(body.to_owned())
}

/// Whether the API server reaches the webhook: for a moment it may still call an operator that is gone. What it answers is
/// the tests' business.
fn is_called(kubectl: &Kubectl) -> Result<()> {
    let server = r#"{
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": "is-the-webhook-called", "namespace": "default" },
        "spec": { "image": { "repository": "acme/mcp", "tag": "1.0.0" } }
    }"#;
    let apply = ["apply", "--dry-run=server", "--filename=-"];
    match kubectl.pipe(&apply, server) {
        Err(error) if format!("{error:#}").contains("failed calling webhook") => Err(error),
        _ => Ok(()),
    }
}
