//! Requests of users that failed because the webhook did not answer, or could not judge.

use super::event::Event;
use super::{Rule, Verdict, Window};

/// How the names of our webhooks end.
const OURS: &str = ".mcpservers.mcp.litellm.ai\"";
/// The API server itself gave up, or who asked it did.
const GIVEN_UP: &str = "context canceled";

pub(crate) fn judge(events: &[Event], taken_away: &[Window], verdict: &mut Verdict) {
    let asked = events.iter().filter(|event| {
        matches!(event.resource.as_str(), "mcpservers" | "mcpservers/scale")
            && matches!(event.verb.as_str(), "create" | "update" | "patch")
            && !event.is_by_operator()
    });
    for event in asked {
        if !is_our_failure(event) {
            // Refused by a rule is judged, too.
            verdict.judged += usize::from(event.code < 500);
        } else if taken_away.iter().any(|window| window.touches(event)) {
            verdict.lost_with_a_replica += 1;
        } else {
            verdict.find(Rule::Admission, [event.line()]);
        }
    }
}

fn is_our_failure(event: &Event) -> bool {
    let ours = event.message.contains(OURS);
    let unanswered =
        event.message.contains("failed calling webhook") && !event.message.contains(GIVEN_UP);
    let could_not =
        event.message.contains("denied the request") && (event.code >= 500 || event.code == 429);
    ours && (unanswered || could_not)
}
