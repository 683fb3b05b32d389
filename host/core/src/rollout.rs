//! The progress of a Deployment, read from its status.

use serde_json::{Map, Value, json};

use crate::pods::PodIssue;

/// The numbers in the status that [`Rollout::of`] reads.
const REPLICA_COUNTS: [&str; 5] = [
    "availableReplicas",
    "observedGeneration",
    "readyReplicas",
    "replicas",
    "updatedReplicas",
];

/// The progress of a Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// Pods that there should be.
    pub wanted: i64,
    /// Pods that serve, of whatever template.
    pub available: i64,
    /// Pods that are ready, of whatever template.
    pub ready: i64,
    /// Pods of the present template.
    pub updated: i64,
    /// Pods that there are.
    pub total: i64,
    /// Whether the Deployment controller has observed the present template.
    pub observed: bool,
    /// Why the rollout does not progress, as the Deployment controller says it: deadline exceeded, quota, Pod Security.
    pub stuck: Option<Stuck>,
}

/// Why a rollout does not progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Reason of the Deployment's condition, for example `ProgressDeadlineExceeded`.
    pub reason: String,
    pub message: String,
}

impl Rollout {
    /// Reads a Deployment.
    pub fn of(deployment: &Value) -> Self {
        let status = &deployment["status"];
        let number = |name: &str| status[name].as_i64().unwrap_or(0);
        Self {
            wanted: deployment["spec"]["replicas"].as_i64().unwrap_or(1),
            available: number("availableReplicas"),
            ready: number("readyReplicas"),
            updated: number("updatedReplicas"),
            total: number("replicas"),
            observed: number("observedGeneration")
                >= deployment["metadata"]["generation"].as_i64().unwrap_or(0),
            stuck: stuck(status),
        }
    }

    /// All pods are of the present template and serve, and none of an older one is left.
    pub fn complete(&self) -> bool {
        self.observed
            && [self.updated, self.total, self.available]
                .iter()
                .all(|pods| *pods == self.wanted)
    }

    /// The progress as a sentence for conditions.
    pub fn message(&self) -> String {
        if self.complete() {
            format!(
                "Deployment has {}/{} ready replicas",
                self.ready, self.wanted
            )
        } else if !self.observed || self.updated < self.wanted {
            let updated = if self.observed { self.updated } else { 0 };
            format!(
                "{updated} of {} replicas updated, {} available",
                self.wanted, self.available
            )
        } else if self.total > self.updated {
            format!(
                "{} old replicas are pending termination",
                self.total - self.updated
            )
        } else {
            format!(
                "{} of {} updated replicas are available",
                self.available, self.wanted
            )
        }
    }
}

/// Whether no rollout is going on, although some pods may not serve: all pods are of the present template, some serve, and the
/// Deployment controller waits for no more. So it is where an autoscaler wants more pods than there is room for.
pub fn is_over(deployment: &Value) -> bool {
    let (rollout, status) = (Rollout::of(deployment), &deployment["status"]);
    let waits_no_more = condition(status, "Progressing").is_some_and(|progressing| {
        ["NewReplicaSetAvailable", "ProgressDeadlineExceeded"]
            .iter()
            .any(|reason| progressing["reason"] == *reason)
    });
    let is_settled = rollout.updated == rollout.total && rollout.available > 0;
    rollout.complete() || (rollout.observed && is_settled && waits_no_more)
}

/// Why the rollout of a Deployment does not come to its end, since when, and what to do about it; nothing as long as it may
/// still do so by itself.
/// `pod` is one of its pods that does not serve, with the reason.
pub fn obstacle(deployment: &Value, pod: Option<&PodIssue>) -> Option<String> {
    let (rollout, status) = (Rollout::of(deployment), &deployment["status"]);
    if rollout.complete() {
        return None;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &deployment["metadata"];
    let (name, namespace) = (text(&metadata["name"]), text(&metadata["namespace"]));
    if deployment["spec"]["paused"] == true {
        return Some(format!(
            "it is paused: kubectl rollout resume deployment/{name} --namespace {namespace}"
        ));
    }
    let stuck = stuck_condition(status)?;
    let pod = pod.map_or_else(
        || format!("see kubectl describe pods --namespace {namespace}"),
        |issue| format!("{} ({})", issue.message, issue.reason),
    );
    Some(format!(
        "since {}: {}; {pod}; mend what keeps its pods from serving or ask for fewer",
        text(&stuck["lastTransitionTime"]),
        text(&stuck["message"])
    ))
}

/// The part of a Deployment's status that [`Rollout::of`] reads. The rest changes often and is not worth a reconcile.
pub fn relevant_status(status: &Value) -> Value {
    let mut relevant: Map<String, Value> = REPLICA_COUNTS
        .iter()
        .map(|name| ((*name).to_owned(), status[name].clone()))
        .collect();
    let conditions = stuck_condition(status).map(|condition| {
        let member = |name: &str| (name.to_owned(), condition[name].clone());
        let members = ["type", "status", "reason", "message"].map(member);
        Value::Object(members.into_iter().collect())
    });
    relevant.insert("conditions".into(), json!(Vec::from_iter(conditions)));
    Value::Object(relevant)
}

fn stuck(status: &Value) -> Option<Stuck> {
    let found = stuck_condition(status)?;
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    Some(Stuck {
        reason: text("reason"),
        message: text("message"),
    })
}

fn stuck_condition(status: &Value) -> Option<&Value> {
    let condition = |kind: &str, value: &str| {
        condition(status, kind).filter(|condition| condition["status"] == value)
    };
    condition("ReplicaFailure", "True").or_else(|| condition("Progressing", "False"))
}

fn condition<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = status["conditions"].as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == kind)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(updated: i64, total: i64, available: i64) -> Value {
        json!({
            "metadata": { "generation": 3 },
            "spec": { "replicas": 2 },
            "status": {
                "observedGeneration": 3, "updatedReplicas": updated, "replicas": total,
                "availableReplicas": available, "readyReplicas": available,
            },
        })
    }

    #[test]
    fn complete_means_all_new_and_none_old() {
        assert!(Rollout::of(&deployment(2, 2, 2)).complete());
        for (updated, total, available) in [(1, 2, 2), (2, 3, 2), (2, 2, 1)] {
            assert!(!Rollout::of(&deployment(updated, total, available)).complete());
        }
        let mut unobserved = deployment(2, 2, 2);
        unobserved["status"]["observedGeneration"] = json!(2);
        assert!(!Rollout::of(&unobserved).complete());
    }

    #[test]
    fn a_denied_pod_is_explained_as_the_api_does() {
        let mut denied = deployment(0, 0, 0);
        denied["status"]["conditions"] = json!([
            { "type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": "" },
            { "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: pods" },
        ]);
        let stuck = Rollout::of(&denied).stuck.unwrap();
        assert_eq!(
            (stuck.reason.as_str(), stuck.message.as_str()),
            ("FailedCreate", "exceeded quota: pods")
        );
    }

    #[test]
    fn a_rollout_is_over_when_nothing_more_is_waited_for() {
        let progressing = |updated, total, available, reason: &str| {
            let mut deployment = deployment(updated, total, available);
            deployment["spec"]["replicas"] = json!(3);
            deployment["status"]["conditions"] =
                json!([{ "type": "Progressing", "reason": reason }]);
            is_over(&deployment)
        };
        for reason in ["NewReplicaSetAvailable", "ProgressDeadlineExceeded"] {
            assert!(progressing(3, 3, 2, reason), "one has no room");
            assert!(progressing(2, 2, 2, reason), "one may not be made");
            assert!(!progressing(3, 3, 0, reason), "none serves");
            assert!(!progressing(2, 3, 2, reason), "one is of an older template");
        }
        assert!(!progressing(3, 3, 2, "ReplicaSetUpdated"), "it is going on");
        assert!(is_over(&deployment(2, 2, 2)));
    }

    #[test]
    fn an_obstacle_says_since_when_why_and_what_to_do() {
        let mut waiting = deployment(1, 2, 1);
        assert_eq!(obstacle(&waiting, None), None);
        waiting["metadata"]["name"] = json!("proxy");
        waiting["metadata"]["namespace"] = json!("litellm");
        waiting["status"]["conditions"] = json!([{
            "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
            "message": "timed out", "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]);
        let said = obstacle(&waiting, None).unwrap();
        assert!(
            said.starts_with("since 2026-01-01T00:00:00Z: timed out; see kubectl"),
            "{said}"
        );
        let pending = PodIssue {
            reason: "Unschedulable".into(),
            message: "pod proxy-1: 0/2 nodes are available".into(),
        };
        let said = obstacle(&waiting, Some(&pending)).unwrap();
        assert!(
            said.contains("timed out; pod proxy-1: 0/2 nodes are available (Unschedulable); mend"),
            "{said}"
        );
        waiting["spec"]["paused"] = json!(true);
        let said = obstacle(&waiting, None).unwrap();
        assert!(
            said.contains("kubectl rollout resume deployment/proxy --namespace litellm"),
            "{said}"
        );
        assert_eq!(obstacle(&deployment(2, 2, 2), None), None);
    }

    #[test]
    fn the_relevant_status_gives_the_same_rollout() {
        let mut stuck = deployment(1, 2, 1);
        stuck["status"]["conditions"] = json!([
            { "type": "Available", "status": "True", "lastUpdateTime": "2026-01-01T00:00:00Z" },
            { "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out", "lastUpdateTime": "2026-01-01T00:00:00Z" },
        ]);
        stuck["status"]["unavailableReplicas"] = json!(1);
        for deployment in [deployment(2, 2, 2), stuck] {
            let mut trimmed = deployment.clone();
            trimmed["status"] = relevant_status(&deployment["status"]);
            assert_eq!(Rollout::of(&trimmed), Rollout::of(&deployment));
            assert!(!trimmed.to_string().contains("lastUpdateTime"));
        }
    }
}
