//! A server that moves from here to elsewhere, or back: callers find it all the time, since what they use stays until the
//! gateway sends them to the other place.

use kube::ResourceExt;
use mcp_operator_api::names::conditions::{AVAILABLE, LITELLM_REGISTERED};
use mcp_operator_api::v1alpha1::McpServer;
use serde_json::json;

use super::url;
use crate::conditions;
use crate::desired_entries::{Candidate, DesiredEntries};
use crate::rollout_budget::without_what_is_removed;
use crate::server_key::ServerKey;

/// What is said about pods that wait for the gateway.
pub const WAITING: &str = "its pods stay until LiteLLM uses the remote server";

/// Whether the gateway may still send callers to the pods of a server that is remote now: it does not say yet how it stands
/// with the present specification.
pub fn gateway_needs_pods(server: &McpServer) -> bool {
    let status = server.status.as_ref();
    let said = status.and_then(|status| conditions::find(&status.conditions, LITELLM_REGISTERED));
    server.spec.remote.is_some()
        && said.is_some_and(|said| {
            said.status == "Unknown" || said.observed_generation != server.metadata.generation
        })
}

/// Keeps entries of servers that were remote and are to run here as they were, without what they should no longer have, as
/// long as no pod of them serves.
pub fn keep_remote_until_pods_serve(
    desired: &mut DesiredEntries,
    previous: &DesiredEntries,
    candidates: &[Candidate<'_>],
) {
    for candidate in candidates {
        let server = &candidate.server;
        if server.spec.remote.is_some() || serves(server) {
            continue;
        }
        let key = ServerKey::of(&**server);
        let Some(entry) = desired.find_mut(&key) else {
            continue;
        };
        let before = previous
            .find(&key)
            .filter(|before| server.uid().as_deref() == Some(before.uid.as_str()));
        match (before, &candidate.remote_url) {
            (Some(before), _) if before.is_remote => {
                *entry = without_what_is_removed(before, entry);
            }
            // After a start nobody knows more of what it was.
            (None, Some(url)) => {
                entry.url.clone_from(url);
                entry.is_remote = true;
            }
            _ => {}
        }
    }
}

/// A URL that a status names as the one that the gateway was told. Statuses can be written by others, too: one that no namespace
/// may use without a word of the platform is not believed.
pub fn believed_url(url: &str) -> Option<String> {
    let server = json!({ "spec": { "remote": { "url": url } } });
    url::errors(&server, None)
        .is_empty()
        .then(|| url.to_owned())
}

fn serves(server: &McpServer) -> bool {
    let status = server.status.as_ref();
    status.is_some_and(|status| conditions::is_true(&status.conditions, AVAILABLE))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use serde_json::{Value, json};

    use super::*;
    use crate::build::Settings;
    use crate::desired_entries::RegistrationEntry;
    use crate::registration_basis::RegistrationBasis;

    fn server(spec: Value, conditions: &[(&str, &str, i64)]) -> McpServer {
        let conditions = conditions.iter().map(|(kind, status, generation)| json!({
            "type": kind, "status": status, "reason": "Test", "message": "", "observedGeneration": generation,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }));
        serde_json::from_value(json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": "a", "namespace": "tools", "uid": "1", "generation": 2 },
            "spec": spec, "status": { "conditions": conditions.collect::<Vec<_>>() },
        }))
        .unwrap()
    }

    fn remote() -> Value {
        json!({ "remote": { "url": "https://mcp.example.com/mcp" } })
    }

    fn here() -> Value {
        json!({ "image": { "repository": "acme/mcp" } })
    }

    #[test]
    fn pods_stay_until_the_gateway_says_how_it_stands() {
        for (conditions, expected) in [
            (vec![], false),
            (vec![(LITELLM_REGISTERED, "True", 1)], true),
            (vec![(LITELLM_REGISTERED, "Unknown", 2)], true),
            (vec![(LITELLM_REGISTERED, "True", 2)], false),
            // It has no entry that could lead anybody to them.
            (vec![(LITELLM_REGISTERED, "False", 2)], false),
        ] {
            let needs = gateway_needs_pods(&server(remote(), &conditions));
            assert_eq!(needs, expected, "{conditions:?}");
            assert!(!gateway_needs_pods(&server(here(), &conditions)));
        }
    }

    fn entries(server: &McpServer) -> DesiredEntries {
        let entry = RegistrationEntry::of(server, &Settings::default());
        let entries = vec![entry];
        DesiredEntries {
            entries,
            ..DesiredEntries::default()
        }
    }

    fn url_of(now: &McpServer, before: &McpServer) -> String {
        let mut desired = entries(now);
        let candidate = Candidate::new(Cow::Borrowed(now), RegistrationBasis::Unknown);
        keep_remote_until_pods_serve(&mut desired, &entries(before), &[candidate]);
        desired.entries[0].url.clone()
    }

    #[test]
    fn the_remote_server_is_called_until_a_pod_serves() {
        let elsewhere = "https://mcp.example.com/mcp";
        let service = "http://mcp-a.tools.svc.cluster.local:8080/mcp";
        let before = server(remote(), &[]);
        assert_eq!(url_of(&server(here(), &[]), &before), elsewhere);
        let starting = server(here(), &[(AVAILABLE, "False", 2)]);
        assert_eq!(url_of(&starting, &before), elsewhere);
        let serving = server(here(), &[(AVAILABLE, "True", 2)]);
        assert_eq!(url_of(&serving, &before), service);
        // Pods that are away for a moment are no reason to change anything.
        assert_eq!(url_of(&starting, &serving), service);
        let mut another = server(remote(), &[]);
        another.metadata.uid = Some("2".into());
        assert_eq!(url_of(&starting, &another), service);
    }

    #[test]
    fn after_a_start_what_the_gateway_was_told_counts() {
        let elsewhere = "https://mcp.example.com/mcp";
        let url_of = |now: &McpServer, previous: &DesiredEntries| {
            let mut desired = entries(now);
            let candidate = Candidate {
                remote_url: Some(elsewhere.into()),
                ..Candidate::new(Cow::Borrowed(now), RegistrationBasis::Unknown)
            };
            keep_remote_until_pods_serve(&mut desired, previous, &[candidate]);
            desired.entries[0].url.clone()
        };
        let service = "http://mcp-a.tools.svc.cluster.local:8080/mcp";
        let starting = server(here(), &[(AVAILABLE, "False", 2)]);
        let serving = server(here(), &[(AVAILABLE, "True", 2)]);
        assert_eq!(url_of(&starting, &DesiredEntries::default()), elsewhere);
        assert_eq!(url_of(&serving, &DesiredEntries::default()), service);
        // What this process did itself says more.
        assert_eq!(url_of(&starting, &entries(&serving)), service);
    }

    #[test]
    fn a_status_leads_nobody_into_the_cluster() {
        let fine = "https://mcp.example.com/mcp";
        assert_eq!(believed_url(fine).as_deref(), Some(fine));
        for url in [
            "http://mcp.example.com/mcp",
            "https://10.0.0.1/mcp",
            "http://169.254.169.254/latest",
            "https://vault.vault.svc.cluster.local/v1",
            "text",
        ] {
            assert_eq!(believed_url(url), None, "{url}");
        }
    }
}
