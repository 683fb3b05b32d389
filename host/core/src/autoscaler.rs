//! What the status of a HorizontalPodAutoscaler says about whether it works.

use serde_json::{Value, json};

/// Conditions of an autoscaler without which it changes nothing.
const NEEDED: [&str; 2] = ["AbleToScale", "ScalingActive"];

/// Whether a condition says that the autoscaler does not work.
pub fn is_failing(condition: &Value) -> bool {
    condition["status"] == "False" && NEEDED.iter().any(|kind| condition["type"] == *kind)
}

/// The part of an autoscaler's status that [`is_failing`] reads, and its words. The rest changes with every measurement.
pub fn relevant_status(status: &Value) -> Value {
    let conditions = status["conditions"].as_array();
    let failing: Vec<Value> = conditions
        .into_iter()
        .flatten()
        .filter(|condition| is_failing(condition))
        .map(|condition| {
            json!({
                "type": condition["type"], "status": condition["status"],
                "reason": condition["reason"], "message": condition["message"],
            })
        })
        .collect();
    json!({ "conditions": failing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_keeps_it_from_working_is_kept() {
        let status = |replicas: u16| {
            json!({
                "currentReplicas": replicas, "lastScaleTime": replicas, "conditions": [
                    { "type": "AbleToScale", "status": "True", "reason": "SucceededGetScale", "message": "m" },
                    { "type": "ScalingLimited", "status": "False", "reason": "DesiredWithinRange", "message": "m" },
                    { "type": "ScalingActive", "status": "False", "reason": "FailedGetContainerResourceMetric", "message": "no metrics", "lastTransitionTime": replicas },
                ],
            })
        };
        let relevant = relevant_status(&status(1));
        assert_eq!(relevant, relevant_status(&status(2)));
        let conditions = relevant["conditions"].as_array().unwrap();
        assert_eq!(conditions.len(), 1);
        assert_eq!(conditions[0]["message"], "no metrics");
    }
}
