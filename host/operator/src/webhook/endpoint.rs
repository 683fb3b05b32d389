//! Where the API server reaches the webhook.

use std::net::SocketAddr;

/// Where the API server reaches the webhook.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    /// Through a Service of the cluster.
    Service {
        /// Its namespace: the operator's own.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// At an address outside of it: for an operator that does not run in the cluster.
    Address(SocketAddr),
}

impl Endpoint {
    /// What a certificate has to be for: DNS names, or an address.
    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::Service { namespace, name } => ["", ".cluster.local"]
                .map(|domain| format!("{name}.{namespace}.svc{domain}"))
                .to_vec(),
            Self::Address(address) => vec![address.ip().to_string()],
        }
    }
}
