//! Labels of an MCPServer that its objects get too.
//!
//! Only those that the administrator asks for: tools delete what carries their labels and they did not make, and a selector
//! of somebody's Service, budget or network policy would find the pods of whoever writes its labels. Templates of pods get
//! none at all, so that no label of an MCPServer replaces pods.

use serde_json::json;

use super::Settings;
use crate::label_entry::covers;
use crate::manifest::Manifest;
use crate::validated_server::ValidatedServer;

/// By these the operator finds its objects, and other programs theirs: they never spread, whatever is asked for.
const MEMBERSHIPS: [&str; 11] = [
    "app.kubernetes.io/",
    "applyset.kubernetes.io/",
    "argocd.argoproj.io/",
    "helm.sh/",
    "helm.toolkit.fluxcd.io/",
    "kapp.k14s.io/",
    "kro.run/",
    "kustomize.toolkit.fluxcd.io/",
    "mcp.litellm.ai/",
    "objectset.rio.cattle.io/",
    "velero.io/",
];

/// Adds them. What an object says itself stays.
pub(super) fn add(objects: &mut [Manifest], server: &ValidatedServer, settings: &Settings) {
    let propagated = || {
        let labels = server.labels.iter();
        labels.filter(|(key, _)| is_propagated(key, &settings.propagated_labels))
    };
    for manifest in objects {
        let labels = &mut manifest.object["metadata"]["labels"];
        for (key, value) in propagated() {
            if labels[key].is_null() {
                labels[key] = json!(value);
            }
        }
    }
}

fn is_propagated(key: &str, entries: &[String]) -> bool {
    let is_membership = MEMBERSHIPS.iter().any(|prefix| key.starts_with(prefix));
    !is_membership && entries.iter().any(|entry| covers(entry, key))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::build::objects;
    use crate::manifest::{Built, ManagedKind, Objects};

    fn built(labels: Value, propagated: &[&str]) -> Objects<Built> {
        let server = serde_json::from_value(json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": "a", "namespace": "tools", "uid": "8f2b", "labels": labels },
            "spec": {
                "image": { "repository": "ghcr.io/acme/mcp", "tag": "1.0.0" }, "config": { "a": 1 }, "replicas": 2,
                "networkPolicy": { "enabled": true }, "observability": { "metrics": { "enabled": true } },
            },
        }));
        let settings = Settings {
            propagated_labels: propagated.iter().map(ToString::to_string).collect(),
            ..Settings::default()
        };
        objects(
            &ValidatedServer::parse(&server.unwrap()).unwrap(),
            &settings,
        )
        .unwrap()
    }

    #[test]
    fn objects_get_what_is_asked_for_and_pods_get_nothing() {
        let labels = json!({ "team": "a", "cost.acme.io/centre": "42", "app": "payments-api", "teams": "b" });
        let objects = built(labels, &["team", "cost.acme.io/"]);
        for manifest in &objects {
            let labels = &manifest.object["metadata"]["labels"];
            assert_eq!(labels["team"], "a");
            assert_eq!(labels["cost.acme.io/centre"], "42");
            assert!(labels["app"].is_null() && labels["teams"].is_null());
        }
        let deployment = objects
            .iter()
            .find(|manifest| manifest.kind == ManagedKind::Deployment);
        let template = &deployment.unwrap().object["spec"]["template"]["metadata"]["labels"];
        for label in ["team", "cost.acme.io/centre", "app"] {
            assert!(template[label].is_null(), "{template}");
        }
    }

    #[test]
    fn unless_it_is_asked_for_nothing_spreads() {
        let labelled = built(
            json!({ "team": "a", "azure.workload.identity/use": "true" }),
            &[],
        );
        assert_eq!(
            labelled.values().collect::<Vec<_>>(),
            built(json!({}), &[]).values().collect::<Vec<_>>()
        );
    }

    #[test]
    fn memberships_and_the_operators_own_labels_never_spread() {
        let labels = json!({
            "applyset.kubernetes.io/part-of": "a", "kro.run/owned": "true", "velero.io/restore-name": "b",
            "mcp.litellm.ai/server": "forged", "app.kubernetes.io/instance": "argo", "release": "forged",
        });
        let asked = [
            "applyset.kubernetes.io/",
            "kro.run/",
            "velero.io/",
            "mcp.litellm.ai/",
            "app.kubernetes.io/",
            "release",
        ];
        for manifest in &built(labels, &asked) {
            let labels = manifest.object["metadata"]["labels"].as_object().unwrap();
            assert_eq!(labels["mcp.litellm.ai/server"], "a");
            assert_eq!(labels["app.kubernetes.io/instance"], "a");
            assert!(!labels.keys().any(|key| key.contains("applyset")
                || key.contains("kro")
                || key.contains("velero")));
            let is_monitor = manifest.kind == ManagedKind::ServiceMonitor;
            assert_eq!(
                labels["release"],
                if is_monitor {
                    "kube-prometheus"
                } else {
                    "forged"
                }
            );
        }
    }
}
