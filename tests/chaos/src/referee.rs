//! Says afterwards what a run did to those who use the operator, from three things alone: the audit log of the API server, the
//! list of LiteLLM, and when the last fault ended.

mod admissions;
mod convergence;
mod event;
mod outcomes;
mod registrations;
mod rest;
mod users;
mod writers;

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::event::Event;

/// After the last fault, for everything to be as it should be.
pub const CONVERGENCE: SignedDuration = SignedDuration::from_secs(30);
/// For so long after that, nothing is written; a log that ends before says nothing.
pub const REST: SignedDuration = SignedDuration::from_secs(5);

/// What the referee is told of the schedule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// From when on the webhook was there: who asked before was early.
    pub begin: Timestamp,
    /// When the last fault had ended, and users had made their last changes.
    pub end: Timestamp,
    /// When a replica was taken from those who asked it, without a word: until when they may have asked it still.
    pub taken_away: Vec<Window>,
}

/// A time in which a replica was not there.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Window {
    /// From here.
    pub from: Timestamp,
    /// To here.
    pub until: Timestamp,
}

impl Window {
    fn touches(&self, event: &Event) -> bool {
        event.received <= self.until && event.answered >= self.from
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Requests that the webhook judged.
    pub judged: usize,
    /// Those that were lost with a replica that was killed or stood still.
    pub lost_with_a_replica: usize,
    /// Writes of the operator.
    pub writes: usize,
    /// Replicas that wrote.
    pub replicas: usize,
    /// MCPServers that there were in the end.
    pub servers: usize,
    /// What must not be: a sentence each, by what it is about.
    pub faults: Vec<(Rule, String)>,
}

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// There is enough to judge by.
    Evidence,
    /// No admission fails by the operator's fault.
    Admission,
    /// Never two writers.
    OneWriter,
    /// LiteLLM has every server once, as it was wanted last, and no other.
    Registration,
    /// Every object is as it should be in time.
    Convergence,
    /// After that, nothing is written.
    Rest,
}

impl Rule {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Evidence, "reasons not to judge"),
        (Self::Admission, "admissions failed by our fault"),
        (Self::OneWriter, "writes by two writers"),
        (
            Self::Registration,
            "registrations lost, doubled, left or old",
        ),
        (
            Self::Convergence,
            "objects not as they should be after 30 s",
        ),
        (Self::Rest, "writes after that"),
    ];
}

impl Verdict {
    /// Whether nothing was found that must not be.
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    /// What was found about one rule.
    pub fn about(&self, rule: Rule) -> impl Iterator<Item = &str> {
        let about = self.faults.iter().filter(move |(found, _)| *found == rule);
        about.map(|(_, sentence)| sentence.as_str())
    }

    fn find(&mut self, rule: Rule, sentences: impl IntoIterator<Item = String>) {
        self.faults
            .extend(sentences.into_iter().map(|sentence| (rule, sentence)));
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{} admissions judged, {} lost with a replica that was killed or stood still; {} writes by {} replicas; {} MCPServers",
            self.judged, self.lost_with_a_replica, self.writes, self.replicas, self.servers
        )?;
        for (rule, words) in Rule::ALL {
            writeln!(formatter, "{words}: {}", self.about(rule).count())?;
            for sentence in self.about(rule).take(SHOWN) {
                writeln!(formatter, "  {sentence}")?;
            }
        }
        Ok(())
    }
}

/// Sentences of a rule that are printed: the first ones say why.
const SHOWN: usize = 20;

/// Judges by files: the audit log, LiteLLM's answer to a list, and [`Ended`].
///
/// # Errors
/// When one cannot be read.
pub fn judge_files(audit: &Path, list: &Path, ended: &Path) -> Result<Verdict> {
    let read = |file: &Path| {
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
    };
    let name = |file: &Path| format!("in {}", file.display());
    let list: Value = serde_json::from_str(&read(list)?).with_context(|| name(list))?;
    let ended = serde_json::from_str(&read(ended)?).with_context(|| name(ended))?;
    let events = read(audit)?
        .lines()
        .map(Event::parse)
        .collect::<Result<Vec<_>>>()
        .with_context(|| name(audit))?;
    Ok(judge(
        events,
        list.as_array().map_or(&[], Vec::as_slice),
        &ended,
    ))
}

/// Judges what there is.
pub(crate) fn judge(mut events: Vec<Event>, list: &[Value], ended: &Ended) -> Verdict {
    // As things happened, and not as they were noted.
    events.sort_by_key(|event| event.answered);
    let mut verdict = Verdict::default();
    let due = ended.end + CONVERGENCE;
    let unlisted = outcomes::settle(&mut events, due);
    verdict.find(Rule::Evidence, unlisted);
    let servers = users::servers(&events);
    verdict.servers = servers.living().count();
    admissions::judge(&events, ended, &mut verdict);
    writers::judge(&events, &mut verdict);
    let registrations = registrations::judge(&servers, list);
    verdict.find(Rule::Registration, registrations);
    verdict.find(
        Rule::Convergence,
        convergence::judge(&events, &servers, due),
    );
    verdict.find(Rule::Rest, rest::judge(&events, due));
    let evidence = evidence(&events, due, &verdict);
    verdict.find(Rule::Evidence, evidence);
    verdict
}

/// Who sees nothing has nothing to praise.
fn evidence(events: &[Event], due: Timestamp, verdict: &Verdict) -> Vec<String> {
    let mut lacks = Vec::new();
    let last = events.last().map(|event| event.answered);
    if last.is_none_or(|last| last < due + REST) {
        lacks.push(format!(
            "the log ends at {last:?}, and is needed until {}",
            due + REST
        ));
    }
    if verdict.judged == 0 {
        lacks.push("no admission was judged".to_owned());
    }
    if verdict.writes == 0 {
        lacks.push("the operator wrote nothing".to_owned());
    }
    if verdict.servers == 0 {
        lacks.push("no MCPServer is left whose objects could be judged".to_owned());
    }
    lacks
}

#[cfg(test)]
pub(crate) mod tests;
