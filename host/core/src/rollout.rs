//! The progress of a Deployment, read from its status.

use serde_json::{Map, Value, json};

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
        status["conditions"]
            .as_array()?
            .iter()
            .find(|condition| condition["type"] == kind && condition["status"] == value)
    };
    condition("ReplicaFailure", "True").or_else(|| condition("Progressing", "False"))
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
