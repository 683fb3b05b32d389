//! Services that have asked to be left alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use mcp_operator_core::registration::HttpResponse;
use mcp_operator_core::retry::retry_after_header;
use reqwest::Url;
use tokio::time::Instant;

/// Which services want no request now, and until when. All passes share one: another plugin, other settings or another
/// key are no reason to ask earlier.
#[derive(Clone, Debug, Default)]
pub struct LeftAlone(Arc<Mutex<HashMap<String, Instant>>>);

impl LeftAlone {
    /// How long a service is left alone from now on.
    pub(super) fn remaining(&self, base: &Url) -> Option<Duration> {
        let mut until = self.until();
        until.retain(|_, end| *end > Instant::now());
        let end = until.get(&service(base))?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Notes what an answer asks for.
    pub(super) fn heed(&self, base: &Url, answer: &HttpResponse) {
        if let Some(wait) = retry_after(answer) {
            self.until().insert(service(base), Instant::now() + wait);
        }
    }

    fn until(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A service has one host and port, whatever the path.
fn service(base: &Url) -> String {
    base.origin().ascii_serialization()
}

/// When a service that cannot answer now wants to be asked again.
fn retry_after(answer: &HttpResponse) -> Option<Duration> {
    let header = answer
        .headers
        .iter()
        .find(|(name, _)| name == "retry-after");
    header
        .filter(|_| matches!(answer.status, 429 | 503))
        .and_then(|(_, value)| retry_after_header(value, Timestamp::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> HttpResponse {
        HttpResponse {
            status,
            headers: vec![("retry-after".into(), "7".into())],
            body: String::new(),
        }
    }

    #[test]
    fn only_who_is_overloaded_is_left_alone() {
        let wait = |status| retry_after(&answer(status)).map(|wait| wait.as_secs());
        assert_eq!((wait(429), wait(503)), (Some(7), Some(7)));
        assert_eq!((wait(200), wait(500)), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_is_left_alone_by_all_and_no_longer_than_it_asked() {
        let url = |text: &str| Url::parse(text).unwrap();
        let left_alone = LeftAlone::default();
        left_alone.heed(&url("http://a:4000/"), &answer(429));
        let other = left_alone.clone();
        assert!(other.remaining(&url("http://a:4000/litellm")).is_some());
        assert!(other.remaining(&url("http://b:4000/")).is_none());
        tokio::time::advance(Duration::from_secs(8)).await;
        assert!(other.remaining(&url("http://a:4000/")).is_none());
    }
}
