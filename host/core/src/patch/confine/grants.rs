//! What an MCPPlugin grants: fields of MCPServers, labels and annotations.

use mcp_operator_api::names::labels;
use mcp_operator_api::v1alpha1::PluginGrants;
use serde_json::Value;

use super::{NEVER, Refusal, Why};
use crate::label_entry;
use crate::patch::changed_fields::{self, FieldPath};

/// Labels and annotations that say what the operator made and what it knows, and those that set a security context.
const RESERVED_PREFIXES: [&str; 3] = [
    "mcp.litellm.ai/",
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
];
/// Labels by which the operator finds its objects, and the one that sets a security context.
const RESERVED: [&str; 4] = [
    labels::INSTANCE,
    labels::MANAGED_BY,
    labels::NAME,
    "seccomp.security.alpha.kubernetes.io/pod",
];

/// Whether the changes of an MCPServer's specification are all below fields that are granted.
pub(super) fn check_fields(
    before: &Value,
    after: &Value,
    grants: &PluginGrants,
) -> Result<(), Refusal> {
    let changed = changed_fields::changed(before, after);
    let in_spec = changed.iter().filter(|field| field.names()[0] == "spec");
    for field in in_spec {
        if !grants.fields.iter().any(|granted| is_below(granted, field)) {
            return Err(Refusal {
                field: field.to_string(),
                why: missing_grant(field),
            });
        }
    }
    Ok(())
}

/// By whole names: `spec.res` does not grant `spec.resources`. Never the whole specification.
fn is_below(granted: &str, field: &FieldPath<'_>) -> bool {
    let granted: Vec<&str> = granted.split('.').collect();
    granted.len() > 1 && field.names().starts_with(&granted)
}

/// The grant of this field alone, as far as a grant can name it.
fn missing_grant(field: &FieldPath<'_>) -> Why {
    let names = field.names().iter();
    let names: Vec<&str> = names
        .copied()
        .take_while(|name| changed_fields::is_plain(name))
        .collect();
    if names.len() < 2 {
        return Why::Never(NEVER);
    }
    Why::NotGranted {
        list: "fields",
        entry: names.join("."),
    }
}

/// Whether an entry of `grants.labels` or `grants.annotations` is for this name. What Kubernetes itself reads must be named
/// as a whole.
pub(super) fn covers(entry: &str, name: &str) -> bool {
    let is_too_wide = entry.ends_with('/') && is_kubernetes_own(entry);
    !is_too_wide && label_entry::covers(entry, name)
}

/// Whether a label or annotation is never granted: the operator goes by it, or it weakens a pod.
pub(crate) fn never_granted(name: &str) -> bool {
    RESERVED.contains(&name)
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// Whether the domain of a label or annotation is Kubernetes' own.
pub(crate) fn is_kubernetes_own(name: &str) -> bool {
    let domain = name.split_once('/').map_or("", |(domain, _)| domain);
    ["kubernetes.io", "k8s.io"].iter().any(|own| {
        let above = domain.strip_suffix(own);
        above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_grant_is_for_whole_names() {
        let server = |resources: Value| json!({ "spec": { "resources": resources } });
        let before = server(json!({ "limits": { "cpu": "1" } }));
        let after = server(json!({ "limits": { "cpu": "2" } }));
        let is_granted = |field: &str| {
            let grants = PluginGrants {
                fields: vec![field.into()],
                ..PluginGrants::default()
            };
            check_fields(&before, &after, &grants).is_ok()
        };
        for granted in [
            "spec.resources",
            "spec.resources.limits",
            "spec.resources.limits.cpu",
        ] {
            assert!(is_granted(granted), "{granted}");
        }
        for other in [
            "spec",
            "spec.res",
            "spec.resources.requests",
            "spec.resources.limits.cpu.x",
            "resources",
            "",
        ] {
            assert!(!is_granted(other), "{other}");
        }
    }

    #[test]
    fn a_grant_of_labels_is_a_name_or_a_domain() {
        assert!(covers("team", "team"));
        assert!(covers("acme.io/team", "acme.io/team"));
        assert!(covers("acme.io/", "acme.io/team"));
        assert!(covers(
            "app.kubernetes.io/version",
            "app.kubernetes.io/version"
        ));
        for (entry, name) in [
            ("team", "team-b"),
            ("acme.io", "acme.io/team"),
            ("acme.io/", "evil-acme.io/team"),
            ("acme.io/", "acme.io.evil/team"),
            ("kubernetes.io/", "kubernetes.io/x"),
            ("app.kubernetes.io/", "app.kubernetes.io/version"),
            ("node.k8s.io/", "node.k8s.io/x"),
        ] {
            assert!(!covers(entry, name), "{entry} {name}");
        }
        assert!(!is_kubernetes_own("notkubernetes.io/x"));
    }
}
