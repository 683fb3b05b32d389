//! The credentials of one pass.

use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use mcp_operator_api::v1alpha1::SecretKeyReference;
use mcp_operator_core::registration::{HttpRequest, HttpResponse};
use reqwest::header::HeaderValue;

use super::endpoint::{Connections, Endpoint};
use super::error::ExchangeError;
use super::exchange::{Purpose, exchange};
use super::left_alone::LeftAlone;

/// A credential, as bytes that no formatting shows.
pub(super) struct Credential {
    /// The token itself: what must not be seen in an answer.
    pub(super) token: String,
    /// `Bearer <token>`, marked as sensitive.
    pub(super) header: HeaderValue,
}

/// A connection, and what was found where its credential should be.
type Opened<'a> = (&'a Endpoint, Result<Option<Credential>, String>);

/// Connections with their credentials. For one pass: the next one reads the Secrets again.
pub struct Session<'a> {
    opened: Vec<Opened<'a>>,
    left_alone: LeftAlone,
}

impl<'a> Session<'a> {
    /// Reads the credentials. One that cannot be had fails the requests that need it, and no other.
    pub async fn open(
        client: &kube::Client,
        connections: &'a Connections,
        left_alone: &LeftAlone,
    ) -> Session<'a> {
        let mut opened = Vec::new();
        for endpoint in connections.endpoints() {
            opened.push(open(client, endpoint));
        }
        Session {
            opened: join_all(opened).await,
            left_alone: left_alone.clone(),
        }
    }

    /// How long it takes until all services may be asked again.
    pub fn wait(&self) -> Option<Duration> {
        let waits = self
            .opened
            .iter()
            .filter_map(|(endpoint, _)| self.left_alone.remaining(&endpoint.base));
        waits.max()
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When it is not sent, or has no answer that can be read. A status code is none.
    pub async fn send(
        &self,
        request: &HttpRequest,
        purpose: Purpose,
    ) -> Result<HttpResponse, ExchangeError> {
        let wanted = |(endpoint, _): &&(&Endpoint, _)| endpoint.name == request.connection;
        let Some((endpoint, credential)) = self.opened.iter().find(wanted) else {
            return Err(ExchangeError::NoConnection {
                name: request.connection.clone(),
            });
        };
        let credential = credential
            .as_ref()
            .map_err(|why| ExchangeError::NoCredential {
                connection: endpoint.name.clone(),
                why: why.clone(),
            })?;
        if self.left_alone.remaining(&endpoint.base).is_some() {
            return Err(ExchangeError::LeftAlone {
                connection: endpoint.name.clone(),
            });
        }
        let answer = exchange(endpoint, credential.as_ref(), request, purpose).await?;
        self.left_alone.heed(&endpoint.base, &answer);
        Ok(answer)
    }
}

async fn open<'a>(client: &kube::Client, endpoint: &'a Endpoint) -> Opened<'a> {
    let credential = match &endpoint.secret {
        Some(secret) => credential(client, secret).await.map(Some),
        None => Ok(None),
    };
    (endpoint, credential)
}

async fn credential(
    client: &kube::Client,
    named: &SecretKeyReference,
) -> Result<Credential, String> {
    let SecretKeyReference {
        namespace,
        name,
        key,
    } = named;
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let found = api.get_opt(name).await.map_err(|error| match error {
        kube::Error::Api(status) => {
            format!("cannot read Secret {namespace}/{name}: {}", status.message)
        }
        other => format!("cannot read Secret {namespace}/{name}: {other}"),
    })?;
    let data = found
        .ok_or_else(|| {
            format!("there is no Secret {namespace}/{name}: create it, or correct spec.connections")
        })?
        .data
        .unwrap_or_default();
    let bytes = data
        .get(key)
        .ok_or_else(|| format!("Secret {namespace}/{name} has no key {key}"))?;
    let unusable = || {
        format!(
            "key {key} of Secret {namespace}/{name} is no bearer token: it must be one line of ASCII"
        )
    };
    // A file that was made by an editor ends with a line break.
    let token = std::str::from_utf8(&bytes.0)
        .map_err(|_| unusable())?
        .trim()
        .to_owned();
    if token.is_empty() {
        return Err(unusable());
    }
    let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| unusable())?;
    header.set_sensitive(true);
    Ok(Credential { token, header })
}
