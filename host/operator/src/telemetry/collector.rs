//! How the collector is reached.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Url};
use tokio::runtime::Handle;

/// The `User-Agent` of all requests to a collector.
const USER_AGENT: &str = concat!("mcp-operator/", env!("CARGO_PKG_VERSION"));

/// Sends requests from whatever thread, in the runtime in which it was made.
#[derive(Debug)]
pub(super) struct CollectorClient {
    http: Client,
    runtime: Handle,
}

impl CollectorClient {
    /// A client that goes to this URL and nowhere else, whatever it answers: a header may hold a credential.
    ///
    /// # Errors
    /// One sentence: certificate authorities cannot be read.
    pub(super) fn new(
        endpoint: &Url,
        authorities: Option<&Path>,
        timeout: Duration,
    ) -> Result<Self> {
        let mut builder = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            .no_proxy()
            .timeout(timeout);
        match authorities {
            Some(file) => {
                let shown = file.display();
                let pem = std::fs::read(file).with_context(|| format!("cannot read {shown}"))?;
                let found = Certificate::from_pem_bundle(&pem);
                let found = found.with_context(|| format!("cannot use {shown}"))?;
                ensure!(!found.is_empty(), "{shown} holds no certificate in PEM");
                builder = builder.tls_certs_only(found);
            }
            // The system's authorities are loaded only for who needs them: a container may have none.
            None if endpoint.scheme() == "http" => builder = builder.tls_certs_only([]),
            None => {}
        }
        let http = builder.build().context(
            "the system's certificate authorities cannot be used, name some by --otlp-certificate",
        )?;
        Ok(Self {
            http,
            runtime: Handle::current(),
        })
    }
}

#[async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        // The thread that asks has no reactor.
        let sent = self.runtime.spawn(async move {
            let answer = http.execute(request.try_into()?).await?;
            let mut response = Response::builder().status(answer.status());
            for (name, value) in answer.headers() {
                response = response.header(name, value);
            }
            Ok(response.body(Bytes::new())?)
        });
        sent.await?
    }
}
