//! An artifact of an OCI registry: found, fetched, pushed.

use std::sync::{Mutex, PoisonError};

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;

use crate::challenge::{Challenge, challenge};
use crate::credentials::Credentials;
use crate::digest::Digest;
use crate::error::FetchError;
use crate::http::{Answer, Http, Request, Transport};
use crate::manifest::{ACCEPTED, Descriptor, Manifest};
use crate::reference::Reference;

/// Most bytes of a manifest: what registries take at most is four times that.
const MANIFEST_LIMIT: usize = 1 << 20;
const TOKEN_LIMIT: usize = 64 << 10;

/// What is in a manifest: its bytes, and what they say.
pub(crate) struct Stored {
    pub(crate) bytes: Vec<u8>,
    pub(crate) manifest: Manifest,
    content_type: String,
}

/// A component in a registry, found but not fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Digest of the manifest: what a tag stands for, and what is signed.
    pub digest: Digest,
    /// SHA-256 of the component.
    pub component: Digest,
    /// The artifact by its digest alone.
    pub pinned: String,
    pub(crate) size: u64,
    /// Of the manifest, in bytes.
    pub(crate) manifest_size: u64,
    pub(crate) manifest_type: String,
}

/// What a service of tokens answers, in one of two words.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// A registry, as one fetch or push sees it.
pub struct Registry {
    http: Http,
    base: Url,
    reference: Reference,
    credentials: Credentials,
    /// What the registry wanted to see.
    authorization: Mutex<Option<HeaderValue>>,
    /// `pull`, or `pull,push`.
    actions: &'static str,
}

impl Registry {
    /// The registry of a reference, to read from it.
    ///
    /// # Errors
    /// When it is one that is not asked, or its certificate authorities cannot be used.
    pub fn open(
        reference: &Reference,
        credentials: Credentials,
        transport: Transport,
    ) -> Result<Self, FetchError> {
        let scheme = if transport.plain_http {
            "http"
        } else {
            "https"
        };
        let place = reference.to_string();
        let base = format!(
            "{scheme}://{}/v2/{}/",
            reference.api_host(),
            reference.repository()
        );
        let base = Url::parse(&base).map_err(|error| FetchError::Forbidden {
            place: place.clone(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            http: Http::new(place, &base, transport)?,
            base,
            reference: reference.clone(),
            credentials,
            authorization: Mutex::default(),
            actions: "pull",
        })
    }

    /// The same, to write into it too.
    ///
    /// # Errors
    /// As [`Registry::open`].
    pub fn open_to_push(
        reference: &Reference,
        credentials: Credentials,
        transport: Transport,
    ) -> Result<Self, FetchError> {
        let registry = Self::open(reference, credentials, transport)?;
        Ok(Self {
            actions: "pull,push",
            ..registry
        })
    }

    pub(crate) fn reference(&self) -> &Reference {
        &self.reference
    }

    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// Finds out what the reference stands for now.
    ///
    /// # Errors
    /// When nobody can say, or it is no component.
    pub async fn resolve(&self) -> Result<Artifact, FetchError> {
        let stored = self.manifest(&self.reference.version()).await?;
        let stored = stored.ok_or_else(|| FetchError::NotFound {
            place: self.http.place().to_owned(),
        })?;
        let digest = Digest::of(&stored.bytes);
        let component = stored.manifest.component(&stored.content_type);
        let (component, size) = component.map_err(|reason| FetchError::NotAComponent {
            place: self.http.place().to_owned(),
            reason,
        })?;
        let media_type = stored.manifest.media_type.unwrap_or(stored.content_type);
        Ok(Artifact {
            digest,
            component,
            pinned: self.reference.pinned(digest),
            size,
            manifest_size: stored.bytes.len() as u64,
            manifest_type: media_type,
        })
    }

    /// Fetches the component, of at most so many bytes.
    ///
    /// # Errors
    /// When it does not come, is too large, or is not what the artifact promises.
    pub async fn component(
        &self,
        artifact: &Artifact,
        limit: usize,
    ) -> Result<Vec<u8>, FetchError> {
        if artifact.size > limit as u64 {
            return Err(FetchError::TooLarge {
                place: self.http.place().to_owned(),
                what: "a component",
                limit,
            });
        }
        self.blob(artifact.component, limit, "a component").await
    }

    /// A manifest by its tag or digest; nothing if it is not there.
    pub(crate) async fn manifest(&self, version: &str) -> Result<Option<Stored>, FetchError> {
        let url = self.url(&format!("manifests/{version}"))?;
        let wanted = version.parse::<Digest>().ok();
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(ACCEPTED))]);
        // A tag can be believed from the registry only; whoever has the digest may have the manifest.
        let origin = wanted.is_none().then_some(&self.base);
        let answer = self
            .fetch(&url, headers, origin, MANIFEST_LIMIT, "a manifest")
            .await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.expect(&url, &answer)?;
        if let Some(wanted) = wanted {
            self.is_what_was_wanted(&answer.body, wanted)?;
        }
        let manifest = serde_json::from_slice(&answer.body).map_err(|error| {
            self.http
                .protocol(&url, &format!("a manifest that cannot be read: {error}"))
        })?;
        let content_type = answer.headers.get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        Ok(Some(Stored {
            manifest,
            content_type: content_type.unwrap_or_default().to_owned(),
            bytes: answer.body,
        }))
    }

    /// Content by its digest, from wherever the registry keeps it.
    pub(crate) async fn blob(
        &self,
        wanted: Digest,
        limit: usize,
        what: &'static str,
    ) -> Result<Vec<u8>, FetchError> {
        let url = self.url(&format!("blobs/{wanted}"))?;
        let answer = self
            .fetch(&url, HeaderMap::new(), None, limit, what)
            .await?;
        self.expect(&url, &answer)?;
        self.is_what_was_wanted(&answer.body, wanted)?;
        Ok(answer.body)
    }

    /// What says that it belongs to a manifest. Nothing: the registry does not know by itself.
    pub(crate) async fn referrers(
        &self,
        subject: Digest,
    ) -> Result<Option<Vec<Descriptor>>, FetchError> {
        let url = self.url(&format!("referrers/{subject}"))?;
        let answer = self.get(
            url.clone(),
            HeaderMap::new(),
            MANIFEST_LIMIT,
            "a list of referrers",
        );
        let answer = answer.await?;
        // One that is only out of order is not one that has no such list: what is signed would seem not to be.
        if answer.status.is_server_error()
            || matches!(
                answer.status,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
            )
        {
            self.expect(&url, &answer)?;
        }
        if answer.status != StatusCode::OK {
            return Ok(None);
        }
        let index: Option<Manifest> = serde_json::from_slice(&answer.body).ok();
        Ok(index.and_then(|index| index.manifests))
    }

    async fn get(
        &self,
        url: Url,
        headers: HeaderMap,
        limit: usize,
        what: &'static str,
    ) -> Result<Answer, FetchError> {
        self.send(|| Request::get(url.clone(), headers.clone(), limit, what))
            .await
    }

    /// Gets something, from wherever the registry sends for it: from `origin` only, if that is given.
    async fn fetch(
        &self,
        url: &Url,
        headers: HeaderMap,
        origin: Option<&Url>,
        limit: usize,
        what: &'static str,
    ) -> Result<Answer, FetchError> {
        let first = self.get(url.clone(), headers.clone(), limit, what).await?;
        let shown = self
            .authorized(Request::get(url.clone(), headers, limit, what))
            .headers;
        self.http
            .follow(first, url, shown, origin, limit, what)
            .await
    }

    /// Sends a request, and once more with what the registry wants to see.
    pub(crate) async fn send(&self, request: impl Fn() -> Request) -> Result<Answer, FetchError> {
        let answer = self.http.send(self.authorized(request())).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let Some(header) = self.authorize(&answer).await? else {
            return Ok(answer);
        };
        *self
            .authorization
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(header);
        self.http.send(self.authorized(request())).await
    }

    fn authorized(&self, mut request: Request) -> Request {
        let known = self
            .authorization
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        // Where an upload goes is the registry's word, and may be a storage of somebody else.
        if let Some(header) = known.filter(|_| request.url.origin() == self.base.origin()) {
            request.headers.insert(AUTHORIZATION, header);
        }
        request
    }

    /// What the registry wants to see. Nothing: there is nothing more to show.
    async fn authorize(&self, answer: &Answer) -> Result<Option<HeaderValue>, FetchError> {
        match challenge(&answer.headers) {
            None => Ok(None),
            Some(Challenge::Basic) => Ok(self.credentials.basic()),
            Some(Challenge::Bearer {
                realm,
                service,
                scope,
            }) => self.token(&realm, service, scope).await.map(Some),
        }
    }

    /// A token of the service that the registry names. Docker Hub's is another host than the registry; whom the registry
    /// trusts with its passwords is its own word, which came over TLS.
    async fn token(
        &self,
        realm: &str,
        service: Option<String>,
        scope: Option<String>,
    ) -> Result<HeaderValue, FetchError> {
        let no_url = || {
            self.http
                .protocol(&self.base, "that tokens are at a place that is no URL")
        };
        let mut url = Url::parse(realm).map_err(|_| no_url())?;
        let scope = scope.unwrap_or_else(|| {
            format!(
                "repository:{}:{}",
                self.reference.repository(),
                self.actions
            )
        });
        url.query_pairs_mut().append_pair("scope", &scope);
        if let Some(service) = &service {
            url.query_pairs_mut().append_pair("service", service);
        }
        let mut headers = HeaderMap::new();
        if let Some(header) = self.credentials.basic() {
            headers.insert(AUTHORIZATION, header);
        }
        let request = Request::get(url.clone(), headers, TOKEN_LIMIT, "a token");
        let answer = self.http.send(request).await?;
        self.expect(&url, &answer)?;
        let token: Option<Token> = serde_json::from_slice(&answer.body).ok();
        let token = token.and_then(|token| token.token.or(token.access_token));
        let header = token.and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok());
        let mut header = header.ok_or_else(|| self.http.protocol(&url, "without a token"))?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// Whether an answer is what was asked for.
    pub(crate) fn expect(&self, url: &Url, answer: &Answer) -> Result<(), FetchError> {
        let place = || self.http.place().to_owned();
        match answer.status {
            status if status.is_success() => Ok(()),
            StatusCode::NOT_FOUND => Err(FetchError::NotFound { place: place() }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let reason = match self.credentials {
                    Credentials::Anonymous => "the registry wants credentials, and none are given",
                    Credentials::Password { .. } => {
                        "the registry refuses the credentials, or they do not allow this"
                    }
                };
                Err(FetchError::AccessDenied {
                    place: place(),
                    reason: reason.to_owned(),
                })
            }
            status => Err(self.http.status(url, status)),
        }
    }

    fn is_what_was_wanted(&self, bytes: &[u8], wanted: Digest) -> Result<(), FetchError> {
        let found = Digest::of(bytes);
        if found == wanted {
            return Ok(());
        }
        Err(FetchError::DigestMismatch {
            place: self.http.place().to_owned(),
            wanted: wanted.to_string(),
            found: found.to_string(),
        })
    }

    pub(crate) fn url(&self, path: &str) -> Result<Url, FetchError> {
        self.base
            .join(path)
            .map_err(|error| self.http.forbidden(error.to_string()))
    }

    pub(crate) async fn put(
        &self,
        url: Url,
        content_type: &str,
        body: &[u8],
    ) -> Result<Answer, FetchError> {
        let content_type = HeaderValue::try_from(content_type)
            .map_err(|error| self.http.forbidden(error.to_string()))?;
        let request = || Request {
            method: Method::PUT,
            url: url.clone(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type.clone())]),
            body: Some(body.to_vec()),
            limit: MANIFEST_LIMIT,
            what: "an answer",
        };
        let answer = self.send(request).await?;
        self.expect(&url, &answer)?;
        Ok(answer)
    }

    pub(crate) async fn post(&self, url: Url) -> Result<Answer, FetchError> {
        let request = || Request {
            method: Method::POST,
            url: url.clone(),
            headers: HeaderMap::new(),
            body: Some(Vec::new()),
            limit: MANIFEST_LIMIT,
            what: "an answer",
        };
        let answer = self.send(request).await?;
        self.expect(&url, &answer)?;
        Ok(answer)
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
