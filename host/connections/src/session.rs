//! The credentials of one pass.

use std::time::Duration;

use futures::future::join_all;
use mcp_operator_core::registration_plan::{HttpRequest, HttpResponse};

use crate::credential::{Credential, CredentialError, SecretLookup};
use crate::endpoint::{Connections, Endpoint};
use crate::error::ExchangeError;
use crate::exchange::{Purpose, exchange};
use crate::retry_after::RetryAfterGate;

/// Connections with their credentials, for one pass: the next one reads the Secrets again. The default one has none.
#[derive(Default)]
pub struct Session {
    connections: Vec<OpenConnection>,
    gate: RetryAfterGate,
}

struct OpenConnection {
    endpoint: Endpoint,
    /// Nothing for a service that wants no credential.
    credential: Result<Option<Credential>, CredentialError>,
}

impl Session {
    /// Reads the credentials. One that cannot be had fails the requests that need it, and no other.
    pub async fn open(
        secrets: &dyn SecretLookup,
        connections: &Connections,
        gate: &RetryAfterGate,
    ) -> Self {
        let opened = connections.endpoints().iter().map(|endpoint| async move {
            let credential = match &endpoint.secret {
                Some(reference) => Credential::read(secrets, reference).await.map(Some),
                None => Ok(None),
            };
            OpenConnection {
                endpoint: endpoint.clone(),
                credential,
            }
        });
        Self {
            connections: join_all(opened).await,
            gate: gate.clone(),
        }
    }

    /// How long it takes until all services may be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        let waits = self
            .connections
            .iter()
            .filter_map(|connection| self.gate.closed_for(&connection.endpoint.base));
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
        let named = |connection: &&OpenConnection| connection.endpoint.name == request.connection;
        let Some(connection) = self.connections.iter().find(named) else {
            return Err(ExchangeError::NoConnection {
                name: request.connection.clone(),
            });
        };
        let endpoint = &connection.endpoint;
        let credential = match &connection.credential {
            Ok(credential) => credential.as_ref(),
            Err(error) => {
                return Err(ExchangeError::NoCredential {
                    connection: endpoint.name.clone(),
                    source: error.clone(),
                });
            }
        };
        if self.gate.closed_for(&endpoint.base).is_some() {
            return Err(ExchangeError::RetryAfter {
                connection: endpoint.name.clone(),
            });
        }
        let answer = exchange(endpoint, credential, request, purpose).await?;
        self.gate.record_answer(&endpoint.base, &answer);
        Ok(answer)
    }
}
