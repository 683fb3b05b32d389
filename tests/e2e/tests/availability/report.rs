//! A table of what was asked while something happened.

use std::fmt;
use std::time::Duration;

use crate::load::{Phase, Sample};

/// What came of it.
pub(crate) struct Report {
    /// In the order in which they were asked.
    pub(crate) samples: Vec<Sample>,
    /// When what happened began, in order.
    pub(crate) phases: Vec<(Phase, Duration)>,
    pub(crate) ended: Duration,
}

impl Report {
    /// Requests that failed while anything else happened.
    pub(crate) fn failed_but_for(&self, phase: Phase) -> usize {
        let failed = self.failed();
        failed.filter(|sample| sample.phase != phase).count()
    }

    pub(crate) fn first_failure(&self) -> Option<String> {
        let first = self.failed().next()?;
        let why = first.failure.as_deref().unwrap_or_default();
        Some(format!(
            "after {:.1} s, {}: {why}",
            first.began.as_secs_f64(),
            first.phase.title()
        ))
    }

    fn failed(&self) -> impl Iterator<Item = &Sample> {
        self.samples
            .iter()
            .filter(|sample| sample.failure.is_some())
    }

    /// When it began and ended, each time.
    fn times(&self, phase: Phase) -> impl Iterator<Item = (Duration, Duration)> {
        let ends = self.phases.iter().skip(1).map(|(_, began)| *began);
        let ends = ends.chain([self.ended]);
        let times = self.phases.iter().zip(ends);
        let own = times.filter(move |((which, _), _)| *which == phase);
        own.map(|((_, began), end)| (*began, end))
    }

    /// How long a phase was, all of its times together.
    fn seconds(&self, phase: Phase) -> f64 {
        let times = self.times(phase);
        times
            .map(|(began, end)| end.saturating_sub(began).as_secs_f64())
            .sum()
    }

    /// From the first to the last request that failed, of the time at which that took longest.
    fn longest_failure(&self, phase: Phase) -> Duration {
        let times = self.times(phase);
        let windows = times.map(|(began, end)| {
            let is_in = |at: &Duration| (began..end).contains(at);
            let mut failed = self.failed().map(|sample| sample.began).filter(is_in);
            let first = failed.next().unwrap_or_default();
            failed.last().unwrap_or(first).saturating_sub(first)
        });
        windows.max().unwrap_or_default()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<18} {:>8} {:>9} {:>11} {:>8} {:>8} {:>8} {:>7} {:>10}",
            "what happens",
            "seconds",
            "judged",
            "per second",
            "p50 ms",
            "p99 ms",
            "max ms",
            "failed",
            "within s"
        )?;
        for phase in Phase::ALL {
            let own: Vec<&Sample> = self
                .samples
                .iter()
                .filter(|sample| sample.phase == phase)
                .collect();
            let mut times: Vec<Duration> = own.iter().map(|sample| sample.took).collect();
            times.sort_unstable();
            let Some(longest) = times.last() else {
                continue;
            };
            let share = |hundredths: usize| {
                let index = (times.len() - 1) * hundredths / 100;
                times.get(index).copied().unwrap_or_default().as_secs_f64() * 1e3
            };
            let seconds = self.seconds(phase);
            let count = u32::try_from(own.len()).unwrap_or(u32::MAX);
            let failed = own.iter().filter(|sample| sample.failure.is_some()).count();
            let within = self.longest_failure(phase).as_secs_f64();
            writeln!(
                f,
                "{:<18} {seconds:>8.0} {count:>9} {:>11.0} {:>8.1} {:>8.1} {:>8.1} {failed:>7} {within:>10.1}",
                phase.title(),
                f64::from(count) / seconds,
                share(50),
                share(99),
                longest.as_secs_f64() * 1e3,
            )?;
        }
        let mut reasons: Vec<(Phase, &str, usize)> = Vec::new();
        for sample in self.failed() {
            let why = sample.failure.as_deref().unwrap_or_default();
            // What the API server says of its own side is another port each time.
            let why = why.rsplit(": ").next().unwrap_or_default();
            let is_known = |(phase, known, _): &&mut (Phase, &str, usize)| {
                *phase == sample.phase && *known == why
            };
            match reasons.iter_mut().find(is_known) {
                Some((.., count)) => *count += 1,
                None => reasons.push((sample.phase, why, 1)),
            }
        }
        for (phase, why, count) in reasons.iter().take(20) {
            writeln!(f, "{}: {count} times: {why}", phase.title())?;
        }
        Ok(())
    }
}
