//! One request and its answer.

use mcp_operator_core::registration_plan::{HttpRequest, HttpResponse};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response, Url};

use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::ExchangeError;

/// Most bytes of what answers a read. LiteLLM lists a server in about 2 kB.
const READ_LIMIT: usize = 32 << 20;
/// Most bytes of what answers a change: only the beginning of an error is used.
const CHANGE_LIMIT: usize = 1 << 20;
/// What stands where a service repeated the credential.
const REDACTED: &str = "[redacted]";
/// Headers that belong to the connection and not to a plugin, and by which some servers let a request be another one than it
/// seems. Besides these, none that begins with `proxy-` or `x-forwarded-`.
const RESERVED_HEADERS: [&str; 15] = [
    "authorization",
    "host",
    "connection",
    "content-length",
    "cookie",
    "forwarded",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];
const RESERVED_PREFIXES: [&str; 2] = ["proxy-", "x-forwarded-"];

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It changes nothing.
    Read,
    /// It changes something.
    Change,
}

impl Purpose {
    fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Read => &["GET", "HEAD"],
            Self::Change => &["POST", "PUT", "PATCH", "DELETE"],
        }
    }

    fn limit(self) -> usize {
        match self {
            Self::Read => READ_LIMIT,
            Self::Change => CHANGE_LIMIT,
        }
    }
}

pub(crate) async fn exchange(
    endpoint: &Endpoint,
    credential: Option<&Credential>,
    request: &HttpRequest,
    purpose: Purpose,
) -> Result<HttpResponse, ExchangeError> {
    let forbidden = |reason| ExchangeError::Forbidden {
        connection: endpoint.name.clone(),
        request: format!("{} {}", request.method, request.path),
        reason,
    };
    let method = method(&request.method, purpose).map_err(forbidden)?;
    let url = url_below(&endpoint.base, &request.path).map_err(forbidden)?;
    let mut headers = headers(&request.headers).map_err(forbidden)?;
    if let Some(credential) = credential {
        headers.insert(AUTHORIZATION, credential.header.clone());
    }
    let mut builder = endpoint.http.request(method, url).timeout(endpoint.timeout);
    if let Some(body) = &request.body {
        headers
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("application/json"));
        builder = builder.body(body.clone());
    }
    let response = builder
        .headers(headers)
        .send()
        .await
        .map_err(|error| network_error(endpoint, &error))?;
    let mut answer = read(endpoint, response, purpose.limit()).await?;
    if let Some(credential) = credential {
        redact(&mut answer, &credential.token);
    }
    Ok(answer)
}

fn method(name: &str, purpose: Purpose) -> Result<Method, String> {
    let allowed = purpose.methods();
    if !allowed.contains(&name) {
        return Err(format!("its method must be one of {}", allowed.join(", ")));
    }
    Method::from_bytes(name.as_bytes()).map_err(|error| error.to_string())
}

/// The path below the base URL; nothing beside it can be named, whatever the path.
fn url_below(base: &Url, path: &str) -> Result<Url, String> {
    if !path.starts_with('/') || path.starts_with("//") || path.contains(['\\', '#']) {
        return Err("its path must begin with one / and hold neither \\ nor #".into());
    }
    let (segments, _query) = path.split_once('?').unwrap_or((path, ""));
    let segments = segments.to_ascii_lowercase();
    // Some servers decode a path before they walk it, some even twice.
    if ["%2e", "%2f", "%5c", "%25"]
        .iter()
        .any(|encoded| segments.contains(encoded))
    {
        return Err("its path must not hold an encoded . / \\ or %".into());
    }
    let prefix = base.as_str().trim_end_matches('/');
    let url = Url::parse(&format!("{prefix}{path}")).map_err(|error| error.to_string())?;
    let folder = base.path().trim_end_matches('/');
    let is_below = url
        .path()
        .strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'));
    if url.origin() == base.origin() && is_below {
        Ok(url)
    } else {
        Err("its path leads out of the connection's base URL".into())
    }
}

fn headers(wanted: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in wanted {
        let invalid = || format!("its header {name:?} is none");
        let name = HeaderName::try_from(name).map_err(|_| invalid())?;
        let has_prefix = |prefix: &&str| name.as_str().starts_with(*prefix);
        if RESERVED_HEADERS.contains(&name.as_str()) || RESERVED_PREFIXES.iter().any(has_prefix) {
            return Err(format!("the header {name} is the operator's own"));
        }
        headers.append(name, HeaderValue::try_from(value).map_err(|_| invalid())?);
    }
    Ok(headers)
}

async fn read(
    endpoint: &Endpoint,
    mut response: Response,
    limit: usize,
) -> Result<HttpResponse, ExchangeError> {
    let too_large = || ExchangeError::TooLarge {
        connection: endpoint.name.clone(),
        limit,
    };
    let announced = response
        .content_length()
        .and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut body = Vec::with_capacity(announced.unwrap_or_default());
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| network_error(endpoint, &error))?
    {
        if body.len() + chunk.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        (
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    };
    Ok(HttpResponse {
        status: response.status().as_u16(),
        headers: response.headers().iter().map(text).collect(),
        body: String::from_utf8(body)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    })
}

/// A service may repeat what it was sent; the plugin that reads the answer must not learn the credential by that.
fn redact(answer: &mut HttpResponse, token: &str) {
    let texts = answer.headers.iter_mut().map(|(_, value)| value);
    for text in texts.chain([&mut answer.body]) {
        if text.contains(token) {
            *text = text.replace(token, REDACTED);
        }
    }
}

fn network_error(endpoint: &Endpoint, error: &reqwest::Error) -> ExchangeError {
    let connection = endpoint.name.clone();
    if error.is_timeout() {
        return ExchangeError::Timeout {
            connection,
            milliseconds: endpoint.timeout.as_millis(),
        };
    }
    // The last cause says it best: "Connection refused", "certificate has expired".
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let base = &endpoint.base;
    if error.is_connect() {
        let reason = format!("{base} cannot be reached: {cause}");
        ExchangeError::Unreachable { connection, reason }
    } else {
        let reason = format!("{base} does not answer: {cause}");
        ExchangeError::Interrupted { connection, reason }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_stays_below_the_base_url() {
        let base = Url::parse("https://gateway.test:4000/litellm").unwrap();
        let found = url_below(&base, "/v1/mcp/server?ids=a%2Fb").unwrap();
        assert_eq!(
            found.as_str(),
            "https://gateway.test:4000/litellm/v1/mcp/server?ids=a%2Fb"
        );
        for path in [
            "/../admin",
            "/%2e%2e/admin",
            "/a/../../b",
            "/..%2f..%2fadmin",
            "/a/%252e%252e%252fadmin",
            "/..%5Cadmin",
            "v1",
            "//evil.test/",
            "/\\evil.test",
            "/..",
            "",
        ] {
            assert!(url_below(&base, path).is_err(), "{path}");
        }
    }

    #[test]
    fn headers_of_the_connection_are_refused() {
        for name in [
            "Authorization",
            "HOST",
            "proxy-authorization",
            "Transfer-Encoding",
            "X-HTTP-Method-Override",
            "X-Forwarded-For",
            "x-original-url",
            "a b",
        ] {
            assert!(headers(&[(name.into(), "x".into())]).is_err(), "{name}");
        }
        assert!(headers(&[("x-trace".into(), "a\r\nhost: b".into())]).is_err());
        assert!(headers(&[("x-trace".into(), "1".into())]).is_ok());
    }

    /// As LiteLLM does where it refuses a key.
    #[test]
    fn a_credential_that_is_repeated_is_not_passed_on() {
        let mut answer = HttpResponse {
            status: 401,
            headers: vec![("x-you-said".into(), "Bearer sk-secret".into())],
            body: r#"{"error":"Received API Key = sk-secret, sk-secret"}"#.into(),
        };
        redact(&mut answer, "sk-secret");
        assert_eq!(answer.headers[0].1, "Bearer [redacted]");
        assert_eq!(
            answer.body,
            r#"{"error":"Received API Key = [redacted], [redacted]"}"#
        );
    }

    proptest! {
        #[test]
        fn no_path_leads_elsewhere(path in "/?[-a-z0-9./%\\\\@:?#\\PC]{0,40}") {
            let base = Url::parse("http://gateway.test/api/v2/").unwrap();
            if let Ok(url) = url_below(&base, &path) {
                prop_assert_eq!(url.origin(), base.origin());
                prop_assert!(url.path().starts_with("/api/v2/"));
            }
        }
    }
}
