//! What pods of older templates may still need: a pod can restart with exactly what it was made with for as long as the
//! rollout of its successors is not complete.
//!
//! This is about what a container needs to start: the keys of ConfigMaps and Secrets that its template names. The *values* of
//! Secrets are those of the store, also for older pods: who rotates a password wants the old one used no more. The
//! ServiceAccount and its role, the NetworkPolicy and the Service are the server's and not the template's: they change for
//! all pods at once, and no container fails to start for that.

use serde_json::Value;

use crate::rollout::Rollout;

/// What there is to know of the pods that run, from the Deployment as it is in the cluster.
pub struct OlderTemplates<'a> {
    deployment: &'a Value,
}

impl<'a> OlderTemplates<'a> {
    /// `deployment` is as the API server has it, with what was just applied.
    pub fn of(deployment: &'a Value) -> Self {
        Self { deployment }
    }

    /// Whether a ConfigMap or Secret of this name may be needed by a container that starts. The present template of the
    /// cluster counts too: a new one may not have reached it.
    pub fn may_need(&self, name: &str) -> bool {
        !self.are_gone() || refers_to(&self.deployment["spec"]["template"]["spec"], name)
    }

    /// The same of one key of a Secret.
    fn may_need_key(&self, secret: &str, key: &str) -> bool {
        !self.are_gone() || reads_key(&self.deployment["spec"]["template"]["spec"], secret, key)
    }

    /// Whether there is no pod of an older template, and none to come.
    fn are_gone(&self) -> bool {
        Rollout::of(self.deployment).complete()
    }
}

/// Members of pods that refer to a ConfigMap or a Secret.
const REFERENCES: [&str; 6] = [
    "configMap",
    "configMapKeyRef",
    "configMapRef",
    "secret",
    "secretKeyRef",
    "secretRef",
];

/// Whether a pod refers to a ConfigMap or Secret of this name, in whatever way.
fn refers_to(pod: &Value, name: &str) -> bool {
    match pod {
        Value::Array(items) => items.iter().any(|item| refers_to(item, name)),
        Value::Object(members) => members.iter().any(|(member, value)| {
            let is_named = value["name"] == name || value["secretName"] == name;
            (is_named && REFERENCES.contains(&member.as_str())) || refers_to(value, name)
        }),
        _ => false,
    }
}

/// Whether a pod has a key of a Secret in a variable, or the whole Secret in a volume.
fn reads_key(pod: &Value, secret: &str, key: &str) -> bool {
    match pod {
        Value::Array(items) => items.iter().any(|item| reads_key(item, secret, key)),
        Value::Object(members) => {
            let is = |name: &str, text: &str| members.get(name).is_some_and(|found| found == text);
            (is("name", secret) && is("key", key))
                || is("secretName", secret)
                || members
                    .values()
                    .any(|member| reads_key(member, secret, key))
        }
        _ => false,
    }
}

/// Adds to an ExternalSecret what the one in the cluster fetches and this one does not, while older pods may need it: External
/// Secrets would take the key out of the Secret. Says whether there is any.
pub fn keep_keys(external_secret: &mut Value, live: &Value, older: &OlderTemplates<'_>) -> bool {
    let Some(data) = external_secret["spec"]["data"].as_array_mut() else {
        return false;
    };
    let secret = live["metadata"]["name"].as_str().unwrap_or_default();
    let before = live["spec"]["data"].as_array();
    let kept: Vec<Value> = before
        .into_iter()
        .flatten()
        .filter(|entry| {
            let key = &entry["secretKey"];
            let is_wanted = data.iter().any(|wanted| wanted["secretKey"] == *key);
            !is_wanted
                && key
                    .as_str()
                    .is_some_and(|key| older.may_need_key(secret, key))
        })
        .cloned()
        .collect();
    let has_kept = !kept.is_empty();
    data.extend(kept);
    data.sort_by(|a, b| a["secretKey"].as_str().cmp(&b["secretKey"].as_str()));
    has_kept
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A Deployment of which `updated` of two pods are of the present template, which reads one variable.
    fn deployment(updated: i64) -> Value {
        let variable = json!({ "valueFrom": { "configMapKeyRef": { "name": "new", "key": "k" } } });
        json!({
            "metadata": { "generation": 2 },
            "spec": { "replicas": 2, "template": { "spec": {
                "serviceAccountName": "old", "containers": [{ "name": "old", "env": [variable] }],
            } } },
            "status": {
                "observedGeneration": 2, "replicas": 2, "updatedReplicas": updated, "availableReplicas": 2,
            },
        })
    }

    #[test]
    fn what_the_present_template_does_not_name_goes_when_its_rollout_is_complete() {
        let (under_way, complete) = (deployment(1), deployment(2));
        for name in ["old", "new", "k"] {
            assert!(OlderTemplates::of(&under_way).may_need(name), "{name}");
        }
        let complete = OlderTemplates::of(&complete);
        assert!(!complete.may_need("old"));
        assert!(complete.may_need("new"), "it has not been replaced yet");
        let mut unobserved = deployment(2);
        unobserved["metadata"]["generation"] = json!(3);
        assert!(OlderTemplates::of(&unobserved).may_need("old"));
        assert!(
            OlderTemplates::of(&Value::Null).may_need("old"),
            "nobody knows"
        );
    }

    #[test]
    fn keys_that_are_fetched_no_more_stay_until_then() {
        let secret = |keys: &[&str]| {
            let data: Vec<Value> = keys
                .iter()
                .map(|key| json!({ "secretKey": key, "remoteRef": { "key": key } }))
                .collect();
            json!({ "spec": { "data": data } })
        };
        let kept = |updated: i64| {
            let deployment = deployment(updated);
            let mut wanted = secret(&["b", "c"]);
            let live = secret(&["a", "b"]);
            let has_kept = keep_keys(&mut wanted, &live, &OlderTemplates::of(&deployment));
            (wanted, has_kept)
        };
        assert_eq!(kept(1), (secret(&["a", "b", "c"]), true));
        assert_eq!(kept(2), (secret(&["b", "c"]), false));
        let pod = json!({ "containers": [{ "env": [{ "valueFrom": { "secretKeyRef": { "name": "s", "key": "a" } } }] }] });
        assert!(reads_key(&pod, "s", "a"));
        assert!(!reads_key(&pod, "s", "b") && !reads_key(&pod, "t", "a"));
        assert!(reads_key(
            &json!({ "volumes": [{ "secret": { "secretName": "s" } }] }),
            "s",
            "b"
        ));
    }
}
