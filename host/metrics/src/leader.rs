//! Which replica writes.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// `name`: the lease by which it is elected. The family is that of operators in Go.
pub(crate) fn encode(
    encoder: &mut DescriptorEncoder,
    name: &'static str,
    is_leader: bool,
) -> Result<(), fmt::Error> {
    let mut leader = encoder.encode_descriptor(
        "leader_election_master_status",
        "Whether this replica holds the lease, and with it may write (1) or not (0).",
        None,
        MetricType::Gauge,
    )?;
    let labels = [("name", name)];
    ConstGauge::new(i64::from(is_leader)).encode(leader.encode_family(&labels)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::{Format, Metrics};

    #[test]
    fn it_is_asked_at_each_scrape() {
        let metrics = Metrics::new("1.0.0");
        let is_leader = Arc::new(AtomicBool::new(false));
        let asked = is_leader.clone();
        metrics.observe_leader("lease", move || asked.load(Ordering::Relaxed));
        let told = |value| {
            let line = format!(r#"leader_election_master_status{{name="lease"}} {value}"#);
            metrics.encode(Format::Prometheus).contains(&line)
        };
        assert!(told(0));
        is_leader.store(true, Ordering::Relaxed);
        assert!(told(1));
    }
}
