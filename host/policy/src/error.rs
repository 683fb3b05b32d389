//! Why plugins have not said what an MCPServer and its objects should be.

use mcp_operator_core::admission::PluginFailure;
use mcp_operator_core::manifest::BuildError;
use mcp_operator_core::retry::{Classify, ErrorClass};
use thiserror::Error;

/// Why nothing is decided right after the start.
pub const NOT_SYNCED: &str =
    "the operator has just started, and has not loaded all plugins yet: try again in a moment";

/// Plugins could not be asked, or what they answered cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// Right after the start.
    #[error("{}", NOT_SYNCED)]
    NotSynced,
    /// Plugins that must not fail have failed, or are not loaded.
    #[error("{}", joined(.0))]
    Plugins(Vec<PluginFailure>),
    /// What plugins made of an MCPServer is none.
    #[error("plugins changed the MCPServer into something that cannot be read: {reason}")]
    NotAServer {
        /// Which field, and what is wrong with it.
        reason: String,
    },
    /// The server's namespace cannot be read, on which plugins depend.
    #[error("{0}")]
    Namespace(String),
    /// An object cannot be used as it was built, or as plugins completed it.
    #[error(transparent)]
    Object(#[from] BuildError),
}

fn joined(failures: &[PluginFailure]) -> String {
    let messages: Vec<&str> = failures
        .iter()
        .map(|failure| failure.message.as_str())
        .collect();
    messages.join("; ")
}

impl Classify for PolicyError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::NotSynced => ErrorClass::PluginHost,
            Self::Plugins(failures) if !failures.iter().all(|failure| failure.guest) => {
                ErrorClass::PluginHost
            }
            Self::Namespace(_) => ErrorClass::Transient,
            Self::Plugins(_) | Self::NotAServer { .. } | Self::Object(_) => ErrorClass::PluginGuest,
        }
    }

    fn category(&self) -> &'static str {
        match self {
            Self::NotSynced => "PluginsNotSynced",
            Self::Plugins(failures) => failures
                .first()
                .map_or("PluginFailed", |failure| failure.category),
            Self::Namespace(_) => "NamespaceUnreadable",
            Self::NotAServer { .. } | Self::Object(_) => "PatchRefused",
        }
    }
}
