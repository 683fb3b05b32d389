//! Times of many requests, in rounds.

use std::time::Duration;

/// In milliseconds, of each round.
#[derive(Default)]
pub(crate) struct Times(Vec<Vec<f64>>);

impl Times {
    pub(crate) fn add_round(&mut self, times: Vec<Duration>) {
        let times = times.iter().map(|time| time.as_secs_f64() * 1000.0);
        self.0.push(times.collect());
    }

    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        percentile(self.0.iter().flatten().copied().collect(), percent)
    }

    /// The geometric mean of the rounds' ratios of medians: a round is as fast as the machine is just then.
    pub(crate) fn ratio(&self, other: &Self) -> f64 {
        let rounds = self.0.iter().zip(&other.0);
        let logarithms: Vec<f64> = rounds
            .map(|(one, other)| (percentile(one.clone(), 50) / percentile(other.clone(), 50)).ln())
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "there are few rounds")]
        let count = logarithms.len().max(1) as f64;
        (logarithms.iter().sum::<f64>() / count).exp()
    }
}

/// Not a number where there is none.
pub(crate) fn percentile(mut times: Vec<f64>, percent: usize) -> f64 {
    times.sort_by(f64::total_cmp);
    let last = times.len().saturating_sub(1);
    times.get(percent * last / 100).copied().unwrap_or(f64::NAN)
}
