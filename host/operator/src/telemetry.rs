//! Logs, and the one provider of cryptography.

use tracing_subscriber::EnvFilter;

mod json_lines;

use json_lines::JsonLines;

/// Logs go to standard error, by `RUST_LOG` or at level `info`.
pub fn init(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if json {
        subscriber.event_format(JsonLines).init();
    } else {
        subscriber.init();
    }
}

/// rustls takes exactly one provider for the process.
pub fn install_crypto() {
    // Fails only if there is one already, which is then the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
