//! In which order the steps of a plan are carried out, and which of them at the same time.

use std::collections::{HashMap, HashSet};

use crate::registration::{Action, Step};

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
        let alike = kind(step).is_some_and(|kind| kind == first);
        alike
            && !step.servers.is_empty()
            && step.servers.iter().all(|server| servers.insert(server))
    });
    together.count().max(1)
}

/// What a failure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This step only: another one may well go better.
    Step,
    /// The connection: nothing else that goes over it would fare better now.
    Connection,
    /// The service took the request and did not answer. One such request says nothing about others; several in a row,
    /// with no answer to any other in between, are about the connection.
    Silence,
}

/// Why a step was not done, in the words of conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// One CamelCase word.
    pub category: &'static str,
    /// A sentence.
    pub message: String,
}

/// Requests without an answer, in a row, after which a connection is given up.
const SILENCES: usize = 3;

/// Steps that were not done, and what that means for those that have not begun.
#[derive(Debug, Default)]
pub struct Failures {
    servers: HashMap<String, Cause>,
    connections: HashMap<String, Cause>,
    silences: HashMap<String, usize>,
    all: Option<Cause>,
}

impl Failures {
    /// A step was done.
    pub fn succeeded(&mut self, step: &Step) {
        if let Action::Send(request) = &step.action {
            self.silences.remove(&request.connection);
        }
    }

    /// A step failed.
    pub fn failed(&mut self, step: &Step, reach: Reach, cause: Cause) {
        if let Action::Send(request) = &step.action {
            let connection = &request.connection;
            let silences = self.silences.entry(connection.clone()).or_default();
            *silences = if reach == Reach::Silence {
                *silences + 1
            } else {
                0
            };
            if reach == Reach::Connection || *silences >= SILENCES {
                self.connections
                    .entry(connection.clone())
                    .or_insert_with(|| cause.clone());
            }
        }
        self.withheld(step, cause);
    }

    /// A step was not even tried: what builds on it is not either.
    pub fn withheld(&mut self, step: &Step, cause: Cause) {
        for server in &step.servers {
            self.servers
                .entry(server.clone())
                .or_insert_with(|| cause.clone());
        }
        if step.servers.is_empty() {
            self.all.get_or_insert(cause);
        }
    }

    /// Why a step must not be tried any more, if so: it would not be what was planned, or would not get through.
    pub fn spoil(&self, step: &Step) -> Option<&Cause> {
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
    use crate::registration::HttpRequest;

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

    fn cause(message: &str) -> Cause {
        Cause {
            category: "Test",
            message: message.into(),
        }
    }

    #[test]
    fn only_alike_requests_for_different_servers_go_together() {
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
    fn a_failure_stops_what_builds_on_it_and_nothing_else() {
        let mut failures = Failures::default();
        failures.failed(&send("POST", &["a/a"]), Reach::Step, cause("a"));
        let spoiled = |failures: &Failures, servers: &[&str]| {
            let cause = failures.spoil(&send("PUT", servers));
            cause.map(|cause| cause.message.clone())
        };
        assert_eq!(spoiled(&failures, &["a/a"]), Some("a".into()));
        assert_eq!(spoiled(&failures, &[]), Some("a".into()));
        assert_eq!(spoiled(&failures, &["a/b"]), None);
        failures.failed(&send("POST", &["a/c"]), Reach::Connection, cause("c"));
        assert_eq!(spoiled(&failures, &["a/b"]), Some("c".into()));
    }

    #[test]
    fn what_builds_on_a_step_that_was_not_tried_is_not_tried_either() {
        let mut failures = Failures::default();
        failures.withheld(&send("DELETE", &["a/a"]), cause("a"));
        assert!(failures.spoil(&send("POST", &["a/a"])).is_some());
        assert!(failures.spoil(&send("POST", &["a/b"])).is_none());
    }

    /// One server that LiteLLM hangs at must not keep all others waiting for ever; a LiteLLM that hangs must not be asked
    /// a hundred times.
    #[test]
    fn a_service_is_given_up_when_it_answers_nobody() {
        let mut failures = Failures::default();
        let silent = |failures: &mut Failures| {
            failures.failed(&send("POST", &["a/a"]), Reach::Silence, cause("silent"));
        };
        for _ in 0..5 {
            silent(&mut failures);
            silent(&mut failures);
            failures.succeeded(&send("POST", &["a/b"]));
        }
        silent(&mut failures);
        silent(&mut failures);
        assert!(failures.spoil(&send("POST", &["a/c"])).is_none());
        silent(&mut failures);
        assert!(failures.spoil(&send("POST", &["a/c"])).is_some());
    }
}
