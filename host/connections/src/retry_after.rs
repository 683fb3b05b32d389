//! Services that have asked for a pause by `Retry-After`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use mcp_operator_core::registration_plan::HttpResponse;
use mcp_operator_core::retry::retry_after_header;
use reqwest::Url;
use tokio::time::Instant;

/// Which services want no request now, and until when. All passes share one: another plugin, other settings or another
/// key are no reason to ask earlier.
#[derive(Clone, Debug, Default)]
pub struct RetryAfterGate(Arc<Mutex<HashMap<String, Instant>>>);

impl RetryAfterGate {
    /// How long a service wants no request from now on. Nothing: it may be asked.
    pub(crate) fn closed_for(&self, base: &Url) -> Option<Duration> {
        let mut until = self.until();
        until.retain(|_, end| *end > Instant::now());
        let end = until.get(&origin(base))?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Closes for as long as an answer asks for.
    pub(crate) fn record_answer(&self, base: &Url, answer: &HttpResponse) {
        if let Some(wait) = retry_after(answer) {
            self.until().insert(origin(base), Instant::now() + wait);
        }
    }

    fn until(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Scheme, host and port, whatever the path: what names a service.
fn origin(base: &Url) -> String {
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
    fn only_who_is_overloaded_gets_a_pause() {
        let wait = |status| retry_after(&answer(status)).map(|wait| wait.as_secs());
        assert_eq!((wait(429), wait(503)), (Some(7), Some(7)));
        assert_eq!((wait(200), wait(500)), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_kept_by_all_and_is_no_longer_than_asked() {
        let url = |text: &str| Url::parse(text).unwrap();
        let gate = RetryAfterGate::default();
        gate.record_answer(&url("http://a:4000/"), &answer(429));
        let other = gate.clone();
        assert!(other.closed_for(&url("http://a:4000/litellm")).is_some());
        assert!(other.closed_for(&url("http://b:4000/")).is_none());
        tokio::time::advance(Duration::from_secs(8)).await;
        assert!(other.closed_for(&url("http://a:4000/")).is_none());
    }
}
