//! The connections of an MCPPlugin, checked.

use std::time::Duration;

use mcp_operator_api::v1alpha1::{Connection, ConnectionSecretKey};
use mcp_operator_core::build::is_metadata_address;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Url};
use thiserror::Error;

/// Where the MCPPlugin says nothing.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// The `User-Agent` of all requests to services.
const USER_AGENT: &str = concat!("mcp-operator/", env!("CARGO_PKG_VERSION"));

/// The connections of one MCPPlugin.
#[derive(Debug, Default)]
pub struct Connections(Vec<Endpoint>);

/// A field of `spec.connections` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("spec.connections[{index}].{field}: {reason}")]
pub struct InvalidConnection {
    index: usize,
    field: &'static str,
    reason: String,
}

impl From<InvalidConnection> for String {
    fn from(error: InvalidConnection) -> Self {
        error.to_string()
    }
}

/// One connection: a client that can reach nothing but what is below its base URL. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) base: Url,
    pub(crate) http: Client,
    pub(crate) timeout: Duration,
    pub(crate) secret: Option<ConnectionSecretKey>,
}

impl Connections {
    /// Checks what an MCPPlugin declares.
    ///
    /// # Errors
    /// Which field is wrong, and why.
    pub fn new(declared: &[Connection]) -> Result<Self, InvalidConnection> {
        let checked = declared.iter().enumerate().map(|(index, connection)| {
            Endpoint::new(connection).map_err(|(field, reason)| InvalidConnection {
                index,
                field,
                reason,
            })
        });
        checked.collect::<Result<_, _>>().map(Self)
    }

    /// Names and base URLs: where something may be left behind.
    pub fn base_urls(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|endpoint| (endpoint.name.as_str(), endpoint.base.as_str()))
    }

    /// Names of the Secrets that hold the credentials.
    pub fn secrets(&self) -> impl Iterator<Item = String> {
        let secrets = self
            .0
            .iter()
            .filter_map(|endpoint| endpoint.secret.as_ref());
        secrets.map(|secret| secret.name.clone())
    }

    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.0
    }
}

impl Endpoint {
    fn new(declared: &Connection) -> Result<Self, (&'static str, String)> {
        let base = base_url(&declared.base_url).map_err(|reason| ("baseUrl", reason))?;
        let http = client(&base, declared.ca_bundle.as_deref())?;
        let timeout = declared
            .timeout_milliseconds
            .and_then(|milliseconds| u64::try_from(milliseconds).ok());
        Ok(Self {
            name: declared.name.clone(),
            base,
            http,
            timeout: timeout.map_or(DEFAULT_TIMEOUT, Duration::from_millis),
            secret: declared
                .auth
                .as_ref()
                .map(|auth| auth.secret_key_ref.clone()),
        })
    }
}

fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must be an http:// or https:// URL".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "must not hold a credential: put it into a Secret and name that in auth".into(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a query or a fragment".into());
    }
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    if address.is_ok_and(is_metadata_address) {
        return Err("must not be an address at which clouds give machines their identity".into());
    }
    Ok(url)
}

fn client(base: &Url, ca_bundle: Option<&str>) -> Result<Client, (&'static str, String)> {
    // Only the first call in a process does something; kube brings a provider of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        // A proxy of the environment would be given the credential, in clear text where the URL has no TLS.
        .no_proxy()
        .redirect(Policy::none());
    let authorities = ca_bundle
        .map(|pem| Certificate::from_pem_bundle(pem.as_bytes()))
        .transpose()
        .map_err(|error| ("caBundle", error.to_string()))?;
    match authorities {
        Some(none) if none.is_empty() => {
            return Err(("caBundle", "holds no certificate in PEM".into()));
        }
        Some(authorities) => builder = builder.tls_certs_only(authorities),
        // The system's authorities are loaded only for who needs them: a container may have none.
        None if base.scheme() == "http" => builder = builder.tls_certs_only([]),
        None => {}
    }
    builder.build().map_err(|error| {
        let why = std::error::Error::source(&error)
            .map_or_else(|| error.to_string(), ToString::to_string);
        (
            "caBundle",
            format!("the system's certificate authorities cannot be used, name one here: {why}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(base_url: &str, ca_bundle: Option<&str>) -> String {
        let connection = Connection {
            name: "litellm".into(),
            base_url: base_url.into(),
            ca_bundle: ca_bundle.map(str::to_owned),
            ..Connection::default()
        };
        Connections::new(&[connection]).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_names_its_field() {
        for (base_url, ca_bundle, said) in [
            ("http://", None, "spec.connections[0].baseUrl: empty host"),
            (
                "ftp://a",
                None,
                "spec.connections[0].baseUrl: must be an http",
            ),
            (
                "http://user:word@a",
                None,
                "spec.connections[0].baseUrl: must not hold a credential",
            ),
            (
                "http://a/?key=b",
                None,
                "spec.connections[0].baseUrl: must not have a query",
            ),
            (
                "http://169.254.169.254/latest",
                None,
                "spec.connections[0].baseUrl: must not be an address at which clouds",
            ),
            (
                "http://[::ffff:a9fe:a9fe]",
                None,
                "spec.connections[0].baseUrl: must not be an address at which clouds",
            ),
            (
                "https://a",
                Some("no pem"),
                "spec.connections[0].caBundle: holds no certificate",
            ),
        ] {
            let found = refused(base_url, ca_bundle);
            assert!(found.starts_with(said), "{found}");
        }
    }
}
