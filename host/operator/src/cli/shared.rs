//! Options that several commands have.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use mcp_operator_core::build::{self, SecretStoreSettings};
use mcp_operator_metrics::PluginCallMetrics;
use mcp_plugin_host::{Compiler, Host, HostConfig};

/// Options about plugins.
#[derive(Clone, Debug, Args)]
pub struct PluginArguments {
    /// Folder with the plugins that `spec.source.builtin` names.
    #[arg(long, env = "BUILTIN_PLUGINS", default_value = "/plugins")]
    pub builtin_plugins: PathBuf,

    /// Folder for compiled plugins; only the user of this program may write into it. [default: /var/cache/mcp-operator, or your
    /// own cache folder for commands that run no operator]
    #[arg(long, env = "CACHE_DIR", value_name = "FOLDER")]
    pub cache_dir: Option<PathBuf>,

    /// Largest plugin that is accepted, in MiB. 8 serve Rust, Go, and JavaScript on QuickJS; one
    /// written in Python needs 20.
    #[arg(long, env = "PLUGIN_SIZE_LIMIT_MIB", default_value_t = 8)]
    pub plugin_size_limit_mib: usize,

    /// Memory of all plugin calls that run at once, in MiB; half of it is the most that one call may be given.
    #[arg(long, env = "PLUGIN_MEMORY_MIB", default_value_t = 320)]
    pub plugin_memory_mib: usize,

    /// Address space of the process that compiles a plugin, in MiB. A small one in Rust needs 192, `cel` 320, one
    /// written in Python 1024.
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

    /// Namespaces with DNS: NetworkPolicies let pods out to the ports of DNS (53, and OpenShift's 5353) there. [default:
    /// to these ports of every address]
    #[arg(
        long,
        env = "DNS_NAMESPACES",
        value_delimiter = ',',
        value_name = "NAME",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub dns_namespaces: Vec<String>,

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

    /// Labels of MCPServers that their objects get too, but not their pods: `team,cost.acme.io/`. One that ends with `/` is a
    /// prefix. [default: none]
    #[arg(
        long,
        env = "PROPAGATE_LABELS",
        value_delimiter = ',',
        value_name = "LABEL",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub propagate_labels: Vec<String>,
}

impl PluginArguments {
    /// For a command that runs no operator: compiled plugins go into the user's own cache folder.
    #[must_use]
    pub fn for_a_person(mut self) -> Self {
        self.cache_dir = self.cache_dir.or_else(mcp_operator_authoring::user_cache);
        self
    }

    /// For the author of a plugin, whose component may be larger than what an operator takes unless it is told otherwise: that
    /// is said when it is built.
    #[must_use]
    pub fn for_an_author(mut self) -> Self {
        self.plugin_size_limit_mib = self
            .plugin_size_limit_mib
            .max(mcp_operator_authoring::SIZE_LIMIT_MIB);
        self.compiler_memory_mib = self
            .compiler_memory_mib
            .max(mcp_operator_authoring::COMPILER_MEMORY_MIB);
        self
    }

    /// What runs plugins, with their calls counted by `metrics`. This program compiles them, in a child process.
    ///
    /// # Errors
    /// When the folder for compiled plugins cannot be used, or there is too little address space.
    pub fn host(&self, metrics: PluginCallMetrics) -> Result<Host> {
        let this = std::env::current_exe().context("this program has no path")?;
        let compiler = Compiler::new(this, ["compile-component"]);
        let cache = self.cache_dir.as_deref();
        let cache = cache.unwrap_or(Path::new("/var/cache/mcp-operator"));
        let mut config = HostConfig::new(cache, compiler);
        config.max_component_bytes = self.plugin_size_limit_mib.saturating_mul(1 << 20);
        config.memory_bytes = self.plugin_memory_mib.saturating_mul(1 << 20);
        config.compiler.memory_bytes = self.compiler_memory_mib.saturating_mul(1 << 20);
        config.metrics = metrics;
        Host::new(config).with_context(|| {
            format!(
                "plugins cannot be run with {} for compiled ones; --cache-dir names another folder",
                cache.display()
            )
        })
    }
}

impl BuildArguments {
    /// As the program uses them.
    pub fn settings(&self) -> build::Settings {
        build::Settings {
            cluster_domain: self.cluster_domain.clone(),
            tracing_endpoint: self.tracing_endpoint.clone(),
            gateway_namespaces: self.gateway_namespaces.clone(),
            monitoring_namespaces: self.monitoring_namespaces.clone(),
            dns_namespaces: self.dns_namespaces.clone(),
            secret_store: SecretStoreSettings {
                name: self.secret_store_name.clone(),
                kind: self.secret_store_kind.clone(),
                refresh_interval: self.secret_refresh_interval.clone(),
            },
            service_monitor_labels: self.service_monitor_labels.iter().cloned().collect(),
            service_monitor_namespace: self.service_monitor_namespace.clone(),
            propagated_labels: self.propagate_labels.clone(),
        }
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("{text} is not name=value"))
}
