//! In which order the steps of a plan are carried out, and which of them at the same time.

use std::collections::HashSet;

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

/// Steps that failed, and what that means for those that come after.
#[derive(Debug, Default)]
pub struct Failures {
    servers: HashSet<String>,
    connections: HashSet<String>,
    all: bool,
}

impl Failures {
    /// A step failed. `of_connection`: other requests over its connection would fare no better.
    pub fn add(&mut self, step: &Step, of_connection: bool) {
        match &step.action {
            Action::Send(request) if of_connection => {
                self.connections.insert(request.connection.clone());
            }
            _ => {}
        }
        if step.servers.is_empty() {
            self.all = true;
        }
        self.servers.extend(step.servers.iter().cloned());
    }

    /// Whether a step would not be what was planned any more, after those that failed.
    pub fn spoil(&self, step: &Step) -> bool {
        let connection = match &step.action {
            Action::Send(request) => self.connections.contains(&request.connection),
            Action::WriteConfigKey(_) | Action::Roll(_) => false,
        };
        let for_all = step.servers.is_empty() && !self.servers.is_empty();
        self.all
            || connection
            || for_all
            || step
                .servers
                .iter()
                .any(|server| self.servers.contains(server))
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
        failures.add(&send("POST", &["a/a"]), false);
        assert!(failures.spoil(&send("PUT", &["a/a"])));
        assert!(failures.spoil(&send("PUT", &[])));
        assert!(!failures.spoil(&send("PUT", &["a/b"])));
        failures.add(&send("POST", &["a/c"]), true);
        assert!(failures.spoil(&send("PUT", &["a/b"])));
    }
}
