//! What is wrong with the specification of an MCPPlugin that its schema cannot say, since it depends on where the operator
//! runs.

use mcp_operator_api::v1alpha1::{McpPluginSpec, PluginGrants};

use crate::exception;
use crate::field::{ErrorType, FieldError};
use crate::patch::{is_kubernetes_own, never_granted};

/// Everything that is wrong. Outside of a cluster there is no operator, and so no namespace that would be its own.
pub fn validate(spec: &McpPluginSpec, operator_namespace: Option<&str>) -> Vec<FieldError> {
    let mut errors = namespaces_of_grants(&spec.grants, operator_namespace);
    errors.extend(metadata_of_grants(&spec.grants));
    errors.extend(unpinned_source(spec, operator_namespace));
    errors.extend(exception::errors(&spec.exceptions));
    errors
}

/// Whoever may write ConfigMaps in a namespace would be who writes rules, if their code were not pinned.
fn unpinned_source(spec: &McpPluginSpec, operator_namespace: Option<&str>) -> Option<FieldError> {
    let (map, own) = (spec.source.config_map.as_ref()?, operator_namespace?);
    if map.namespace == own || spec.sha256.is_some() {
        return None;
    }
    Some(FieldError {
        field: "spec.sha256".into(),
        error_type: ErrorType::Required,
        bad_value: None,
        message: format!(
            "code from a ConfigMap of another namespace than {own}, where the operator is, must be pinned: give the SHA-256 of the component, or put the ConfigMap into {own}"
        ),
        code: "source-pinned".into(),
    })
}

/// The cluster's own namespaces and the operator's hold what would be more than a registrar could ever need: DNS, the map of
/// cloud roles to users, the code of other plugins.
fn namespaces_of_grants(
    grants: &PluginGrants,
    operator_namespace: Option<&str>,
) -> Vec<FieldError> {
    let maps = grants.config_maps.iter().map(|grant| &grant.namespace);
    let workloads = grants.workloads.iter().map(|grant| &grant.namespace);
    let named = [
        ("configMaps", maps.collect()),
        ("workloads", workloads.collect()),
    ];
    let each = named.iter().flat_map(|(list, namespaces): &(_, Vec<_>)| {
        let numbered = namespaces.iter().enumerate();
        numbered.map(move |(index, namespace)| (*list, index, *namespace))
    });
    each.filter_map(|(list, index, namespace)| {
        let message = if namespace.starts_with("kube-") {
            "namespaces that begin with kube- are the cluster's own, and never granted"
        } else if Some(namespace.as_str()) == operator_namespace {
            "the operator's own namespace is never granted: it holds the code of plugins"
        } else {
            return None;
        };
        Some(FieldError {
            field: format!("spec.grants.{list}[{index}].namespace"),
            error_type: ErrorType::Forbidden,
            bad_value: None,
            message: message.into(),
            code: "grants-namespace".into(),
        })
    })
    .collect()
}

/// Labels and annotations that a grant would not allow all the same.
fn metadata_of_grants(grants: &PluginGrants) -> Vec<FieldError> {
    let lists = [
        ("labels", &grants.labels),
        ("annotations", &grants.annotations),
    ];
    let each = lists.into_iter().flat_map(|(list, entries)| {
        let numbered = entries.iter().enumerate();
        numbered.map(move |(index, entry)| (list, index, entry))
    });
    each.filter_map(|(list, index, entry)| {
        let message = if never_granted(entry) {
            "is never granted: the operator finds its objects by it, or it is a security context"
        } else if entry.ends_with('/') && is_kubernetes_own(entry) {
            "what Kubernetes itself reads is granted by whole names, for example app.kubernetes.io/version"
        } else {
            return None;
        };
        Some(FieldError {
            field: format!("spec.grants.{list}[{index}]"),
            error_type: ErrorType::Forbidden,
            bad_value: None,
            message: message.into(),
            code: "grants-metadata".into(),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use mcp_operator_api::v1alpha1::{
        ConfigMapGrant, ConfigMapSource, PluginSource, WorkloadGrant,
    };

    use super::*;

    const OWN: Option<&str> = Some("mcp-operator-system");

    fn from_config_map(namespace: &str) -> McpPluginSpec {
        let source = PluginSource {
            config_map: Some(ConfigMapSource {
                namespace: namespace.into(),
                name: "rule".into(),
                key: None,
            }),
            ..PluginSource::default()
        };
        serde_json::from_value(serde_json::json!({ "source": source })).unwrap()
    }

    fn errors(spec: &McpPluginSpec) -> Vec<String> {
        validate(spec, OWN)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn code_is_pinned_or_from_the_operators_namespace() {
        assert_eq!(errors(&from_config_map("mcp-operator-system")), [""; 0]);
        let mut elsewhere = from_config_map("team-a");
        let found = errors(&elsewhere);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("spec.sha256: Required value: code from a ConfigMap of another namespace than mcp-operator-system"),
            "{found:?}"
        );
        elsewhere.sha256 = Some("0".repeat(64));
        assert_eq!(errors(&elsewhere), [""; 0]);
        let builtin = serde_json::json!({ "source": { "builtin": "validation" } });
        assert_eq!(errors(&serde_json::from_value(builtin).unwrap()), [""; 0]);
    }

    #[test]
    fn some_namespaces_are_never_granted() {
        let mut spec = from_config_map("mcp-operator-system");
        for namespace in ["litellm", "mcp-operator-system", "kube-system"] {
            spec.grants.config_maps.push(ConfigMapGrant {
                namespace: namespace.into(),
                ..ConfigMapGrant::default()
            });
            spec.grants.workloads.push(WorkloadGrant {
                namespace: namespace.into(),
                ..WorkloadGrant::default()
            });
        }
        let own = "Forbidden: the operator's own namespace is never granted: it holds the code of plugins";
        let cluster =
            "Forbidden: namespaces that begin with kube- are the cluster's own, and never granted";
        assert_eq!(
            errors(&spec),
            [
                format!("spec.grants.configMaps[1].namespace: {own}"),
                format!("spec.grants.configMaps[2].namespace: {cluster}"),
                format!("spec.grants.workloads[1].namespace: {own}"),
                format!("spec.grants.workloads[2].namespace: {cluster}"),
            ]
        );
    }

    #[test]
    fn some_labels_and_annotations_are_never_granted() {
        let mut spec = from_config_map("mcp-operator-system");
        let allowed = ["team", "cost.acme.io/", "app.kubernetes.io/version"];
        let refused = ["mcp.litellm.ai/", "app.kubernetes.io/name"];
        spec.grants.labels = [&allowed[..], &refused]
            .concat()
            .iter()
            .map(ToString::to_string)
            .collect();
        spec.grants.annotations = vec!["app.kubernetes.io/".into()];
        let never = "Forbidden: is never granted: the operator finds its objects by it, or it is a security context";
        assert_eq!(
            errors(&spec),
            [
                format!("spec.grants.labels[3]: {never}"),
                format!("spec.grants.labels[4]: {never}"),
                "spec.grants.annotations[0]: Forbidden: what Kubernetes itself reads is granted by whole names, for example app.kubernetes.io/version".to_owned(),
            ]
        );
    }
}
