//! What plugins may not change in the objects that they complete.

use serde_json::{Map, Value};

/// What plugins may change in each kind besides labels and annotations: members of `spec`, and of the object itself.
const MUTABLE_MEMBERS: &[(&str, Mutable)] = &[
    (
        "ConfigMap",
        Mutable {
            object: &["data"],
            spec: &[],
        },
    ),
    (
        "ServiceAccount",
        Mutable {
            object: &["automountServiceAccountToken"],
            spec: &[],
        },
    ),
    (
        "Service",
        Mutable {
            object: &[],
            spec: &[
                "internalTrafficPolicy",
                "ipFamilies",
                "ipFamilyPolicy",
                "sessionAffinity",
                "sessionAffinityConfig",
                "trafficDistribution",
            ],
        },
    ),
    (
        "HorizontalPodAutoscaler",
        Mutable {
            object: &[],
            spec: &["behavior", "maxReplicas", "metrics", "minReplicas"],
        },
    ),
    (
        "PodDisruptionBudget",
        Mutable {
            object: &[],
            spec: &[
                "maxUnavailable",
                "minAvailable",
                "unhealthyPodEvictionPolicy",
            ],
        },
    ),
    (
        "ExternalSecret",
        Mutable {
            object: &[],
            spec: &["refreshInterval"],
        },
    ),
];

/// Names of members that plugins may change.
#[derive(Clone, Copy, Default)]
struct Mutable {
    object: &'static [&'static str],
    spec: &'static [&'static str],
}

/// Volumes that a plugin may add: whoever may read pods and ConfigMaps in the namespace can see their content anyway.
const HARMLESS_VOLUMES: [&str; 3] = ["configMap", "downwardAPI", "emptyDir"];

/// Labels and annotations by which the operator finds its objects.
const RESERVED_PREFIX: &str = "mcp.litellm.ai/";
const RESERVED_LABELS: [&str; 3] = [
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/name",
];

/// The first change that is not allowed, as a part of a sentence.
pub(super) fn forbidden_change(before: &Value, after: &Value) -> Option<&'static str> {
    let kind = before["kind"].as_str().unwrap_or_default();
    let mutable = MUTABLE_MEMBERS
        .iter()
        .find(|(of, _)| *of == kind)
        .map_or(Mutable::default(), |(_, mutable)| *mutable);
    let checked_below = ["metadata", "spec"];
    if differ(before, after, &[&checked_below, mutable.object].concat())
        || differ(
            &before["metadata"],
            &after["metadata"],
            &["labels", "annotations"],
        )
    {
        return Some("identity, ownership or status");
    }
    if kind == "MCPServer" {
        return None;
    }
    if reserved_names_differ(&before["metadata"], &after["metadata"]) {
        return Some("labels or annotations that the operator goes by");
    }
    match kind {
        // Clouds give roles to service accounts by their annotations.
        "ServiceAccount"
            if before["metadata"]["annotations"] != after["metadata"]["annotations"] =>
        {
            Some("annotations, which can give it a role,")
        }
        "Deployment" => forbidden_in_deployment(&before["spec"], &after["spec"]),
        _ => differ(&before["spec"], &after["spec"], mutable.spec)
            .then_some("a part of the specification"),
    }
}

/// Whether two objects differ in other members than the ignored ones.
fn differ(before: &Value, after: &Value, ignored: &[&str]) -> bool {
    let rest = |members: &Map<String, Value>| {
        members
            .iter()
            .filter(|(name, _)| !ignored.contains(&name.as_str()))
            .count()
    };
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            rest(before) != rest(after)
                || before
                    .iter()
                    .filter(|(name, _)| !ignored.contains(&name.as_str()))
                    .any(|(name, value)| after.get(name) != Some(value))
        }
        // An object may be added, as long as it has no other members than the ignored ones.
        (Value::Null, Value::Object(after)) => rest(after) > 0,
        _ => before != after,
    }
}

fn reserved_names_differ(before: &Value, after: &Value) -> bool {
    let reserved = |metadata: &Value, list: &str| -> Vec<(String, Value)> {
        let members = metadata[list].as_object().into_iter().flatten();
        let is_reserved =
            |name: &str| name.starts_with(RESERVED_PREFIX) || RESERVED_LABELS.contains(&name);
        members
            .filter(|(name, _)| is_reserved(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    ["labels", "annotations"]
        .iter()
        .any(|list| reserved(before, list) != reserved(after, list))
}

fn forbidden_in_deployment(before: &Value, after: &Value) -> Option<&'static str> {
    if before["selector"] != after["selector"] {
        return Some("the selector");
    }
    let (old, new) = (&before["template"], &after["template"]);
    if reserved_names_differ(&old["metadata"], &new["metadata"]) {
        return Some("labels or annotations that the operator goes by");
    }
    forbidden_in_pod(&old["spec"], &new["spec"])
}

fn forbidden_in_pod(before: &Value, after: &Value) -> Option<&'static str> {
    // `serviceAccount` is the deprecated name of the same field.
    for account in ["serviceAccountName", "serviceAccount"] {
        if before[account] != after[account] {
            return Some("the service account");
        }
    }
    for namespace in ["hostNetwork", "hostPID", "hostIPC"] {
        if after[namespace] == true && before[namespace] != true {
            return Some("host namespaces");
        }
    }
    if privileges(after).any(|privilege| privileges(before).all(|old| old != privilege)) {
        return Some("privileges");
    }
    if items(after, "volumes").any(|volume| !is_harmless(volume) && !has(before, "volumes", volume))
    {
        return Some("volumes, to one on the host or of somebody else,");
    }
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        if !same_names_and_images(before, after, list) {
            return Some("containers or images");
        }
        for (before, after) in items(before, list).zip(items(after, list)) {
            if let Some(what) = forbidden_in_container(before, after) {
                return Some(what);
            }
        }
    }
    None
}

fn forbidden_in_container(before: &Value, after: &Value) -> Option<&'static str> {
    if commands(before) != commands(after) {
        return Some("what a container runs");
    }
    if privileges(after).any(|privilege| privileges(before).all(|old| old != privilege)) {
        return Some("privileges");
    }
    if items(after, "ports").any(|port| !port["hostPort"].is_null() && !has(before, "ports", port))
    {
        return Some("ports, to one of the host,");
    }
    if items(after, "volumeDevices").any(|device| !has(before, "volumeDevices", device)) {
        return Some("devices");
    }
    for list in ["env", "envFrom"] {
        if items(after, list).any(|source| reads_secret(source) && !has(before, list, source)) {
            return Some("the secrets that a container reads");
        }
    }
    None
}

fn items<'a>(of: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    of[list].as_array().into_iter().flatten()
}

fn has(of: &Value, list: &str, wanted: &Value) -> bool {
    items(of, list).any(|item| item == wanted)
}

fn same_names_and_images(before: &Value, after: &Value, list: &str) -> bool {
    let names = |pod| items(pod, list).map(|container| (&container["name"], &container["image"]));
    // A value that is no list has no items to compare.
    (after[list].is_array() || after[list].is_null() || after[list] == before[list])
        && names(before).eq(names(after))
}

fn is_harmless(volume: &Value) -> bool {
    volume.as_object().is_some_and(|members| {
        members
            .keys()
            .all(|name| name == "name" || HARMLESS_VOLUMES.contains(&name.as_str()))
    })
}

/// All fields by which a container runs a command.
fn commands(container: &Value) -> [&Value; 7] {
    [
        &container["command"],
        &container["args"],
        &container["lifecycle"]["postStart"]["exec"],
        &container["lifecycle"]["preStop"]["exec"],
        &container["livenessProbe"]["exec"],
        &container["readinessProbe"]["exec"],
        &container["startupProbe"]["exec"],
    ]
}

/// What a security context, of a pod or of a container, allows that no plugin may allow.
fn privileges(of: &Value) -> impl Iterator<Item = &Value> {
    let context = &of["securityContext"];
    let is_on = |value: &&Value| **value == true;
    let profile = |name: &str| &context[name]["type"];
    let switched_on = [
        &context["privileged"],
        &context["allowPrivilegeEscalation"],
        &context["windowsOptions"]["hostProcess"],
    ];
    let unconfined = [
        profile("seccompProfile"),
        profile("appArmorProfile"),
        &context["procMount"],
    ];
    switched_on
        .into_iter()
        .filter(is_on)
        .chain(
            unconfined
                .into_iter()
                .filter(|value| **value == "Unconfined" || **value == "Unmasked"),
        )
        .chain(items(&context["capabilities"], "add"))
}

fn reads_secret(source: &Value) -> bool {
    !source["secretRef"].is_null() || !source["valueFrom"]["secretKeyRef"].is_null()
}
