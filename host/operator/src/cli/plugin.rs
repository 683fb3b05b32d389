//! `mcp-operator plugin`: what authors of plugins do.

use clap::Subcommand;

use super::RegistryCommand;

/// What can be done with a plugin.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// With a folder or a component.
    #[command(flatten)]
    Author(mcp_operator_authoring::Command),
    /// With registries.
    #[command(flatten)]
    Registry(RegistryCommand),
}
