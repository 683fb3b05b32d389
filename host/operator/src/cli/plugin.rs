//! `mcp-operator plugin`: what authors of plugins do.

use clap::Subcommand;

use super::RegistryCommand;

/// What can be done with a plugin.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// With registries.
    #[command(flatten)]
    Registry(RegistryCommand),
}
