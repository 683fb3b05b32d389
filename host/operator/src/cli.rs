//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};
use jiff::SignedDuration;
use mcp_operator_core::build::{self, SecretStoreSettings};
use mcp_operator_core::registry::Patience;

use crate::offline::ManifestArguments;
use crate::settings::Settings;
use crate::webhook::Place;

/// Turns MCPServer resources into running, registered MCP servers; rules are WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(name = "mcp-operator", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator.
    Run(Box<RunArguments>),
    /// Print the objects that the operator would apply for MCPServers, without a cluster.
    #[command(after_long_help = crate::offline::RENDER_HELP)]
    Render(Box<ManifestArguments>),
    /// Say what admission would say about MCPServers, without a cluster.
    #[command(after_long_help = crate::offline::CHECK_HELP)]
    Check(Box<ManifestArguments>),
    /// Print the custom resource definitions.
    Crd {
        /// Only this one: `mcpservers` or `mcpplugins`.
        #[arg(value_parser = ["mcpservers", "mcpplugins"])]
        plural: Option<String>,
    },
    /// Compile a component from standard input: the operator calls itself so, with bounded memory.
    #[command(hide = true)]
    CompileComponent,
}

/// Options of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArguments {
    /// Plugins.
    #[command(flatten)]
    pub plugins: PluginArguments,

    /// Address on which the admission webhook listens.
    #[arg(long, env = "WEBHOOK_BIND", default_value = "0.0.0.0:9443")]
    pub webhook_bind: SocketAddr,

    /// Address at which the API server reaches the webhook, for an operator that runs outside of the cluster.
    #[arg(long, env = "WEBHOOK_ADDRESS")]
    pub webhook_address: Option<SocketAddr>,

    /// Service through which the API server reaches the webhook.
    #[arg(long, env = "WEBHOOK_SERVICE", default_value = "mcp-operator-webhook")]
    pub webhook_service: String,

    /// Namespace of the operator.
    #[arg(long, env = "POD_NAMESPACE", default_value = "mcp-operator-system")]
    pub namespace: String,

    /// Address for `/healthz` and `/readyz`.
    #[arg(long, env = "HEALTH_BIND", default_value = "0.0.0.0:8081")]
    pub health_bind: SocketAddr,

    /// Name of this installation: the mark of ownership on what is registered with LiteLLM.
    #[arg(long, env = "INSTANCE", default_value = "mcp-operator")]
    pub instance: String,

    /// What goes into objects.
    #[command(flatten)]
    pub build: BuildArguments,

    /// MCPServers that are worked on at once.
    #[arg(long, env = "CONCURRENCY", default_value_t = 16)]
    pub concurrency: u16,

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

    /// Write logs as JSON.
    #[arg(long, env = "LOG_JSON")]
    pub log_json: bool,
}

/// Options about plugins.
#[derive(Clone, Debug, Args)]
pub struct PluginArguments {
    /// Folder with the plugins that `spec.source.builtin` names.
    #[arg(long, env = "BUILTIN_PLUGINS", default_value = "/plugins")]
    pub builtin_plugins: PathBuf,

    /// Folder for compiled plugins; only the operator's user may write into it.
    #[arg(long, env = "CACHE_DIR", default_value = "/var/cache/mcp-operator")]
    pub cache_dir: PathBuf,

    /// Largest plugin that is accepted, in MiB. 8 serve Rust, Go and JavaScript; one written in Python needs 20.
    #[arg(long, env = "PLUGIN_SIZE_LIMIT_MIB", default_value_t = 8)]
    pub plugin_size_limit_mib: usize,

    /// Memory of all plugin calls that run at once, in MiB; half of it is the most that one call may be given.
    #[arg(long, env = "PLUGIN_MEMORY_MIB", default_value_t = 320)]
    pub plugin_memory_mib: usize,

    /// Address space of the process that compiles a plugin, in MiB. Rust needs 64, one written in Python 1024.
    #[arg(long, env = "COMPILER_MEMORY_MIB", default_value_t = 512)]
    pub compiler_memory_mib: u64,
}

/// Options about what goes into objects.
#[derive(Clone, Debug, Args)]
pub struct BuildArguments {
    /// DNS domain of the cluster.
    #[arg(long, env = "CLUSTER_DOMAIN", default_value = "cluster.local")]
    pub cluster_domain: String,

    /// OTLP endpoint for MCPServers that trace and name none.
    #[arg(long, env = "TRACING_ENDPOINT")]
    pub tracing_endpoint: Option<String>,

    /// Namespaces of LiteLLM: NetworkPolicies let them in.
    #[arg(
        long,
        env = "GATEWAY_NAMESPACES",
        value_delimiter = ',',
        default_value = "litellm"
    )]
    pub gateway_namespaces: Vec<String>,

    /// Namespaces of Prometheus: NetworkPolicies let them in.
    #[arg(
        long,
        env = "MONITORING_NAMESPACES",
        value_delimiter = ',',
        default_value = "monitoring"
    )]
    pub monitoring_namespaces: Vec<String>,

    /// Store of External Secrets for MCPServers that name none.
    #[arg(long, env = "SECRET_STORE_NAME", default_value = "aws-secrets-manager")]
    pub secret_store_name: String,

    /// Kind of that store: `ClusterSecretStore` or `SecretStore`.
    #[arg(long, env = "SECRET_STORE_KIND", default_value = "ClusterSecretStore")]
    pub secret_store_kind: String,

    /// How often the store is asked for secrets.
    #[arg(long, env = "SECRET_REFRESH_INTERVAL", default_value = "1h")]
    pub secret_refresh_interval: String,

    /// Labels of ServiceMonitors, by which Prometheus finds them: `name=value`, separated by commas.
    #[arg(
        long,
        env = "SERVICE_MONITOR_LABELS",
        value_delimiter = ',',
        default_value = "release=kube-prometheus",
        value_parser = label
    )]
    pub service_monitor_labels: Vec<(String, String)>,

    /// Namespace for all ServiceMonitors, where Prometheus looks for them nowhere else. [default: that of each MCPServer]
    #[arg(
        long,
        env = "SERVICE_MONITOR_NAMESPACE",
        value_name = "NAME",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub service_monitor_namespace: Option<String>,
}

impl BuildArguments {
    /// As the program uses them.
    pub fn settings(&self) -> build::Settings {
        build::Settings {
            cluster_domain: self.cluster_domain.clone(),
            tracing_endpoint: self.tracing_endpoint.clone(),
            gateway_namespaces: self.gateway_namespaces.clone(),
            monitoring_namespaces: self.monitoring_namespaces.clone(),
            secret_store: SecretStoreSettings {
                name: self.secret_store_name.clone(),
                kind: self.secret_store_kind.clone(),
                refresh_interval: self.secret_refresh_interval.clone(),
            },
            service_monitor_labels: self.service_monitor_labels.iter().cloned().collect(),
            service_monitor_namespace: self.service_monitor_namespace.clone(),
        }
    }
}

impl RunArguments {
    /// As the program uses them.
    pub fn settings(&self) -> Settings {
        Settings {
            build: self.build.settings(),
            instance: self.instance.clone(),
            concurrency: self.concurrency,
            registry_debounce: Duration::from_millis(self.registry_debounce_milliseconds),
            registry_debounce_longest: Duration::from_secs(
                self.registry_debounce_longest_seconds.into(),
            ),
            registry_resync: Duration::from_secs(self.registry_resync_seconds.max(1).into()),
            registry_patience: Patience {
                grace: SignedDuration::from_secs(self.registry_grace_seconds.into()),
                probation: SignedDuration::from_secs(self.registry_return_seconds.into()),
                arrival: SignedDuration::from_secs(self.registry_arrival_seconds.into()),
            },
        }
    }

    /// Where the API server reaches the webhook.
    pub fn place(&self) -> Place {
        match self.webhook_address {
            Some(address) => Place::Address(address),
            None => Place::Service {
                namespace: self.namespace.clone(),
                name: self.webhook_service.clone(),
            },
        }
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("{text} is not name=value"))
}
