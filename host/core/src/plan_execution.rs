//! Executing a plan: which steps run at the same time, and which are skipped after a failure.

use std::collections::{HashMap, HashSet};

use crate::registration_plan::{Action, Step};

/// Cuts a plan into waves. One wave follows the other; the steps of a wave do not depend on each other.
///
/// Requests that follow each other with the same method over the same connection, for different servers, are one wave.
/// Every other step is a wave of its own.
pub fn waves(steps: &[Step]) -> Vec<&[Step]> {
    let mut waves = Vec::new();
    let mut rest = steps;
    while !rest.is_empty() {
        let (wave, after) = rest.split_at(length_of_wave(rest));
        waves.push(wave);
        rest = after;
    }
    waves
}

fn length_of_wave(steps: &[Step]) -> usize {
    let kind = |step: &Step| match &step.action {
        Action::Send(request) => Some((request.connection.clone(), request.method.clone())),
        Action::WriteConfigKey(_) | Action::Roll(_) => None,
    };
    let Some(first) = steps.first().and_then(kind) else {
        return 1;
    };
    let mut servers = HashSet::new();
    let together = steps.iter().take_while(|step| {
        let is_similar = kind(step).is_some_and(|kind| kind == first);
        is_similar
            && !step.servers.is_empty()
            && step.servers.iter().all(|server| servers.insert(server))
    });
    together.count().max(1)
}

/// What a failure says about the steps that have not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureScope {
    /// Nothing: another step may succeed.
    Step,
    /// No request over the same connection would succeed now.
    Connection,
    /// The service accepted the request and did not answer. One such request says nothing about others; several in a row
    /// mean that the connection does not work.
    NoAnswer,
}

/// Why a step failed, as conditions say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureCause {
    /// A CamelCase word.
    pub category: &'static str,
    /// A sentence.
    pub message: String,
}

/// After this many requests in a row without an answer a connection is given up.
const MAX_UNANSWERED: usize = 3;

/// The failures of a plan so far, and which steps must be skipped because of them.
#[derive(Debug, Default)]
pub struct Failures {
    servers: HashMap<String, FailureCause>,
    connections: HashMap<String, FailureCause>,
    unanswered: HashMap<String, usize>,
    all: Option<FailureCause>,
}

impl Failures {
    /// Notes that a step succeeded.
    pub fn succeeded(&mut self, step: &Step) {
        if let Action::Send(request) = &step.action {
            self.unanswered.remove(&request.connection);
        }
    }

    /// Notes that a step failed.
    pub fn failed(&mut self, step: &Step, scope: FailureScope, cause: FailureCause) {
        if let Action::Send(request) = &step.action {
            let connection = &request.connection;
            let unanswered = self.unanswered.entry(connection.clone()).or_default();
            *unanswered = if scope == FailureScope::NoAnswer {
                *unanswered + 1
            } else {
                0
            };
            if scope == FailureScope::Connection || *unanswered >= MAX_UNANSWERED {
                self.connections
                    .entry(connection.clone())
                    .or_insert_with(|| cause.clone());
            }
        }
        self.skipped(step, cause);
    }

    /// Notes that a step was not tried. Steps that depend on it are then skipped as well.
    pub fn skipped(&mut self, step: &Step, cause: FailureCause) {
        for server in &step.servers {
            self.servers
                .entry(server.clone())
                .or_insert_with(|| cause.clone());
        }
        if step.servers.is_empty() {
            self.all.get_or_insert(cause);
        }
    }

    /// Why a step must be skipped, if it must: an earlier step that it depends on was not done, or its connection does not
    /// work.
    pub fn blocked_by(&self, step: &Step) -> Option<&FailureCause> {
        let connection = match &step.action {
            Action::Send(request) => self.connections.get(&request.connection),
            Action::WriteConfigKey(_) | Action::Roll(_) => None,
        };
        let mut named = step.servers.iter();
        let for_all = || {
            self.servers
                .values()
                .next()
                .filter(|_| step.servers.is_empty())
        };
        self.all
            .as_ref()
            .or(connection)
            .or_else(|| named.find_map(|server| self.servers.get(server)))
            .or_else(for_all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registration_plan::HttpRequest;

    fn send(method: &str, servers: &[&str]) -> Step {
        Step {
            action: Action::Send(HttpRequest {
                connection: "litellm".into(),
                method: method.into(),
                path: "/".into(),
                headers: Vec::new(),
                body: None,
            }),
            servers: servers.iter().map(|server| (*server).to_owned()).collect(),
        }
    }

    fn cause(message: &str) -> FailureCause {
        FailureCause {
            category: "Test",
            message: message.into(),
        }
    }

    #[test]
    fn only_similar_requests_for_different_servers_run_together() {
        let steps = [
            send("DELETE", &["a/a"]),
            send("DELETE", &["a/b"]),
            send("POST", &["a/c"]),
            send("POST", &["a/d"]),
            send("POST", &["a/c"]),
            send("POST", &[]),
            send("POST", &[]),
        ];
        let lengths: Vec<usize> = waves(&steps).into_iter().map(<[Step]>::len).collect();
        assert_eq!(lengths, [2, 2, 1, 1, 1]);
        assert!(waves(&[]).is_empty());
    }

    #[test]
    fn a_failure_blocks_what_depends_on_it_and_nothing_else() {
        let mut failures = Failures::default();
        failures.failed(&send("POST", &["a/a"]), FailureScope::Step, cause("a"));
        let blocked = |failures: &Failures, servers: &[&str]| {
            let cause = failures.blocked_by(&send("PUT", servers));
            cause.map(|cause| cause.message.clone())
        };
        assert_eq!(blocked(&failures, &["a/a"]), Some("a".into()));
        assert_eq!(blocked(&failures, &[]), Some("a".into()));
        assert_eq!(blocked(&failures, &["a/b"]), None);
        failures.failed(
            &send("POST", &["a/c"]),
            FailureScope::Connection,
            cause("c"),
        );
        assert_eq!(blocked(&failures, &["a/b"]), Some("c".into()));
    }

    #[test]
    fn what_depends_on_a_skipped_step_is_blocked() {
        let mut failures = Failures::default();
        failures.skipped(&send("DELETE", &["a/a"]), cause("a"));
        assert!(failures.blocked_by(&send("POST", &["a/a"])).is_some());
        assert!(failures.blocked_by(&send("POST", &["a/b"])).is_none());
    }

    /// One server whose requests LiteLLM never answers must not hold up all others, and a LiteLLM that answers nothing must
    /// not be sent a hundred requests.
    #[test]
    fn a_service_is_given_up_when_it_answers_nothing() {
        let mut failures = Failures::default();
        let unanswered = |failures: &mut Failures| {
            failures.failed(
                &send("POST", &["a/a"]),
                FailureScope::NoAnswer,
                cause("unanswered"),
            );
        };
        for _ in 0..5 {
            unanswered(&mut failures);
            unanswered(&mut failures);
            failures.succeeded(&send("POST", &["a/b"]));
        }
        unanswered(&mut failures);
        unanswered(&mut failures);
        assert!(failures.blocked_by(&send("POST", &["a/c"])).is_none());
        unanswered(&mut failures);
        assert!(failures.blocked_by(&send("POST", &["a/c"])).is_some());
    }
}
