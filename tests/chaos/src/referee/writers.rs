//! Each write is by whoever took the lease last, and is answered before another takes it.

use std::collections::BTreeSet;

use super::event::Event;
use super::{Rule, Verdict};

const LEASES: &str = "leases";
/// Certificates and the key of hashes are made by whoever comes first, and by the rules of optimistic concurrency: what another
/// has made is never overwritten.
const SHARED: &str = "secrets";

pub(crate) fn judge(events: &[Event], verdict: &mut Verdict) {
    let writes: Vec<&Event> = events
        .iter()
        .filter(|event| event.is_by_operator() && event.is_write())
        .collect();
    let (leases, objects): (Vec<&Event>, Vec<&Event>) = writes
        .into_iter()
        .partition(|event| event.resource == LEASES);
    let taken: Vec<&Event> = leases.into_iter().filter(|event| event.is_done).collect();
    let mut replicas = BTreeSet::new();
    for write in objects.into_iter().filter(|write| write.resource != SHARED) {
        verdict.writes += 1;
        replicas.insert(&write.agent);
        // By when they were answered, as events are sorted.
        let before = taken.partition_point(|lease| lease.answered <= write.received);
        let Some(holder) = before.checked_sub(1).map(|last| taken[last]) else {
            verdict.find(Rule::OneWriter, [format!("nobody led: {}", write.line())]);
            continue;
        };
        let released = holder.body["spec"]["holderIdentity"] == "";
        if holder.agent != write.agent || released {
            let sentence = format!("{} although {}", write.line(), holder.line());
            verdict.find(Rule::OneWriter, [sentence]);
            continue;
        }
        let overtaken = taken[before..]
            .iter()
            .take_while(|lease| lease.answered < write.answered)
            .find(|lease| lease.agent != write.agent && lease.received >= write.received);
        if let Some(other) = overtaken {
            let sentence = format!("{} answered only after {}", write.line(), other.line());
            verdict.find(Rule::OneWriter, [sentence]);
        }
    }
    verdict.replicas = replicas.len();
}
