//! How a Deployment stands, as its status says.

use serde_json::Value;

/// How a Deployment stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// Pods that should be.
    pub wanted: i64,
    /// Pods that serve, of whatever template.
    pub available: i64,
    /// Pods that are ready, of whatever template.
    pub ready: i64,
    /// Pods of the present template.
    pub updated: i64,
    /// Pods that there are.
    pub total: i64,
    /// The Deployment controller has seen the present template.
    pub seen: bool,
    /// Why it does not go on, in the words of the API: deadline exceeded, quota, Pod Security.
    pub stuck: Option<Stuck>,
}

/// Why a rollout does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Reason of the Deployment's condition, for example `ProgressDeadlineExceeded`.
    pub reason: String,
    /// Its message.
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
            seen: number("observedGeneration")
                >= deployment["metadata"]["generation"].as_i64().unwrap_or(0),
            stuck: stuck(status),
        }
    }

    /// All pods are of the present template and serve, and none of an older one is left.
    pub fn complete(&self) -> bool {
        self.seen
            && [self.updated, self.total, self.available]
                .iter()
                .all(|pods| *pods == self.wanted)
    }

    /// A sentence for conditions.
    pub fn message(&self) -> String {
        if self.complete() {
            format!(
                "Deployment has {}/{} ready replicas",
                self.ready, self.wanted
            )
        } else if !self.seen || self.updated < self.wanted {
            let updated = if self.seen { self.updated } else { 0 };
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

fn stuck(status: &Value) -> Option<Stuck> {
    let condition = |kind: &str, value: &str| {
        status["conditions"]
            .as_array()?
            .iter()
            .find(|condition| condition["type"] == kind && condition["status"] == value)
    };
    let found =
        condition("ReplicaFailure", "True").or_else(|| condition("Progressing", "False"))?;
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    Some(Stuck {
        reason: text("reason"),
        message: text("message"),
    })
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
        let mut unseen = deployment(2, 2, 2);
        unseen["status"]["observedGeneration"] = json!(2);
        assert!(!Rollout::of(&unseen).complete());
    }

    #[test]
    fn a_denied_pod_is_told_in_the_words_of_the_api() {
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
}
