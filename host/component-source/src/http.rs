//! Requests: none without limits, none to where nobody is asked, and no redirect that was not decided about.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Method, Response, StatusCode, Url};

use crate::address::{self, GuardedResolver};
use crate::error::FetchError;

const USER_AGENT: &str = concat!("mcp-operator/", env!("CARGO_PKG_VERSION"));
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Between two pieces of an answer.
const SILENCE_LIMIT: Duration = Duration::from_secs(20);
/// A registry sends to its storage, and that perhaps to a mirror.
const MOST_REDIRECTS: usize = 4;

/// How a server is reached.
#[derive(Clone, Debug, Default)]
pub struct Transport {
    /// Certificate authorities in PEM, which are trusted in the place of the system's.
    pub authorities: Option<String>,
    /// HTTP without TLS, for a server at this machine's own address only.
    pub plain_http: bool,
}

/// A client for one source.
pub(crate) struct Http {
    client: Client,
    transport: Transport,
    may_be_loopback: bool,
    /// What is fetched, for errors.
    place: String,
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// One request.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    /// Most bytes of the answer, and what that is the limit of.
    pub(crate) limit: usize,
    pub(crate) what: &'static str,
}

impl Request {
    pub(crate) fn get(url: Url, headers: HeaderMap, limit: usize, what: &'static str) -> Self {
        Self {
            method: Method::GET,
            url,
            headers,
            body: None,
            limit,
            what,
        }
    }
}

impl Http {
    /// A client for a source whose own URL is `base`.
    pub(crate) fn new(place: String, base: &Url, transport: Transport) -> Result<Self, FetchError> {
        let may_be_loopback = address::is_loopback_name(base);
        let only = authorities(transport.authorities.as_deref())?;
        let builder = builder(may_be_loopback);
        let builder = match only {
            Some(only) => builder.tls_certs_only(only),
            // The system's are loaded only for who needs them: a container may have none.
            None if transport.plain_http => builder.tls_certs_only([]),
            None => builder,
        };
        let http = Self {
            client: build(builder)?,
            transport,
            may_be_loopback,
            place,
        };
        http.refuse_url(base)?;
        Ok(http)
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Sends a request. A redirect is an answer.
    pub(crate) async fn send(&self, request: Request) -> Result<Answer, FetchError> {
        self.send_by(&self.client, request).await
    }

    /// Gets what is verified by its digest afterwards, or can be trusted from `origin` only, if that is given. Another host than
    /// the first is shown nothing of `headers`, so no credentials.
    pub(crate) async fn follow(
        &self,
        first: Answer,
        url: &Url,
        headers: HeaderMap,
        origin: Option<&Url>,
        limit: usize,
        what: &'static str,
    ) -> Result<Answer, FetchError> {
        let (mut answer, mut url, start) = (first, url.clone(), url.origin());
        let mut storage = None;
        for _ in 0..MOST_REDIRECTS {
            if !answer.status.is_redirection() {
                return Ok(answer);
            }
            let next = self.location(&answer, &url)?;
            self.refuse_url(&next)?;
            if origin.is_some_and(|origin| origin.origin() != next.origin()) {
                return Err(self.forbidden(format!(
                    "it is redirected to {}, another host, which is followed only for what is pinned by its digest",
                    next.host_str().unwrap_or_default()
                )));
            }
            url = next;
            let (client, headers) = if url.origin() == start {
                (&self.client, headers.clone())
            } else {
                let client = match &mut storage {
                    Some(client) => &*client,
                    None => storage.insert(self.storage_client()?),
                };
                (client, HeaderMap::new())
            };
            let request = Request::get(url.clone(), headers, limit, what);
            answer = self.send_by(client, request).await?;
        }
        if answer.status.is_redirection() {
            return Err(
                self.forbidden(format!("it is redirected more than {MOST_REDIRECTS} times"))
            );
        }
        Ok(answer)
    }

    async fn send_by(&self, client: &Client, request: Request) -> Result<Answer, FetchError> {
        self.refuse_url(&request.url)?;
        let url = request.url.clone();
        let mut builder = client
            .request(request.method, request.url)
            .headers(request.headers);
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let response = builder.send().await;
        let response = response.map_err(|error| self.unreachable(&url, &error))?;
        self.read(&url, response, request.limit, request.what).await
    }

    async fn read(
        &self,
        url: &Url,
        mut response: Response,
        limit: usize,
        what: &'static str,
    ) -> Result<Answer, FetchError> {
        let too_large = || FetchError::TooLarge {
            place: self.place.clone(),
            what,
            limit,
        };
        let announced = response.content_length();
        let announced = announced.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if announced.is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut body = Vec::with_capacity(announced.unwrap_or_default());
        loop {
            let chunk = response.chunk().await;
            let Some(chunk) = chunk.map_err(|error| self.unreachable(url, &error))? else {
                break;
            };
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body,
        })
    }

    /// Where a redirect leads.
    fn location(&self, answer: &Answer, from: &Url) -> Result<Url, FetchError> {
        let location = answer.headers.get(LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        let url = location.and_then(|location| from.join(location).ok());
        url.ok_or_else(|| self.protocol(from, "a redirect without a place to go to"))
    }

    /// What is fetched by its digest may lie in a storage whose certificate is of a public authority, although the registry's
    /// own is of the company's.
    fn storage_client(&self) -> Result<Client, FetchError> {
        let company = authorities(self.transport.authorities.as_deref())?.unwrap_or_default();
        build(builder(self.may_be_loopback).tls_certs_merge(company))
    }

    fn refuse_url(&self, url: &Url) -> Result<(), FetchError> {
        let is_plain =
            url.scheme() == "http" && self.transport.plain_http && address::is_loopback_name(url);
        if url.scheme() != "https" && !is_plain {
            return Err(self.forbidden(format!(
                "{} is not asked without TLS: only a server at this machine's own address may be, where its source says so",
                url.host_str().unwrap_or_default()
            )));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(self.forbidden("a URL must not hold a credential".to_owned()));
        }
        let refused = match address::refused_literal(url, self.may_be_loopback) {
            None if !self.may_be_loopback && address::is_loopback_name(url) => {
                Some("localhost is this machine itself".to_owned())
            }
            refused => refused,
        };
        match refused {
            Some(reason) => Err(self.forbidden(reason)),
            None => Ok(()),
        }
    }

    pub(crate) fn forbidden(&self, reason: String) -> FetchError {
        FetchError::Forbidden {
            place: self.place.clone(),
            reason,
        }
    }

    pub(crate) fn protocol(&self, url: &Url, reason: &str) -> FetchError {
        FetchError::Protocol {
            place: self.place.clone(),
            host: host(url),
            reason: reason.to_owned(),
        }
    }

    pub(crate) fn status(&self, url: &Url, status: StatusCode) -> FetchError {
        FetchError::Status {
            place: self.place.clone(),
            host: host(url),
            status: status.as_u16(),
        }
    }

    fn unreachable(&self, url: &Url, error: &reqwest::Error) -> FetchError {
        // The last cause says it best: "Connection refused", "certificate has expired".
        let mut cause: &dyn Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        FetchError::Unreachable {
            place: self.place.clone(),
            host: host(url),
            reason: if error.is_timeout() {
                "it did not answer in time".to_owned()
            } else {
                cause.to_string()
            },
        }
    }
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn builder(may_be_loopback: bool) -> ClientBuilder {
    // Only the first call in a process does something.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(SILENCE_LIMIT)
        .no_proxy()
        .dns_resolver(GuardedResolver { may_be_loopback })
}

fn build(builder: ClientBuilder) -> Result<Client, FetchError> {
    builder.build().map_err(|error| {
        let why = error
            .source()
            .map_or_else(|| error.to_string(), ToString::to_string);
        FetchError::Authorities(format!(
            "the system's certificate authorities cannot be used, name some with the source: {why}"
        ))
    })
}

fn authorities(pem: Option<&str>) -> Result<Option<Vec<Certificate>>, FetchError> {
    let Some(pem) = pem else { return Ok(None) };
    let read = Certificate::from_pem_bundle(pem.as_bytes());
    let read = read.map_err(|error| {
        FetchError::Authorities(format!(
            "the certificate authorities cannot be read: {error}"
        ))
    })?;
    if read.is_empty() {
        return Err(FetchError::Authorities(
            "the certificate authorities hold no certificate in PEM".to_owned(),
        ));
    }
    Ok(Some(read))
}
