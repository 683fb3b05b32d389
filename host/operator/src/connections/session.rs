//! The credentials of one pass.

use std::time::Duration;

use futures::future::join_all;
use mcp_operator_core::registration::{HttpRequest, HttpResponse};

use super::credential::Credential;
use super::endpoint::{Connections, Endpoint};
use super::error::ExchangeError;
use super::exchange::{Purpose, exchange};
use super::left_alone::LeftAlone;

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
        Some(secret) => Credential::read(client, secret).await.map(Some),
        None => Ok(None),
    };
    (endpoint, credential)
}
