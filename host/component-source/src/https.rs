//! A component at a URL.

use reqwest::header::HeaderMap;
use reqwest::{StatusCode, Url};

use crate::error::FetchError;
use crate::http::{Http, Request, Transport};

/// Most bytes of a signature beside a component.
const SIGNATURE_LIMIT: usize = 256 << 10;

/// An HTTPS server, as one fetch sees it.
pub struct Download {
    http: Http,
    url: Url,
    /// Its content is verified by a digest afterwards, so that it may come from anywhere.
    pinned: bool,
}

impl Download {
    /// The server of a URL. `pinned`: whoever asks compares the digest of what comes.
    ///
    /// # Errors
    /// When it is one that is not asked, or its certificate authorities cannot be used.
    pub fn open(url: &str, transport: Transport, pinned: bool) -> Result<Self, FetchError> {
        let place = without_credentials(url);
        let parsed = Url::parse(url).map_err(|error| FetchError::Forbidden {
            place: place.clone(),
            reason: format!("it is no URL: {error}"),
        })?;
        Ok(Self {
            http: Http::new(place, &parsed, transport)?,
            url: parsed,
            pinned,
        })
    }

    /// Fetches the component, of at most so many bytes.
    ///
    /// # Errors
    /// When it does not come, or is too large.
    pub async fn component(&self, limit: usize) -> Result<Vec<u8>, FetchError> {
        let found = self.get(&self.url, limit, "a component").await?;
        found.ok_or_else(|| FetchError::NotFound {
            place: self.http.place().to_owned(),
        })
    }

    /// Fetches the signature that lies beside it, if there is one: the same URL with `.sig` after its path.
    ///
    /// # Errors
    /// When nobody can say.
    pub async fn signature(&self) -> Result<Option<Vec<u8>>, FetchError> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}.sig", self.url.path()));
        self.get(&url, SIGNATURE_LIMIT, "a signature").await
    }

    async fn get(
        &self,
        url: &Url,
        limit: usize,
        what: &'static str,
    ) -> Result<Option<Vec<u8>>, FetchError> {
        let request = Request::get(url.clone(), HeaderMap::new(), limit, what);
        let first = self.http.send(request).await?;
        let origin = (!self.pinned).then_some(&self.url);
        let followed = self
            .http
            .follow(first, url, HeaderMap::new(), origin, limit, what);
        let answer = followed.await?;
        let place = || self.http.place().to_owned();
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK => Ok(Some(answer.body)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(FetchError::AccessDenied {
                place: place(),
                reason: "the server wants credentials, and a URL has none: push the component to a registry instead".to_owned(),
            }),
            status => Err(self.http.status(url, status)),
        }
    }
}

/// A URL without its user and its query, which may hold a credential: what is said of it is read by people who may not see
/// that.
pub fn without_credentials(url: &str) -> String {
    let Ok(mut shown) = Url::parse(url) else {
        return url.split(['?', '#']).next().unwrap_or_default().to_owned();
    };
    // Neither fails for a URL with a host.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    let has_query = shown.query().is_some();
    shown.set_query(None);
    shown.set_fragment(None);
    let query = if has_query { "?..." } else { "" };
    format!("{shown}{query}")
}

#[cfg(test)]
#[path = "https_tests.rs"]
mod tests;
