//! Which replica writes.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// client-go's own name for it, whose label is the name of the lease.
pub(crate) fn encode(
    encoder: &mut DescriptorEncoder,
    lease: &'static str,
    is_leader: bool,
) -> Result<(), fmt::Error> {
    let mut status = encoder.encode_descriptor(
        "leader_election_master_status",
        "Whether this replica is the leader, which writes; the others stand by.",
        None,
        MetricType::Gauge,
    )?;
    let labels = [("name", lease)];
    ConstGauge::new(i64::from(is_leader)).encode(status.encode_family(&labels)?)
}

#[cfg(test)]
mod tests {
    use crate::{Format, Metrics};

    #[test]
    fn a_replica_says_whether_it_leads() {
        let metrics = Metrics::new("1.0.0");
        assert!(!metrics.encode(Format::Prometheus).contains("leader"));
        for (leads, value) in [(true, 1), (false, 0)] {
            metrics.observe_leader("lease", move || leads);
            let line = format!(r#"leader_election_master_status{{name="lease"}} {value}"#);
            let text = metrics.encode(Format::Prometheus);
            assert!(text.lines().any(|found| found == line), "{text}");
        }
    }
}
