//! Why a probe fails, in the words of the kubelet's events, and which field ends it.

use k8s_openapi::api::events::v1::Event;
use mcp_operator_api::v1alpha1::{HealthProbes, Probe};

use crate::pods::PodIssue;
use crate::text::one_line;

/// Kubernetes' reason of such an event.
pub const REASON: &str = "Unhealthy";
/// How the kubelet says which status was answered.
const STATUS_CODE: &str = "HTTP probe failed with statuscode: ";
/// What is shown of an answer that is not known here, in bytes.
const LONGEST_OUTPUT: usize = 200;

/// A probe that has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeFailure {
    pod: String,
    probe: ProbeName,
    output: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProbeName {
    Startup,
    Liveness,
    Readiness,
}

impl ProbeName {
    fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
        }
    }
}

impl ProbeFailure {
    /// The last failure among the events of a pod.
    pub fn last<'a>(events: impl IntoIterator<Item = &'a Event>) -> Option<Self> {
        let failures = events
            .into_iter()
            .filter(|event| event.reason.as_deref() == Some(REASON));
        // An event that happens again is counted; only the time says which was the last.
        let last = failures.max_by_key(|event| {
            let series = event
                .series
                .as_ref()
                .map(|series| series.last_observed_time.0);
            let counted = event.deprecated_last_timestamp.as_ref().map(|time| time.0);
            series
                .max(counted)
                .max(event.event_time.as_ref().map(|time| time.0))
        })?;
        let pod = last.regarding.as_ref()?.name.clone()?;
        let (first, output) = last.note.as_deref()?.split_once(" probe failed: ")?;
        let probe = match first {
            "Startup" => ProbeName::Startup,
            "Liveness" => ProbeName::Liveness,
            "Readiness" => ProbeName::Readiness,
            _ => return None,
        };
        Some(Self {
            pod,
            probe,
            output: output.to_owned(),
        })
    }

    /// Whether it is what every server shows that has not started yet.
    pub(crate) fn may_be_starting(&self) -> bool {
        let is_well = |output: &str| {
            let status = output.strip_prefix(STATUS_CODE);
            status.is_some_and(|status| !status.starts_with('5'))
        };
        self.probe == ProbeName::Startup && !is_well(&self.output)
    }

    /// What happened to which pod, with the field of `probes` that ends it. `known` is what the status of a pod says, which
    /// comes first. That a container was killed explains nothing, so the probe that had it killed is told too; nobody listens
    /// where a container ended by itself.
    pub(crate) fn message(&self, probes: &HealthProbes, known: Option<&PodIssue>) -> String {
        let told = format!("its {} probe {}", self.probe.as_str(), self.told(probes));
        let was_killed = |issue: &PodIssue| {
            let says = |code| issue.message.contains(code);
            says("exit code 137 ") || says("exit code 143 ")
        };
        match known {
            Some(issue) if was_killed(issue) => format!("{}; {told}", issue.message),
            Some(issue) => issue.message.clone(),
            None => format!("pod {}: {told}", self.pod),
        }
    }

    fn told(&self, probes: &HealthProbes) -> String {
        let field = self.field(probes);
        if let Some(status) = self.output.strip_prefix(STATUS_CODE) {
            let status = one_line(status, 8);
            return match status.as_str() {
                "421" => format!(
                    "is answered with the status 421, as by a server that does not know the name it is called by: set {field}.headers to [{{name: Host, value: localhost}}], or remove {field}.path; and let the server know the name of its Service, or calls are refused, too"
                ),
                other if other.starts_with('5') => format!(
                    "is answered with the status {other}: the server says itself that it is not well, and its log says why; if this is not what {field}.path should be, set that"
                ),
                other => format!(
                    "is answered with the status {other}: set {field}.path to one that the server answers with success, or remove it, and a connection is enough"
                ),
            };
        }
        if self.output.contains("connection refused") {
            return format!(
                "finds nobody listening: the server must listen on the port of {}, on all addresses and not on localhost only; one that takes longer to start needs more of spec.observability.healthProbes.startup.failureThreshold",
                if self.asked(probes).port.is_some() {
                    format!("{field}.port")
                } else {
                    "spec.port".to_owned()
                }
            );
        }
        if ["deadline exceeded", "i/o timeout", "timed out"]
            .iter()
            .any(|words| self.output.contains(words))
        {
            return format!("is not answered in time: set {field}.timeoutSeconds");
        }
        let output = one_line(&self.output, LONGEST_OUTPUT);
        format!("fails ({output}): see {field}")
    }

    /// The probe that says what is asked.
    fn asked<'a>(&self, probes: &'a HealthProbes) -> &'a Probe {
        match self.probe {
            ProbeName::Startup if probes.startup.says_what() => &probes.startup,
            ProbeName::Startup | ProbeName::Liveness => &probes.liveness,
            ProbeName::Readiness => &probes.readiness,
        }
    }

    fn field(&self, probes: &HealthProbes) -> String {
        let probe = match self.probe {
            // The one that it asks as.
            ProbeName::Startup if !probes.startup.says_what() => ProbeName::Liveness,
            probe => probe,
        };
        format!("spec.observability.healthProbes.{}", probe.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(note: &str, time: &str) -> Event {
        serde_json::from_value(json!({
            "metadata": { "name": "e" }, "reason": "Unhealthy", "note": note, "type": "Warning", "eventTime": null,
            "regarding": { "kind": "Pod", "name": "mcp-a-1" }, "deprecatedLastTimestamp": time,
        }))
        .unwrap()
    }

    fn told(note: &str, probes: Value) -> String {
        let failure = ProbeFailure::last([&event(note, "2026-01-01T00:00:00Z")]).unwrap();
        let probes = serde_json::from_value(probes).unwrap();
        failure.message(&probes, None)
    }

    #[test]
    fn the_status_code_and_the_field_are_named() {
        let own = json!({ "readiness": { "path": "/ready" }, "liveness": { "path": "/health" } });
        for (note, words, field) in [
            (
                "Readiness probe failed: HTTP probe failed with statuscode: 404",
                "readiness probe is answered with the status 404",
                "set spec.observability.healthProbes.readiness.path",
            ),
            (
                "Readiness probe failed: HTTP probe failed with statuscode: 421",
                "status 421",
                "set spec.observability.healthProbes.readiness.headers to [{name: Host, value: localhost}]",
            ),
            (
                "Startup probe failed: HTTP probe failed with statuscode: 405",
                "startup probe is answered with the status 405",
                "set spec.observability.healthProbes.liveness.path",
            ),
            (
                "Liveness probe failed: HTTP probe failed with statuscode: 503",
                "status 503",
                "its log",
            ),
            (
                "Startup probe failed: dial tcp 10.244.0.7:8080: connect: connection refused",
                "startup probe finds nobody listening",
                "spec.port",
            ),
            (
                "Readiness probe failed: Get \"http://10.244.0.7:8080/ready\": dial tcp 10.244.0.7:8080: connect: connection refused",
                "finds nobody listening",
                "spec.observability.healthProbes.startup.failureThreshold",
            ),
            (
                "Liveness probe failed: Get \"http://10.244.0.7:8080/health\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
                "not answered in time",
                "spec.observability.healthProbes.liveness.timeoutSeconds",
            ),
            (
                "Readiness probe failed: something new",
                "fails (something new)",
                "spec.observability.healthProbes.readiness",
            ),
        ] {
            let told = told(note, own.clone());
            assert!(told.starts_with("pod mcp-a-1: its "), "{told}");
            assert!(told.contains(words) && told.contains(field), "{told}");
        }
        let port = json!({ "readiness": { "port": 9000 } });
        let told = told("Readiness probe failed: dial tcp: connection refused", port);
        assert!(told.contains("healthProbes.readiness.port"), "{told}");
    }

    #[test]
    fn the_last_of_several_counts_and_what_is_no_probe_does_not() {
        let first = event(
            "Startup probe failed: dial tcp: connection refused",
            "2026-01-01T00:00:00Z",
        );
        let last = event(
            "Readiness probe failed: HTTP probe failed with statuscode: 404",
            "2026-01-01T00:00:09Z",
        );
        let failure = ProbeFailure::last([&last, &first]).unwrap();
        assert_eq!(failure.probe, ProbeName::Readiness);
        let mut other = last.clone();
        other.reason = Some("Killing".into());
        assert_eq!(ProbeFailure::last([&other]), None);
        assert_eq!(
            ProbeFailure::last([&event("no", "2026-01-01T00:00:00Z")]),
            None
        );
    }

    #[test]
    fn what_the_status_says_comes_first() {
        let killed = PodIssue {
            reason: "CrashLoopBackOff".into(),
            message: "pod mcp-a-1: container server ended with exit code 137 (Error)".into(),
        };
        let note = "Liveness probe failed: HTTP probe failed with statuscode: 404";
        let failure = ProbeFailure::last([&event(note, "2026-01-01T00:00:00Z")]).unwrap();
        let message = failure.message(&HealthProbes::default(), Some(&killed));
        assert!(message.starts_with(&killed.message), "{message}");
        assert!(message.contains("status 404"), "{message}");
        let ended = PodIssue {
            message: "pod mcp-a-1: container server ended with exit code 1 (Error)".into(),
            ..killed
        };
        let message = failure.message(&HealthProbes::default(), Some(&ended));
        assert_eq!(message, ended.message, "no probe did that");
    }

    /// Until a server listens, nothing is wrong with it.
    #[test]
    fn a_server_that_starts_shows_what_it_has_not_begun_yet() {
        for (note, starting) in [
            (
                "Startup probe failed: dial tcp: connect: connection refused",
                true,
            ),
            (
                "Startup probe failed: HTTP probe failed with statuscode: 503",
                true,
            ),
            (
                "Startup probe failed: HTTP probe failed with statuscode: 404",
                false,
            ),
            (
                "Readiness probe failed: dial tcp: connect: connection refused",
                false,
            ),
        ] {
            let failure = ProbeFailure::last([&event(note, "2026-01-01T00:00:00Z")]).unwrap();
            assert_eq!(failure.may_be_starting(), starting, "{note}");
        }
    }
}
