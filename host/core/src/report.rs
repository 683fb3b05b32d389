//! What the servers of a namespace break, as a `Report` of openreports.io: what dashboards of policies read.

use std::cmp::Reverse;
use std::sync::Arc;

use kube::core::{ApiResource, GroupVersionKind};
use mcp_operator_api::names::{API_VERSION, SERVER_KIND, labels};
use mcp_operator_api::v1alpha1::Mode;
use serde_json::{Value, json};

use crate::text::one_line;
use crate::violation::{Standing, Violation};

/// Name of the Report of every namespace.
pub const NAME: &str = "mcp-operator";
/// API group of Reports.
pub const GROUP: &str = "openreports.io";
/// Version of Reports.
pub const VERSION: &str = "v1alpha1";
/// Their kind.
pub const KIND: &str = "Report";
/// Rule of the result that stands for those that are left out.
const MORE: &str = "more-results";
/// The most results of a Report: no more than 1 MiB, however long each of them is.
const MOST_RESULTS: usize = 300;
/// Bytes of a message, and of a field.
const LONGEST_TEXT: usize = 512;
/// Bytes of what names a rule or an owner.
const LONGEST_NAME: usize = 253;

/// A server that does not pass some rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violator {
    /// Its name.
    pub name: String,
    /// Its uid, if it is stored.
    pub uid: Option<String>,
    /// What it does not pass, sorted.
    pub violations: Arc<[Violation]>,
}

/// Group, version and plural, as the client needs them.
pub fn api_resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, VERSION, KIND))
}

/// The words of openreports.io, the least first: of what is left out, the last one is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Not selected: there is an exception.
    Skip,
    /// It could not be evaluated.
    Error,
    /// It is broken, and the rule does not count yet.
    Warn,
    /// It is broken.
    Fail,
}

impl Outcome {
    fn of(violation: &Violation) -> Self {
        match (&violation.standing, violation.mode) {
            (Standing::Excepted(_), _) => Self::Skip,
            (Standing::Unjudged, _) => Self::Error,
            (Standing::Broken, Mode::Warn | Mode::Audit) => Self::Warn,
            (Standing::Broken, Mode::Enforce) => Self::Fail,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One result, before it is known whether it is shown.
struct Candidate<'a> {
    outcome: Outcome,
    /// How many others of the server come before it.
    turn: usize,
    server: usize,
    violation: &'a Violation,
}

/// The Report of a namespace, whose servers are sorted by name.
///
/// It has no times: those would change whenever somebody looks, and each change is a write.
pub fn report(namespace: &str, servers: &[Violator]) -> Value {
    let mut candidates = candidates(servers);
    let count = |outcome| candidates.iter().filter(|it| it.outcome == outcome).count();
    let summary = json!({
        "pass": 0, "fail": count(Outcome::Fail), "warn": count(Outcome::Warn),
        "error": count(Outcome::Error), "skip": count(Outcome::Skip),
    });
    let more = (candidates.len() > MOST_RESULTS).then(|| {
        // Every server has its turn before one has a second, and what is worse comes first.
        candidates.sort_by_key(|it| (it.turn, Reverse(it.outcome), it.server));
        let left_out = candidates.split_off(MOST_RESULTS - 1);
        candidates.sort_by_key(|it| (it.server, it.turn));
        more(&left_out)
    });
    let results = candidates.iter().map(|it| {
        let server = &servers[it.server];
        result(namespace, server, it.violation, it.outcome)
    });
    let results: Vec<Value> = results.chain(more).collect();
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": KIND,
        "metadata": {
            "name": NAME, "namespace": namespace,
            "labels": { labels::MANAGED_BY: labels::MANAGED_BY_VALUE },
        },
        "source": labels::MANAGED_BY_VALUE,
        "scope": { "apiVersion": "v1", "kind": "Namespace", "name": namespace },
        "configuration": { "limits": { "maxResults": MOST_RESULTS } },
        "summary": summary,
        "results": results,
    })
}

/// All results, by server, and of each server the worst first.
fn candidates(servers: &[Violator]) -> Vec<Candidate<'_>> {
    let each = servers.iter().enumerate();
    each.flat_map(|(server, violator)| of_server(server, violator))
        .collect()
}

fn of_server(server: usize, violator: &Violator) -> impl Iterator<Item = Candidate<'_>> {
    let violations = violator.violations.iter();
    let mut violations: Vec<(Outcome, &Violation)> =
        violations.map(|it| (Outcome::of(it), it)).collect();
    violations.sort_by_key(|(outcome, _)| Reverse(*outcome));
    let turns = violations.into_iter().enumerate();
    turns.map(move |(turn, (outcome, violation))| Candidate {
        outcome,
        turn,
        server,
        violation,
    })
}

fn result(namespace: &str, server: &Violator, violation: &Violation, outcome: Outcome) -> Value {
    let mut reference = json!({
        "apiVersion": API_VERSION, "kind": SERVER_KIND, "namespace": namespace, "name": server.name,
    });
    if let Some(uid) = &server.uid {
        reference["uid"] = json!(uid);
    }
    let mut properties = json!({ "mode": violation.mode });
    if !violation.field.is_empty() {
        properties["field"] = json!(one_line(&violation.field, LONGEST_TEXT));
    }
    if let Standing::Excepted(excepted) = &violation.standing {
        properties["owner"] = json!(one_line(&excepted.owner, LONGEST_NAME));
        properties["until"] = json!(one_line(&excepted.until, LONGEST_NAME));
    }
    let mut result = json!({
        "policy": violation.plugin,
        "rule": one_line(&violation.code, LONGEST_NAME),
        "result": outcome.word(),
        "message": one_line(&violation.message, LONGEST_TEXT),
        "resources": [reference],
        "properties": properties,
    });
    if outcome == Outcome::Fail {
        result["scored"] = json!(true);
    }
    result
}

/// What stands for the results that are left out. Without resources it is about the scope of the Report.
fn more(left_out: &[Candidate<'_>]) -> Value {
    let worst = left_out.iter().map(|it| it.outcome).max();
    let mut servers: Vec<usize> = left_out.iter().map(|it| it.server).collect();
    servers.sort_unstable();
    servers.dedup();
    json!({
        "policy": labels::MANAGED_BY_VALUE,
        "rule": MORE,
        "result": worst.unwrap_or(Outcome::Skip).word(),
        "message": format!("and {} more results, of {} servers; the summary counts all", left_out.len(), servers.len()),
    })
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
