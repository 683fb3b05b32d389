//! What keeps an MCPServer from what somebody wants of it, by what its status says, in the order in which it is mended.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use mcp_operator_api::names::conditions::{
    AUTOSCALING_ACTIVE, AVAILABLE, DEPLOYMENT_READY, DISRUPTION_BUDGET_CREATED,
    EXTERNAL_SECRET_SYNCED, LITELLM_REGISTERED, READY, SERVICE_MONITOR_CREATED, SPEC_VALID,
};
use mcp_operator_core::conditions::find;
use serde::Serialize;
use serde_json::Value;

use crate::remedies::{meaning, remedy};
use crate::view::Tone;

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cause {
    /// What is not so: `not ready`, `not registered`, `not written`.
    pub(crate) what: &'static str,
    /// The condition that says so, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) condition: Option<&'static str>,
    pub(crate) reason: String,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
    /// Whether somebody has to do something: what is on its way passes by itself.
    pub(crate) needs_somebody: bool,
}

/// The conditions in the order of causes, and what is not so where one is not True.
const ORDER: [(&str, &str); 8] = [
    (SPEC_VALID, "not valid"),
    (EXTERNAL_SECRET_SYNCED, "not ready"),
    (DEPLOYMENT_READY, "not ready"),
    (AVAILABLE, "not serving"),
    (LITELLM_REGISTERED, "not registered"),
    (AUTOSCALING_ACTIVE, "not scaled"),
    (SERVICE_MONITOR_CREATED, "not monitored"),
    (DISRUPTION_BUDGET_CREATED, "not protected from drains"),
];

/// The causes; none if everything is there and serves.
pub(crate) fn causes(server: &Value) -> Vec<Cause> {
    if let Some(unseen) = unseen(server) {
        return vec![unseen];
    }
    let conditions = conditions(server);
    let mut causes: Vec<Cause> = outdated(server).into_iter().collect();
    let is_wanted = is_to_be_registered(server);
    for (kind, what) in ORDER {
        let Some(condition) = find(&conditions, kind).filter(|it| it.status != "True") else {
            continue;
        };
        // That no pod serves follows from why the Deployment is not ready.
        let is_told = kind == AVAILABLE
            && causes
                .iter()
                .any(|it| it.condition == Some(DEPLOYMENT_READY));
        if !is_told && (kind != LITELLM_REGISTERED || is_wanted) {
            causes.push(cause(kind, what, condition));
        }
    }
    if let Some(ready) = find(&conditions, READY).filter(|it| it.status != "True") {
        let is_told = causes.iter().any(|it| it.reason == ready.reason);
        if !is_told {
            causes.insert(0, cause(READY, "not ready", ready));
        }
    }
    causes
}

/// What these causes mean together: whoever needs somebody, what is on its way, and what is well.
pub(crate) fn tone(causes: &[Cause]) -> Tone {
    if causes.iter().any(|cause| cause.needs_somebody) {
        Tone::Bad
    } else if causes.is_empty() {
        Tone::Good
    } else {
        Tone::Waiting
    }
}

/// Whether somebody wants it registered: so it is where nobody says otherwise.
pub(crate) fn is_to_be_registered(server: &Value) -> bool {
    server["spec"]["litellm"]["autoRegister"].as_bool() != Some(false)
}

/// Whether the operator has never looked at it.
pub(crate) fn is_unseen(server: &Value) -> bool {
    let observed = server["status"]["observedGeneration"].as_i64();
    observed.unwrap_or(-1) < 0
}

/// `status.conditions`; what cannot be read is left out.
pub(crate) fn conditions(object: &Value) -> Vec<Condition> {
    let found = object["status"]["conditions"].as_array().into_iter();
    found
        .flatten()
        .filter_map(|condition| serde_json::from_value(condition.clone()).ok())
        .collect()
}

fn cause(kind: &'static str, what: &'static str, condition: &Condition) -> Cause {
    let helps = remedy(kind, &condition.reason).or_else(|| meaning(&condition.reason));
    let passes = helps
        .as_ref()
        .is_some_and(|helps| helps.starts_with("it passes"));
    Cause {
        what,
        condition: Some(kind),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        remedy: helps,
        needs_somebody: !passes && condition.status == "False",
    }
}

/// One that leaves, or that the operator has never looked at: nothing else is known then.
fn unseen(server: &Value) -> Option<Cause> {
    let metadata = &server["metadata"];
    let without_condition = |what, reason: &str, message: String, remedy: &str| {
        Some(Cause {
            what,
            condition: None,
            reason: reason.into(),
            message,
            remedy: Some(remedy.into()),
            needs_somebody: true,
        })
    };
    if let Some(since) = metadata["deletionTimestamp"].as_str() {
        let finalizers = metadata["finalizers"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        if finalizers.iter().all(|it| it == "foregroundDeletion") {
            return Some(Cause {
                what: "being deleted",
                condition: None,
                reason: "Deleting".into(),
                message: format!("It is being deleted since {since}, after all that it owns"),
                remedy: None,
                needs_somebody: false,
            });
        }
        let finalizers = Value::from(finalizers);
        return without_condition(
            "being deleted",
            "Deleting",
            format!(
                "It is being deleted since {since}, and these finalizers hold it: {finalizers}"
            ),
            "who set a finalizer removes it; the operator has none",
        );
    }
    if is_unseen(server) {
        return without_condition(
            "not written",
            "NotObserved",
            "The operator has not looked at it".into(),
            "kubectl mcp doctor says whether the operator runs and one of its replicas leads",
        );
    }
    None
}

/// The status is about an older specification.
fn outdated(server: &Value) -> Option<Cause> {
    let observed = server["status"]["observedGeneration"].as_i64()?;
    let generation = server["metadata"]["generation"].as_i64()?;
    (observed < generation).then(|| Cause {
        what: "not written",
        condition: None,
        reason: "Outdated".into(),
        message: format!(
            "The status is about generation {observed}, and the specification is {generation}"
        ),
        remedy: Some("it passes in seconds; if it does not, kubectl mcp doctor".into()),
        needs_somebody: false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server(conditions: &[(&str, &str, &str)]) -> Value {
        let conditions: Vec<Value> = conditions
            .iter()
            .map(|(kind, status, reason)| {
                json!({
                    "type": kind, "status": status, "reason": reason, "message": format!("{reason}!"),
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                })
            })
            .collect();
        json!({
            "metadata": { "generation": 2 }, "spec": {},
            "status": { "observedGeneration": 2, "conditions": conditions },
        })
    }

    fn reasons(server: &Value) -> Vec<(&'static str, String)> {
        let all = causes(server).into_iter();
        all.map(|cause| (cause.what, cause.reason)).collect()
    }

    #[test]
    fn what_comes_first_is_said_first_and_what_follows_from_it_is_not_said_again() {
        let told = server(&[
            (READY, "False", "ImagePullBackOff"),
            (LITELLM_REGISTERED, "Unknown", "Waiting"),
            (AVAILABLE, "False", "NoPodServes"),
            (DEPLOYMENT_READY, "False", "ImagePullBackOff"),
            (SPEC_VALID, "True", "Valid"),
        ]);
        assert_eq!(
            reasons(&told),
            [
                ("not ready", "ImagePullBackOff".to_owned()),
                ("not registered", "Waiting".to_owned()),
            ]
        );
        let all = causes(&told);
        assert!(all[0].needs_somebody && !all[1].needs_somebody, "{all:?}");
        assert_eq!(
            all[0].remedy.as_deref(),
            Some("name, tag, imagePullSecrets, the registry")
        );
    }

    #[test]
    fn what_no_other_condition_says_ready_says() {
        let told = server(&[
            (READY, "False", "ForeignObject"),
            (DEPLOYMENT_READY, "True", "A"),
        ]);
        let all = causes(&told);
        assert_eq!(all[0].reason, "ForeignObject");
        assert!(all[0].remedy.as_ref().unwrap().contains("somebody else's"));
    }

    #[test]
    fn a_server_that_nobody_wants_registered_may_be_so() {
        let mut told = server(&[(LITELLM_REGISTERED, "False", "NotRegistered")]);
        assert_eq!(reasons(&told).len(), 1);
        told["spec"]["litellm"]["autoRegister"] = json!(false);
        assert_eq!(reasons(&told), []);
    }

    #[test]
    fn one_that_nobody_has_looked_at_and_one_that_leaves_say_so() {
        let mut told = server(&[(READY, "True", "Ready")]);
        told["metadata"]["generation"] = json!(3);
        assert_eq!(reasons(&told), [("not written", "Outdated".to_owned())]);
        told["status"] = json!({ "observedGeneration": -1 });
        assert_eq!(reasons(&told), [("not written", "NotObserved".to_owned())]);
        told["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        told["metadata"]["finalizers"] = json!(["acme.io/hold"]);
        let all = causes(&told);
        assert!(all[0].message.contains("acme.io/hold"), "{all:?}");
        // `kubectl delete --cascade=foreground`: it passes by itself.
        told["metadata"]["finalizers"] = json!(["foregroundDeletion"]);
        let all = causes(&told);
        assert!(!all[0].needs_somebody && all[0].remedy.is_none(), "{all:?}");
    }
}
