//! The command line of `kubectl mcp`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};

/// What is asked, and of which cluster.
#[derive(Clone, Debug, Args)]
pub struct KubectlArguments {
    /// What is asked.
    #[command(subcommand)]
    pub command: KubectlCommand,

    /// Context of the kubeconfig. [default: the current one]
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub context: Option<String>,

    /// Namespace of the MCPServers. [default: that of the context]
    #[arg(short, long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub namespace: Option<String>,

    /// Namespace of the operator.
    #[arg(
        long,
        global = true,
        env = "MCP_OPERATOR_NAMESPACE",
        value_name = "NAME",
        value_parser = NonEmptyStringValueParser::new(),
        default_value = "mcp-operator-system"
    )]
    pub operator_namespace: String,

    /// For programs: `json`. [default: text for people]
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    pub output: Option<OutputFormat>,
}

/// What is asked.
#[derive(Clone, Debug, Subcommand)]
pub enum KubectlCommand {
    /// Show the fleet on one screen: what is ready, what is registered, and what to do about the rest.
    Status {
        /// Of all namespaces.
        #[arg(short = 'A', long)]
        all_namespaces: bool,
    },
    /// Show the objects that an MCPServer has become, and their state.
    Tree {
        /// Name of the MCPServer.
        name: String,
    },
    /// Say who set the fields of an MCPServer: its manifest, the schema, a plugin, or somebody else.
    Explain {
        /// Name of the MCPServer.
        name: String,
        /// Only this field and what is below it: `spec.resources`.
        field: Option<String>,
    },
    /// Say why an MCPServer is not ready, not registered or not written, in the order in which it is mended.
    Why {
        /// Name of the MCPServer.
        name: String,
    },
    /// Look at the installation: permissions, webhooks, certificates, replicas, plugins, LiteLLM; each finding with its remedy.
    Doctor,
    /// Write an archive for a bug report: the findings of `doctor`, and objects without values that may be secret.
    Report {
        /// The archive. [default: mcp-report.tar.gz]
        #[arg(
            short = 'f',
            long,
            value_name = "FILE",
            default_value = "mcp-report.tar.gz",
            hide_default_value = true
        )]
        file: PathBuf,
        /// MCPServers of all namespaces.
        #[arg(short = 'A', long)]
        all_namespaces: bool,
    },
}

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// One JSON document.
    Json,
}
