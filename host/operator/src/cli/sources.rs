//! Options about where components of plugins come from.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, value_parser};

/// Options about components from registries and servers.
#[derive(Clone, Debug, Args)]
pub struct SourceArguments {
    /// Load no component from outside of the operator's image that is not signed by one of the keys of --signature-keys,
    /// whatever its MCPPlugin says.
    #[arg(long, env = "REQUIRE_SIGNATURES", requires = "signature_keys")]
    pub require_signatures: bool,

    /// File with public keys in PEM, or folder of such files, for --require-signatures. They are read again for each component.
    #[arg(
        long,
        env = "SIGNATURE_KEYS",
        value_name = "PATH",
        requires = "require_signatures"
    )]
    pub signature_keys: Option<PathBuf>,

    /// Seconds between two looks at what a tag of a registry or a URL has become.
    #[arg(
        long,
        env = "SOURCE_REFRESH_SECONDS",
        default_value_t = 300,
        value_parser = value_parser!(u32).range(1..=86_400)
    )]
    pub source_refresh_seconds: u32,
}

impl SourceArguments {
    /// How often sources that may move are looked at.
    pub(crate) fn refresh(&self) -> Duration {
        Duration::from_secs(self.source_refresh_seconds.into())
    }
}
