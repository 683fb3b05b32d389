//! When everything is as it should be, nothing is written.

use jiff::Timestamp;

use super::event::Event;

pub(crate) fn judge(events: &[Event], due: Timestamp) -> Vec<String> {
    events
        .iter()
        .filter(|event| event.is_by_operator() && event.is_write() && event.received > due)
        // Who leads says so all the time.
        .filter(|event| event.resource != "leases")
        .map(Event::line)
        .collect()
}
