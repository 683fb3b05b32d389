//! Says when the certificate that is served should have been renewed long ago, and was not.
//!
//! It is said as an event about the webhook configuration `mcp-operator`, which is there whoever makes the certificate, and is
//! what no longer works when that has expired. It is no condition: the configuration has no status, and the Secret or the
//! files may be somebody else's. Nor does it make the pod unready: no pod would be left, and the API server's own words
//! ("certificate has expired") say more than that nobody answers.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType};
use kube::{Api, Client, Resource};
use mcp_operator_runtime::{Events, Leadership, request};
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::certificate::Facts;
use super::configuration::NAME;
use super::serving_cert::ServingCert;

/// How often it is looked at.
const INTERVAL: Duration = Duration::from_secs(10);
/// How often the same is said again.
const REPEAT: Duration = Duration::from_hours(1);

/// Why somebody has to do something about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Overdue {
    /// One CamelCase word.
    reason: &'static str,
    /// One sentence.
    message: String,
}

/// What was said last, and when.
#[derive(Default)]
struct Said(Option<(Overdue, Instant)>);

impl Said {
    /// Whether this has not been said for a while; from now on it has.
    fn is_news(&mut self, overdue: &Overdue) -> bool {
        let known = self.0.as_ref();
        if known.is_some_and(|(known, at)| known == overdue && at.elapsed() < REPEAT) {
            return false;
        }
        self.0 = Some((overdue.clone(), Instant::now()));
        true
    }
}

/// Looks at the certificate that is served.
pub(crate) struct CertificateExpiry {
    pub(crate) client: Client,
    pub(crate) serving: ServingCert,
    pub(crate) events: Events,
    /// All replicas log it, the leader writes the event.
    pub(crate) leadership: Leadership,
    /// What helps, as the end of a sentence.
    pub(crate) remedy: &'static str,
}

impl CertificateExpiry {
    /// For as long as the process runs.
    pub(crate) async fn watch(self) {
        let (mut logged, mut published) = (Said::default(), Said::default());
        loop {
            let facts = self.serving.facts();
            let overdue = facts.and_then(|facts| overdue(&facts, Timestamp::now(), self.remedy));
            if let Some(overdue) = &overdue {
                if logged.is_news(overdue) {
                    warn!(category = overdue.reason, "{}", overdue.message);
                }
                if self.leadership.is_held() && published.is_news(overdue) {
                    self.publish(overdue).await;
                }
            } else {
                (logged, published) = (Said::default(), Said::default());
            }
            sleep(INTERVAL).await;
        }
    }

    async fn publish(&self, overdue: &Overdue) {
        let event = Event {
            type_: EventType::Warning,
            reason: overdue.reason.to_owned(),
            note: Some(overdue.message.clone()),
            action: "Serve".into(),
            secondary: None,
        };
        let about = about(&self.client).await;
        self.events.publish(event, &about).await;
    }
}

/// The webhook configuration, with its uid where the operator may read it.
async fn about(client: &Client) -> ObjectReference {
    let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let action = || format!("get ValidatingWebhookConfiguration {NAME}");
    match request(action, api.get(NAME)).await {
        Ok(found) => found.object_ref(&()),
        Err(_) => ObjectReference {
            api_version: Some("admissionregistration.k8s.io/v1".into()),
            kind: Some("ValidatingWebhookConfiguration".into()),
            name: Some(NAME.into()),
            ..ObjectReference::default()
        },
    }
}

/// Renewals come after two thirds of the time, by the operator and by cert-manager; half of what is left is enough for them.
fn overdue(facts: &Facts, now: Timestamp, remedy: &str) -> Option<Overdue> {
    let life = facts.expires.duration_since(facts.issued);
    let expires = facts.expires;
    if now >= expires {
        return Some(Overdue {
            reason: "CertificateExpired",
            message: format!(
                "The certificate of the admission webhook has expired at {expires}, and no MCPServer can be created or changed: {remedy}"
            ),
        });
    }
    (now >= facts.issued + life * 5 / 6).then(|| Overdue {
        reason: "CertificateNotRenewed",
        message: format!(
            "The certificate of the admission webhook expires at {expires} and should have been renewed by now; after that no MCPServer can be created or changed: {remedy}"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_renewed_in_time_is_not_spoken_of() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let facts = Facts {
            issued: at("2026-01-01T00:00:00Z"),
            expires: at("2026-04-01T00:00:00Z"),
            names: Vec::new(),
        };
        let reason = |now: &str| overdue(&facts, at(now), "do it").map(|it| it.reason);
        assert_eq!(reason("2026-03-02T00:00:00Z"), None, "when it is renewed");
        assert_eq!(reason("2026-03-16T23:59:59Z"), None);
        let late = Some("CertificateNotRenewed");
        assert_eq!(reason("2026-03-17T00:00:00Z"), late);
        assert_eq!(reason("2026-03-31T23:59:59Z"), late);
        let expired = Some("CertificateExpired");
        assert_eq!(reason("2026-04-01T00:00:00Z"), expired);
        let told = overdue(&facts, facts.expires, "do it").unwrap().message;
        assert!(
            told.contains("expired at 2026-04-01T00:00:00Z") && told.ends_with(": do it"),
            "{told}"
        );
    }
}
