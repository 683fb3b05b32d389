//! Which replica writes, and whether clocks agree.

use jiff::{SignedDuration, Timestamp};
use mcp_operator_runtime::LEASE_NAME;

use super::Finding;
use super::installation::{Found, Installation, MANAGER, place};
use super::replicas::pods;

/// Clocks that differ by less are of one time: what the API server says has no fractions, and a request takes time.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(10);

pub(super) fn check(installation: &Installation) -> Vec<Finding> {
    let mut findings: Vec<Finding> = of_lease(installation).into_iter().collect();
    findings.extend(own_clock(installation));
    findings
}

fn of_lease(installation: &Installation) -> Option<Finding> {
    let at = place("Lease", &installation.namespace, LEASE_NAME);
    let nobody = |what: &str| {
        Some(Finding::wrong(
            &at,
            format!("{what}: nothing is written and nothing registered"),
            format!(
                "the log of {MANAGER} says what keeps its replicas from it; permissions for leases"
            ),
        ))
    };
    let lease = match installation.object("Lease", &installation.namespace, LEASE_NAME) {
        Found::Unread => return None,
        // One replica may be told to ask nobody.
        Found::Missing if installation.has_election_off() => return None,
        Found::Missing => return nobody("no replica has ever led"),
        Found::There(lease) => &lease["spec"],
    };
    let Some(holder) = lease["holderIdentity"].as_str().filter(|it| !it.is_empty()) else {
        return nobody("no replica leads");
    };
    let seconds = lease["leaseDurationSeconds"].as_i64().unwrap_or(15);
    let duration = SignedDuration::from_secs(seconds);
    let renewed = lease["renewTime"]
        .as_str()
        .and_then(|it| it.parse::<Timestamp>().ok())?;
    let age = installation.time().duration_since(renewed);
    if age < -TOLERANCE {
        let ahead = age.abs().as_secs();
        return Some(Finding::wrong(
            at,
            format!(
                "{holder} has renewed it {ahead} s in the future: the clock of its node is ahead of the API server's"
            ),
            "keep time with NTP on all nodes: certificates are judged by these clocks",
        ));
    }
    if age > duration + TOLERANCE {
        let mut finding = nobody(&format!(
            "{holder} has not renewed it for {} s, and promised it every {seconds}",
            age.as_secs()
        ));
        // Times in a Lease are its holder's: from here the two look alike.
        if let Some(finding) = &mut finding {
            let or = "; or the clock of its node is behind the API server's, if the Lease changes all the time: kubectl get lease --watch";
            finding.remedy.push_str(or);
        }
        return finding;
    }
    // Where no pod is seen the operator runs elsewhere, or nobody may see them.
    let mut pods = pods(installation)
        .filter_map(|pod| pod["metadata"]["name"].as_str())
        .peekable();
    let replica = holder.rsplit_once('_').map_or(holder, |(name, _)| name);
    if pods.peek().is_none() || pods.any(|pod| pod == replica) {
        return None;
    }
    Some(Finding::wrong(
        at,
        format!("{replica} holds it, which is no pod of {MANAGER}: its replicas write nothing"),
        "end what holds it, another installation or an operator outside of the cluster; a pod that was taken away without notice is followed within seconds",
    ))
}

fn own_clock(installation: &Installation) -> Option<Finding> {
    let differs = installation.now.duration_since(installation.api_time?);
    (differs.abs() > TOLERANCE * 3).then(|| {
        Finding::doubtful(
            "this machine",
            format!(
                "its clock differs from that of the API server by {} s",
                differs.abs().as_secs()
            ),
            "set one of the two: ages and certificates are judged by them",
        )
    })
}
