//! Work queues.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// What a work queue holds at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueState {
    /// Keys that are due.
    pub due: usize,
    /// Keys whose time comes later.
    pub delayed: usize,
    /// For how long the key has been due that waits longest.
    pub oldest: Duration,
}

pub(crate) fn encode(
    encoder: &mut DescriptorEncoder,
    queues: &[(&'static str, QueueState)],
) -> Result<(), fmt::Error> {
    if queues.is_empty() {
        return Ok(());
    }
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let mut depth = encoder.encode_descriptor(
        "workqueue_depth",
        "Keys of a work queue that are due.",
        None,
        MetricType::Gauge,
    )?;
    for (name, state) in queues {
        let labels = [("name", *name)];
        ConstGauge::new(count(state.due)).encode(depth.encode_family(&labels)?)?;
    }
    let mut delayed = encoder.encode_descriptor(
        "workqueue_delayed",
        "Keys of a work queue whose time comes later.",
        None,
        MetricType::Gauge,
    )?;
    for (name, state) in queues {
        let labels = [("name", *name)];
        ConstGauge::new(count(state.delayed)).encode(delayed.encode_family(&labels)?)?;
    }
    let mut oldest = encoder.encode_descriptor(
        "workqueue_oldest_due_seconds",
        "For how long the key of a work queue has been due that waits longest.",
        None,
        MetricType::Gauge,
    )?;
    for (name, state) in queues {
        let labels = [("name", *name)];
        let seconds = ConstGauge::new(state.oldest.as_secs_f64());
        seconds.encode(oldest.encode_family(&labels)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Metrics};

    #[test]
    fn all_queues_share_their_families() {
        let metrics = Metrics::new("1.0.0");
        let state = |due| QueueState {
            due,
            delayed: 7,
            oldest: Duration::from_millis(1500),
        };
        metrics.observe_queue("mcpserver", move || state(3));
        metrics.observe_queue("other", move || state(0));
        let text = metrics.encode(Format::Prometheus);
        for line in [
            r#"workqueue_depth{name="mcpserver"} 3"#,
            r#"workqueue_depth{name="other"} 0"#,
            r#"workqueue_delayed{name="mcpserver"} 7"#,
            r#"workqueue_oldest_due_seconds{name="mcpserver"} 1.5"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert_eq!(text.matches("# TYPE workqueue_depth gauge").count(), 1);
    }
}
