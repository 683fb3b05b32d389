//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, value_parser};
use jiff::SignedDuration;
use mcp_operator_api::definitions::{OPTIONAL_VERSION, STORED_VERSION};
use mcp_operator_api::names::installation::WEBHOOK_SERVICE;
use mcp_operator_controller::ControllerSettings;
use mcp_operator_core::desired_entries::GracePeriods;
use mcp_operator_core::hash_key::HashKey;
use mcp_operator_kubectl::KubectlArguments;
use mcp_operator_metrics::ReconcileMetrics;
use mcp_operator_registration::RegistrationSettings;
use mcp_operator_runtime::ElectionSettings;
use rustix::system::uname;

use crate::webhook::{ClientCa, Endpoint};

mod bind_address;
mod kubebuilder;
mod manifests;
mod plugin;
mod plugin_registry;
mod shared;
mod sources;
mod traces;

pub use bind_address::BindAddress;
pub use manifests::{CheckArguments, ManifestArguments};
pub use plugin::PluginCommand;
pub use plugin_registry::{
    PullArguments, PushArguments, RegistryArguments, RegistryCommand, VerifyArguments,
};
pub use shared::{BuildArguments, PluginArguments};
pub use sources::SourceArguments;
pub use traces::{CollectorUrl, TraceArguments, TracesExporter, TracesSampler};

/// Turns MCPServer resources into running, registered MCP servers; rules are WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(name = "mcp-operator", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// Reads the arguments, of which the first is how the program was called. `manager` runs the operator, as manifests of
    /// operators made with Kubebuilder have it; `kubectl-mcp` is `kubectl mcp`.
    ///
    /// # Errors
    /// When they say nothing that the program can do.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(kubebuilder::with_command(arguments))
    }
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator.
    Run(Box<RunArguments>),
    /// Print the objects that the operator would apply for MCPServers, without a cluster.
    #[command(after_long_help = manifests::RENDER_HELP)]
    Render(Box<ManifestArguments>),
    /// Say what admission would say about MCPServers, without a cluster.
    #[command(after_long_help = manifests::CHECK_HELP)]
    Check(Box<CheckArguments>),
    /// Print MCPServers made of what others have: manifests by hand, LiteLLM's mcp_servers, and kinds of other operators.
    #[command(after_long_help = IMPORT_HELP)]
    Import {
        /// Files and folders with manifests or with LiteLLM's config.yaml; `-` is standard input.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Namespace of the MCPServers. [default: that of each manifest]
        #[arg(short, long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
        namespace: Option<String>,
    },
    /// Write plugins and ship them: make, build, test, run, measure, inspect, push, pull and verify one.
    #[command(subcommand)]
    Plugin(Box<PluginCommand>),
    /// Print the custom resource definitions.
    Crd {
        /// Only this one: `mcpservers` or `mcpplugins`.
        #[arg(value_parser = ["mcpservers", "mcpplugins"])]
        plural: Option<String>,
        /// Apply them to the cluster instead of printing them.
        #[arg(long)]
        apply: bool,
        /// The newest version of MCPServers that is served. `v1beta1` is converted by the operator, and everything that names
        /// no version depends on that: `kubectl`, the deletion of namespaces. With `--apply` it is served when the operator
        /// has said that it converts. [default: `v1alpha1`; with `--apply`: as it is in the cluster]
        #[arg(long, value_name = "VERSION", value_parser = [STORED_VERSION, OPTIONAL_VERSION])]
        serve: Option<String>,
    },
    /// Has all MCPServers and MCPPlugins be of the version that is stored: objects that were stored in another one, and notes of
    /// who manages fields in one that is not served any more. Before a version leaves the definition. Where that is so already,
    /// nothing is written.
    MigrateStorage,
    /// Ask the cluster whether the installation works: all plugins are in force, and the API server asks the webhook.
    Verify {
        /// Namespace for the question: an MCPServer that is refused. Nothing is stored.
        #[arg(short, long, default_value = "default")]
        namespace: String,
    },
    /// Ask a cluster about its MCPServers: `kubectl mcp`, where this program is found as `kubectl-mcp` on the PATH.
    #[command(after_long_help = KUBECTL_HELP)]
    Kubectl(Box<KubectlArguments>),
    /// Print a dashboard for Grafana, of what the operator counts.
    Dashboards {
        /// `operator`: how the operator itself is; `fleet`: how the MCPServers are.
        #[arg(value_parser = ["operator", "fleet"])]
        name: String,
    },
    /// Compile a component from standard input: the operator calls itself so, with bounded memory.
    #[command(hide = true)]
    CompileComponent,
}

/// The end of `kubectl --help`.
const KUBECTL_HELP: &str = "\
Exit codes:
  0  nothing is wrong, or nobody asked whether it is
  1  `why` or `doctor` found something
  2  the cluster does not answer, or there is no such MCPServer

Nothing is changed, no pod is reached into, and no value of a Secret is shown. As a plugin of kubectl:
  ln -s \"$(command -v mcp-operator)\" ~/.local/bin/kubectl-mcp && kubectl mcp status";

/// The end of `import --help`.
const IMPORT_HELP: &str = "\
Exit codes:
  0  the MCPServers say everything
  1  they do not: comments and standard error name what is left out, and what to do about it
  2  a file cannot be read, or has nothing that is known

What is known:
  - Manifests by hand: a Deployment (apps/v1), and the Service, ServiceAccount, ConfigMaps, ExternalSecret, \
PodDisruptionBudget and ServiceMonitor that belong to it. Comments have the two commands by which who may write these \
objects has them adopted, with the pods that run, and name what is not adopted: deploy/SERVERS.md
  - LiteLLM: `mcp_servers` of its config.yaml, also in a ConfigMap
  - ToolHive (toolhive.stacklok.dev): MCPServer, MCPRemoteProxy
  - mcp-lifecycle-operator of kubernetes-sigs (mcp.x-k8s.io): MCPServer
  - kmcp (kagent.dev): MCPServer
  - litellm-operator of home-operations (litellm.home-operations.com): LiteLLMMCPServer

Nothing is asked of a cluster, and no rule: `mcp-operator check` says what admission would.";

/// Seconds: 90 days.
const DEFAULT_CERTIFICATE_LIFETIME: u32 = 90 * 24 * 60 * 60;

/// Options of `run`.
#[derive(Clone, Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each option is independent of the others"
)]
pub struct RunArguments {
    /// Plugins.
    #[command(flatten)]
    pub plugins: PluginArguments,

    /// Where they come from.
    #[command(flatten)]
    pub sources: SourceArguments,

    /// Whether the admission webhook is served. Without it, rules are still judged when the operator works on an MCPServer.
    #[arg(
        long,
        env = "ENABLE_WEBHOOKS",
        default_value_t = true,
        action = ArgAction::Set,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub enable_webhooks: bool,

    /// Address on which the admission webhook listens; `[::]` is every address of IPv4 and IPv6.
    #[arg(
        long,
        env = "WEBHOOK_BIND",
        value_parser = kubebuilder::bind_address,
        default_value = "[::]:9443"
    )]
    pub webhook_bind: SocketAddr,

    /// Address at which the API server reaches the webhook, for an operator that runs outside of the cluster.
    #[arg(long, env = "WEBHOOK_ADDRESS")]
    pub webhook_address: Option<SocketAddr>,

    /// Service through which the API server reaches the webhook.
    #[arg(long, env = "WEBHOOK_SERVICE", default_value = WEBHOOK_SERVICE)]
    pub webhook_service: String,

    /// Folder with the webhook's certificate, `tls.crt` and `tls.key` in PEM, which somebody else renews and has the webhook
    /// configurations trust, as cert-manager does. Files are read again when they change. [default: the operator makes its
    /// certificates itself, and has them trusted]
    #[arg(
        long,
        env = "WEBHOOK_CERT_DIR",
        value_name = "FOLDER",
        conflicts_with = "webhook_certificate_lifetime_seconds"
    )]
    pub webhook_cert_dir: Option<PathBuf>,

    /// Seconds that a certificate of the webhook is valid, if the operator makes it; it is renewed after two thirds of that.
    /// [default: 7776000, 90 days]
    #[arg(
        long,
        env = "WEBHOOK_CERTIFICATE_LIFETIME_SECONDS",
        value_parser = value_parser!(u32).range(20..=31_622_400)
    )]
    pub webhook_certificate_lifetime_seconds: Option<u32>,

    /// File with certificate authorities, in PEM: the webhook serves only clients with a certificate of one of them. It is
    /// read again when it changes. [default: anybody who reaches it is served]
    #[arg(long, env = "WEBHOOK_CLIENT_CA", value_name = "FILE")]
    pub webhook_client_ca: Option<PathBuf>,

    /// Names of clients that the webhook serves, common names or DNS names of their certificates, separated by commas.
    /// [default: all that have a certificate]
    #[arg(
        long,
        env = "WEBHOOK_CLIENT_NAMES",
        value_delimiter = ',',
        value_name = "NAME",
        value_parser = NonEmptyStringValueParser::new(),
        requires = "webhook_client_ca"
    )]
    pub webhook_client_names: Vec<String>,

    /// Namespace of the operator.
    #[arg(long, env = "POD_NAMESPACE", default_value = "mcp-operator-system")]
    pub namespace: String,

    /// Address for `/healthz` and `/readyz`.
    #[arg(
        long,
        visible_alias = "health-probe-bind-address",
        env = "HEALTH_BIND",
        value_parser = kubebuilder::bind_address,
        default_value = "[::]:8081"
    )]
    pub health_bind: SocketAddr,

    /// Elect one of several replicas, which writes, by the Lease `mcp-operator-leader` of the operator's namespace. All
    /// replicas answer admission requests.
    #[arg(
        long,
        env = "LEADER_ELECT",
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = ArgAction::Set,
        value_name = "BOOL"
    )]
    pub leader_elect: bool,

    /// Seconds after which another replica leads, if the leader says nothing; that one stops writing after two thirds of them.
    #[arg(
        long,
        env = "LEADER_ELECT_LEASE_SECONDS",
        default_value_t = 15,
        value_parser = value_parser!(u32).range(3..=300)
    )]
    pub leader_elect_lease_seconds: u32,

    /// Name of this replica, in its Lease and its requests. [default: the name of the pod or machine]
    #[arg(long, env = "POD_NAME", hide = true, value_parser = NonEmptyStringValueParser::new())]
    pub pod_name: Option<String>,

    /// Address for `/metrics`: `:8080` is every address of IPv4 and IPv6, `0` switches it off.
    #[arg(long, env = "METRICS_BIND_ADDRESS", default_value = ":8080")]
    pub metrics_bind_address: BindAddress,

    /// Name of this installation: the mark of ownership on what is registered with LiteLLM.
    #[arg(long, env = "INSTANCE", default_value = "mcp-operator")]
    pub instance: String,

    /// What goes into objects.
    #[command(flatten)]
    pub build: BuildArguments,

    /// MCPServers that are worked on at once.
    #[arg(long, env = "CONCURRENCY", default_value_t = 16)]
    pub concurrency: u16,

    /// Seconds between a ServiceAccount that gets another role of a cloud and the pods that are made for it: webhooks that give
    /// pods their identity see the account late.
    #[arg(long, env = "IDENTITY_DELAY_SECONDS", default_value_t = 3)]
    pub identity_delay_seconds: u32,

    /// Seconds of silence after which a connection to the API server is given up, and made anew. Below a minute, watches
    /// without events are among them: the API server says something at least that often.
    #[arg(long, env = "API_SILENCE_SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..))]
    pub api_silence_seconds: u32,

    /// Milliseconds without a change after which changes of registrations are carried out.
    #[arg(long, env = "REGISTRY_DEBOUNCE_MILLISECONDS", default_value_t = 2000)]
    pub registry_debounce_milliseconds: u64,

    /// Seconds for which changes are collected at most, while more of them come.
    #[arg(long, env = "REGISTRY_DEBOUNCE_LONGEST_SECONDS", default_value_t = 180)]
    pub registry_debounce_longest_seconds: u32,

    /// Seconds for which a new server that does not serve yet keeps other changes waiting: what is applied together
    /// becomes one change, although its pods are not ready at once.
    #[arg(long, env = "REGISTRY_ARRIVAL_SECONDS", default_value_t = 20)]
    pub registry_arrival_seconds: u32,

    /// Seconds in which a namespace may change its registrations once more, where LiteLLM is restarted for each change: three
    /// changes at once are free. Removals never wait, and other namespaces do not either. 0: no bound.
    #[arg(long, env = "REGISTRY_ROLLOUT_INTERVAL_SECONDS", default_value_t = 600)]
    pub registry_rollout_interval_seconds: u32,

    /// Least seconds between two changes of registrations for which LiteLLM is restarted, whoever makes them: what comes
    /// meanwhile waits and goes together. Removals never wait. 0: no bound.
    #[arg(long, env = "REGISTRY_ROLLOUT_PAUSE_SECONDS", default_value_t = 60)]
    pub registry_rollout_pause_seconds: u32,

    /// Seconds between two looks at LiteLLM when nothing changes.
    #[arg(long, env = "REGISTRY_RESYNC_SECONDS", default_value_t = 60)]
    pub registry_resync_seconds: u32,

    /// Seconds that a registered server may be without a serving pod before it is taken out of LiteLLM.
    #[arg(long, env = "REGISTRY_GRACE_SECONDS", default_value_t = 300)]
    pub registry_grace_seconds: u32,

    /// Seconds for which one that was taken out must serve without a pause before it comes back. One whose specification
    /// has changed need not wait.
    #[arg(long, env = "REGISTRY_RETURN_SECONDS", default_value_t = 120)]
    pub registry_return_seconds: u32,

    /// Tell in a Report of each namespace which MCPServers break rules, where openreports.io is installed. Switched off, those
    /// that were written are deleted.
    #[arg(
        long,
        env = "ENABLE_REPORTS",
        default_value_t = true,
        action = ArgAction::Set,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub enable_reports: bool,

    /// Keep a ConfigMap with Grafana's dashboards in the operator's namespace, where Grafana's sidecar finds it by the label
    /// `grafana_dashboard: "1"`. Without this option, one that was made is deleted.
    #[arg(long, env = "GRAFANA_DASHBOARDS")]
    pub grafana_dashboards: bool,

    /// Write logs as JSON.
    #[arg(long, env = "LOG_JSON")]
    pub log_json: bool,

    /// Traces of the operator.
    #[command(flatten)]
    pub traces: TraceArguments,
}

impl RunArguments {
    /// As the controller uses them.
    pub(crate) fn controller(
        &self,
        hash_key: HashKey,
        metrics: ReconcileMetrics,
    ) -> ControllerSettings {
        ControllerSettings {
            build: self.build.settings(),
            concurrency: self.concurrency,
            identity_delay: Duration::from_secs(self.identity_delay_seconds.into()),
            hash_key,
            reports: self.enable_reports,
            metrics,
        }
    }

    /// As the registration uses them.
    pub(crate) fn registration(&self) -> RegistrationSettings {
        RegistrationSettings {
            build: self.build.settings(),
            namespace: self.namespace.clone(),
            instance: self.instance.clone(),
            debounce: Duration::from_millis(self.registry_debounce_milliseconds),
            longest_debounce: Duration::from_secs(self.registry_debounce_longest_seconds.into()),
            rollout_interval: SignedDuration::from_secs(
                self.registry_rollout_interval_seconds.into(),
            ),
            rollout_pause: SignedDuration::from_secs(self.registry_rollout_pause_seconds.into()),
            resync: Duration::from_secs(self.registry_resync_seconds.max(1).into()),
            grace_periods: GracePeriods {
                grace: SignedDuration::from_secs(self.registry_grace_seconds.into()),
                readmission: SignedDuration::from_secs(self.registry_return_seconds.into()),
                startup: SignedDuration::from_secs(self.registry_arrival_seconds.into()),
            },
        }
    }

    /// How long a certificate that the operator makes is valid.
    pub(crate) fn webhook_certificate_lifetime(&self) -> SignedDuration {
        let seconds = self.webhook_certificate_lifetime_seconds;
        SignedDuration::from_secs(seconds.unwrap_or(DEFAULT_CERTIFICATE_LIFETIME).into())
    }

    /// What helps where the webhook's certificate is not renewed, as the end of a sentence.
    pub(crate) fn certificate_remedy(&self) -> &'static str {
        if self.webhook_cert_dir.is_some() {
            "whoever writes the files of --webhook-cert-dir must renew it, with cert-manager look at its Certificate"
        } else {
            "the operator's log says why it cannot; it writes the Secret mcp-operator-webhook and patches the webhook configurations mcp-operator"
        }
    }

    /// Whom the webhook serves, if not everybody.
    pub(crate) fn client_ca(&self) -> Option<ClientCa> {
        let file = self.webhook_client_ca.clone()?;
        Some(ClientCa::new(file, self.webhook_client_names.clone()))
    }

    /// What this replica is called.
    pub(crate) fn replica(&self) -> String {
        let host = || uname().nodename().to_string_lossy().into_owned();
        self.pod_name.clone().unwrap_or_else(host)
    }

    /// How the leader is elected; nothing if this replica is alone.
    pub(crate) fn election(&self) -> Option<ElectionSettings> {
        self.leader_elect.then(|| ElectionSettings {
            namespace: self.namespace.clone(),
            replica: self.replica(),
            duration: Duration::from_secs(self.leader_elect_lease_seconds.into()),
        })
    }

    /// Where the API server reaches the webhook.
    pub(crate) fn endpoint(&self) -> Endpoint {
        match self.webhook_address {
            Some(address) => Endpoint::Address(address),
            None => Endpoint::Service {
                namespace: self.namespace.clone(),
                name: self.webhook_service.clone(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn run(arguments: &[&str]) -> RunArguments {
        let arguments = ["/manager"].iter().chain(arguments).map(OsString::from);
        match Arguments::read(arguments).map(|read| read.command) {
            Ok(Command::Run(arguments)) => *arguments,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_has_no_contradictions() {
        Arguments::command().debug_assert();
    }

    /// As the architecture's manifests have them.
    #[test]
    fn options_of_a_manager_are_understood() {
        let arguments = run(&["--health-probe-bind-address=:8081"]);
        assert_eq!(arguments.health_bind, "[::]:8081".parse().unwrap());
        assert!(arguments.enable_webhooks);
        assert!(!run(&["--enable-webhooks=false"]).enable_webhooks);
        assert!(run(&["--enable-webhooks"]).enable_webhooks);
        let refused = Arguments::read(["/manager", "--health-bind=8081"].map(OsString::from));
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("no address with a port"), "{refused}");
    }
}
