//! On the other objects of a server.

use serde_json::{Value, json};

use super::{granted, patched};

fn object(kind: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": "mcp-github" }, "data": { "a": "b" }, "spec": { "a": 0 } })
}

/// One test for each attack: its name, the kind, where, what, and the field that the refusal must name.
macro_rules! attacks {
    ($($name:ident: $kind:literal $path:literal, $value:tt => $field:literal;)+) => {$(
        #[test]
        fn $name() {
            let operation = json!({ "op": "add", "path": $path, "value": $value });
            let refused = patched(object($kind), json!([operation])).unwrap_err().to_string();
            assert!(refused.contains(concat!(" ", $field, " of ", $kind, ", ")), "{refused}");
        }
    )+};
}

attacks! {
    code_in_the_configuration: "ConfigMap" "/data/x.py", "import os" => "data";
    bytes_in_the_configuration: "ConfigMap" "/binaryData", { "x": "AA==" } => "binaryData";
    a_role: "ServiceAccount" "/metadata/annotations", { "eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/admin" } => "metadata.annotations[eks.amazonaws.com/role-arn]";
    a_token: "ServiceAccount" "/automountServiceAccountToken", true => "automountServiceAccountToken";
    secrets: "ServiceAccount" "/secrets", [{ "name": "a" }] => "secrets";
    pull_secrets: "ServiceAccount" "/imagePullSecrets", [{ "name": "a" }] => "imagePullSecrets";
    a_load_balancer: "Service" "/spec/type", "LoadBalancer" => "spec.type";
    an_address: "Service" "/spec/externalIPs", ["192.0.2.1"] => "spec.externalIPs";
    another_name: "Service" "/spec/externalName", "example.org" => "spec.externalName";
    other_pods: "Service" "/spec/selector", { "app": "other" } => "spec.selector";
    pods_that_are_not_ready: "Service" "/spec/publishNotReadyAddresses", true => "spec.publishNotReadyAddresses";
    a_way_in_by_tailscale: "Service" "/metadata/annotations", { "tailscale.com/expose": "true" } => "metadata.annotations[tailscale.com/expose]";
    a_name_in_public: "Service" "/metadata/annotations", { "external-dns.alpha.kubernetes.io/hostname": "a.example.org" } => "metadata.annotations[external-dns.alpha.kubernetes.io/hostname]";
    another_workload: "HorizontalPodAutoscaler" "/spec/scaleTargetRef", { "name": "other" } => "spec.scaleTargetRef";
    pods_of_others: "PodDisruptionBudget" "/spec/selector", {} => "spec.selector";
    another_secret: "ExternalSecret" "/spec/data", [{ "remoteRef": { "key": "other" } }] => "spec.data";
    all_secrets: "ExternalSecret" "/spec/dataFrom", [] => "spec.dataFrom";
    another_store: "ExternalSecret" "/spec/secretStoreRef", { "name": "other" } => "spec.secretStoreRef";
    another_form: "ExternalSecret" "/spec/target", { "template": {} } => "spec.target";
    everybody_in: "NetworkPolicy" "/spec/ingress", [{}] => "spec.ingress";
    nobody_isolated: "NetworkPolicy" "/spec/podSelector", { "matchLabels": {} } => "spec.podSelector";
    a_specification_that_is_none: "NetworkPolicy" "/spec", null => "spec.a";
    another_target: "ServiceMonitor" "/spec/endpoints", [] => "spec.endpoints";
    a_kind_that_nobody_knows: "Surprise" "/spec/b", 1 => "spec.b";
    data_of_a_kind_that_nobody_knows: "Surprise" "/data/c", "d" => "data";
}

/// An API server refuses to apply what a kind has not, and the object would never be written again.
#[test]
fn an_empty_specification_where_a_kind_has_none() {
    let map =
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "mcp-github" } });
    let operation = json!({ "op": "add", "path": "/spec", "value": {} });
    let refused = patched(map, json!([operation])).unwrap_err().to_string();
    assert!(refused.contains(" spec of ConfigMap, "), "{refused}");
}

#[test]
fn what_each_kind_leaves_to_plugins() {
    for (kind, path, value) in [
        (
            "ServiceAccount",
            "/automountServiceAccountToken",
            json!(false),
        ),
        ("Service", "/spec/trafficDistribution", json!("PreferClose")),
        ("Service", "/spec/internalTrafficPolicy", json!("Local")),
        ("HorizontalPodAutoscaler", "/spec/behavior", json!({})),
        (
            "PodDisruptionBudget",
            "/spec/unhealthyPodEvictionPolicy",
            json!("AlwaysAllow"),
        ),
        ("ExternalSecret", "/spec/refreshInterval", json!("5m")),
    ] {
        let operation = json!({ "op": "add", "path": path, "value": value });
        patched(object(kind), json!([operation])).unwrap();
    }
}

/// Clouds give roles by annotations of a ServiceAccount: a whole domain of them is not granted by the way.
#[test]
fn a_role_is_granted_by_its_whole_name_only() {
    let role = json!([{ "op": "add", "path": "/metadata/annotations", "value": { "eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x" } }]);
    let by = |grant: &str| {
        granted(
            object("ServiceAccount"),
            role.clone(),
            &json!({ "annotations": [grant] }),
        )
    };
    by("eks.amazonaws.com/role-arn").unwrap();
    assert!(by("eks.amazonaws.com/").is_err());
}
