//! On the pod: whose it is, where it runs and whom it trusts; and on the Deployment around it.

use super::{POD, attacks};

attacks! {
    another_service_account: format!("{POD}/serviceAccountName"), "admin" => "spec.template.spec.serviceAccountName";
    another_service_account_by_its_old_name: format!("{POD}/serviceAccount"), "admin" => "spec.template.spec.serviceAccount";
    a_token_for_the_api: format!("{POD}/automountServiceAccountToken"), true => "spec.template.spec.automountServiceAccountToken";
    a_token_for_the_api_by_default: format!("{POD}/automountServiceAccountToken"), null => "spec.template.spec.automountServiceAccountToken";
    the_network_of_the_host: format!("{POD}/hostNetwork"), true => "spec.template.spec.hostNetwork";
    the_processes_of_the_host: format!("{POD}/hostPID"), true => "spec.template.spec.hostPID";
    the_memory_of_the_host: format!("{POD}/hostIPC"), true => "spec.template.spec.hostIPC";
    the_users_of_the_host: format!("{POD}/hostUsers"), true => "spec.template.spec.hostUsers";
    shared_processes: format!("{POD}/shareProcessNamespace"), true => "spec.template.spec.shareProcessNamespace";
    names_of_other_addresses: format!("{POD}/hostAliases"), [{ "ip": "192.0.2.1", "hostnames": ["api.github.com"] }] => "spec.template.spec.hostAliases";
    another_name_server: format!("{POD}/dnsConfig"), { "nameservers": ["192.0.2.1"] } => "spec.template.spec.dnsConfig.nameservers";
    another_search_domain: format!("{POD}/dnsConfig"), { "searches": ["evil.example"] } => "spec.template.spec.dnsConfig.searches";
    no_name_server_of_the_cluster: format!("{POD}/dnsPolicy"), "Default" => "spec.template.spec.dnsPolicy";
    another_host_name: format!("{POD}/setHostnameAsFQDN"), true => "spec.template.spec.setHostnameAsFQDN";
    a_container_before: format!("{POD}/initContainers"), [{ "name": "b", "image": "evil" }] => "spec.template.spec.initContainers";
    a_container_beside: format!("{POD}/ephemeralContainers"), [{ "name": "b", "image": "evil" }] => "spec.template.spec.ephemeralContainers";
    another_pull_secret: format!("{POD}/imagePullSecrets"), [{ "name": "other" }] => "spec.template.spec.imagePullSecrets";
    a_node_without_the_scheduler: format!("{POD}/nodeName"), "control-plane" => "spec.template.spec.nodeName";
    a_priority_of_the_clusters_own: format!("{POD}/priorityClassName"), "system-node-critical" => "spec.template.spec.priorityClassName";
    a_priority_by_number: format!("{POD}/priority"), 2_000_000_000 => "spec.template.spec.priority";
    links_to_every_service: format!("{POD}/enableServiceLinks"), true => "spec.template.spec.enableServiceLinks";
    a_claim: format!("{POD}/resourceClaims"), [{ "name": "gpu", "resourceClaimName": "theirs" }] => "spec.template.spec.resourceClaims";
    another_selector: "/spec/selector/matchLabels/app.kubernetes.io~1instance", "other" => "spec.selector";
    another_number_of_pods: "/spec/replicas", 0 => "spec.replicas";
    a_rollout_that_never_goes_on: "/spec/paused", true => "spec.paused";
    a_template_that_is_none: "/spec/template", "pods" => "spec.template";
    a_pod_that_is_none: POD, [] => "spec.template.spec";
    a_name_for_all_pods: "/spec/template/metadata/name", "other" => "spec.template.metadata.name";
    a_finalizer: "/spec/template/metadata/finalizers", ["evil.example/wait"] => "spec.template.metadata.finalizers";
}

/// A sandbox is given, and never taken away.
#[test]
fn another_sandbox() {
    let mut sandboxed = super::deployment();
    sandboxed["spec"]["template"]["spec"]["runtimeClassName"] = "gvisor".into();
    for operation in [
        serde_json::json!({ "op": "remove", "path": format!("{POD}/runtimeClassName") }),
        serde_json::json!({ "op": "replace", "path": format!("{POD}/runtimeClassName"), "value": "runc" }),
    ] {
        let refused = super::patched(sandboxed.clone(), serde_json::json!([operation]));
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains(" spec.template.spec.runtimeClassName of Deployment, "),
            "{refused}"
        );
    }
}
