//! What time it is for the API server.

use hyper::header::DATE;
use hyper::{HeaderMap, Request};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use kube::Client;
use kube::client::Body;

use crate::error::{ApiError, request};

/// By the `Date` of an answer of the API server, to the second; nothing, if something in between leaves that out.
///
/// What the API server is to judge by a time (a certificate that it is shown) is made by this clock: the one of a node may
/// be wrong by days.
///
/// # Errors
/// When it does not answer.
pub async fn api_server_time(client: &Client) -> Result<Option<Timestamp>, ApiError> {
    let ask = async {
        let version = Request::get("/version").body(Body::empty());
        client.send(version.map_err(kube::Error::HttpError)?).await
    };
    let answer = request(|| "ask the API server for its time".to_owned(), ask).await?;
    Ok(date(answer.headers()))
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = headers.get(DATE)?.to_str().ok()?;
    DateTimeParser::new().parse_timestamp(date).ok()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn a_date_is_read_as_servers_write_it() {
        let read = |text: &str| {
            let headers = [(DATE, HeaderValue::from_str(text).unwrap())];
            date(&headers.into_iter().collect()).map(|date| date.to_string())
        };
        let expected = Some("2026-11-30T00:36:35Z".to_owned());
        assert_eq!(read("Mon, 30 Nov 2026 00:36:35 GMT"), expected);
        assert_eq!(read("yesterday"), None);
        assert_eq!(date(&HeaderMap::new()), None);
    }
}
