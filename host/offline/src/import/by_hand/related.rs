//! What belongs to a Deployment: what selects its pods, and what they name.

use serde_json::Value;

use crate::documents::Document;

/// Kinds that stand beside a Deployment.
const KINDS: [&str; 7] = [
    "ConfigMap",
    "ExternalSecret",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "Service",
    "ServiceAccount",
    "ServiceMonitor",
];

/// The manifests that belong to one Deployment.
pub(super) struct Related(Vec<Value>);

impl Related {
    /// Takes them out of the documents.
    pub(super) fn take(deployment: &Value, documents: &mut Vec<Document>) -> Self {
        // A ServiceMonitor selects the Service, so that comes first.
        let mut taken: Vec<Value> = Vec::new();
        for monitors in [false, true] {
            let belongs = |document: &mut Document| {
                let is_monitor = document.object["kind"] == "ServiceMonitor";
                is_monitor == monitors && belongs(&document.object, deployment, &taken)
            };
            let found: Vec<Document> = documents.extract_if(.., belongs).collect();
            taken.extend(found.into_iter().map(|document| document.object));
        }
        Self(taken)
    }

    pub(super) fn all(&self) -> &[Value] {
        &self.0
    }

    pub(super) fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |object| object["kind"] == kind)
    }

    pub(super) fn first(&self, kind: &str) -> Option<&Value> {
        self.0.iter().find(|object| object["kind"] == kind)
    }

    /// The value of a key of a ConfigMap.
    pub(super) fn config(&self, name: &Value, key: &str) -> Option<&Value> {
        let mut found = self.of("ConfigMap");
        let found = found.find(|object| object["metadata"]["name"] == *name)?;
        found["data"].get(key)
    }

    /// The ExternalSecret that makes a Secret.
    pub(super) fn external_secret(&self, secret: &Value) -> Option<&Value> {
        let mut found = self.of("ExternalSecret");
        found.find(|object| secret_of(object) == secret)
    }
}

fn secret_of(external_secret: &Value) -> &Value {
    match &external_secret["spec"]["target"]["name"] {
        Value::Null => &external_secret["metadata"]["name"],
        name => name,
    }
}

fn belongs(object: &Value, deployment: &Value, taken: &[Value]) -> bool {
    let kind = object["kind"].as_str().unwrap_or_default();
    let template = &deployment["spec"]["template"];
    let (name, spec) = (&object["metadata"]["name"], &object["spec"]);
    let is_here = object["metadata"]["namespace"] == deployment["metadata"]["namespace"];
    if !KINDS.contains(&kind) || (!is_here && kind != "ServiceMonitor") {
        return false;
    }
    let labels = &template["metadata"]["labels"];
    match kind {
        "Service" => selects(&spec["selector"], labels),
        "PodDisruptionBudget" => selects(&spec["selector"]["matchLabels"], labels),
        "ServiceMonitor" => taken.iter().any(|service| {
            service["kind"] == "Service"
                && selects(
                    &spec["selector"]["matchLabels"],
                    &service["metadata"]["labels"],
                )
        }),
        "HorizontalPodAutoscaler" => {
            let target = &spec["scaleTargetRef"];
            target["kind"] == "Deployment" && target["name"] == deployment["metadata"]["name"]
        }
        "ServiceAccount" => template["spec"]["serviceAccountName"] == *name,
        "ExternalSecret" => names(&template["spec"], secret_of(object)),
        _ => names(&template["spec"], name),
    }
}

fn selects(selector: &Value, labels: &Value) -> bool {
    let selector = selector.as_object();
    selector.is_some_and(|selector| {
        !selector.is_empty() && selector.iter().all(|(name, value)| labels[name] == *value)
    })
}

/// Whether a pod names a ConfigMap or Secret.
fn names(pod: &Value, name: &Value) -> bool {
    match pod {
        Value::Array(items) => items.iter().any(|item| names(item, name)),
        Value::Object(members) => members.iter().any(|(member, value)| {
            let refers = [
                "configMap",
                "configMapKeyRef",
                "configMapRef",
                "secret",
                "secretKeyRef",
                "secretRef",
            ];
            let is_named = value["name"] == *name || value["secretName"] == *name;
            (is_named && refers.contains(&member.as_str())) || names(value, name)
        }),
        _ => false,
    }
}
