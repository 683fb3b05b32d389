//! Options of `render` and `check`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use mcp_operator_metrics::PluginCallMetrics;
use mcp_operator_offline::Sources;

use super::{BuildArguments, PluginArguments};

/// Manifests, and what they are judged by.
#[derive(Clone, Debug, Args)]
pub struct ManifestArguments {
    /// File or folder with manifests, `-` for standard input. May be given several times.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    pub files: Vec<PathBuf>,

    /// Namespace of manifests that name none.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,

    /// File or folder with MCPPlugins, and the ConfigMaps that hold their components. They take the place of the default
    /// plugins. May be given several times. [default: the MCPPlugins that are installed with the operator]
    #[arg(long = "plugins", value_name = "PATH")]
    pub plugin_files: Vec<PathBuf>,

    /// Folder of a plugin, as `mcp-operator plugin new` makes it: its `plugin.yaml` with the component that
    /// `mcp-operator plugin build` made of it. It is asked besides those of --plugins, or alone. May be given several times.
    #[arg(long = "plugin", value_name = "FOLDER")]
    pub plugin_folders: Vec<PathBuf>,

    /// Plugins.
    #[command(flatten)]
    pub plugins: PluginArguments,

    /// What goes into objects.
    #[command(flatten)]
    pub build: BuildArguments,
}

/// Options of `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArguments {
    /// What is judged, and by what.
    #[command(flatten)]
    pub manifests: ManifestArguments,

    /// Print the Reports of openreports.io that the operator would write about these MCPServers, in the place of what is
    /// admitted: what they break of rules in whatever mode these are, with the field.
    #[arg(long)]
    pub report: bool,
}

impl ManifestArguments {
    /// As the commands use them.
    ///
    /// # Errors
    /// When plugins cannot be run.
    pub fn sources(self) -> Result<Sources> {
        let mut plugins = self.plugins.for_a_person();
        if !self.plugin_folders.is_empty() {
            plugins = plugins.for_an_author();
        }
        Ok(Sources {
            host: plugins.host(PluginCallMetrics::default())?,
            builtin: plugins.builtin_plugins,
            build: self.build.settings(),
            files: self.files,
            namespace: self.namespace,
            plugin_files: self.plugin_files,
            plugin_folders: self.plugin_folders,
        })
    }
}

/// The end of `check --help`.
pub(super) const CHECK_HELP: &str = "\
Exit codes:
  0  everything would be admitted
  1  something would be denied; standard error says what, as kubectl does
  2  nobody can say: a file cannot be read, a field does not exist, a plugin failed

What an API server does is done in its order: unknown fields, defaults, defaults of plugins, the schema with its CEL \
rules, the rules of plugins. The policy of a cluster is what `kubectl get mcpplugins -o yaml` prints there, given with \
--plugins.

With --report, rules in the modes `warn` and `audit` are told, too, which deny nothing, and exceptions; the exit code is the \
same. Nothing is printed where nothing is broken.

What is not known without a cluster:
  - Every MCPServer is judged as a new one: rules about changes see no old object.
  - A namespace has no labels but its name, and no annotations by which the platform allows it something, unless a \
Namespace is among the manifests: `kubectl get namespace NAME -o yaml`.
  - Plugins are told of no user.
  - Not judged: the syntax of labels and annotations, quotas, permissions, other webhooks.
  - YAML is read as version 1.2: write true, not yes.";

/// The end of `render --help`.
pub(super) const RENDER_HELP: &str = "\
Objects are printed in the order in which they are applied, after the MCPServer went through the same admission as with \
`check`, and with the same exit codes; `check --help` also tells what is not known without a cluster. Nothing is \
printed for an MCPServer that would be denied.

Secrets are not known: where pods read some that exist, the operator also notes their hashes in the Deployment, by \
which the pods are replaced when they change.

Owner references need the uid that the API server gives, and so does a ServiceMonitor in another namespace: they have \
it if the manifest has one, as that of `kubectl get mcpserver NAME -o yaml`.";
