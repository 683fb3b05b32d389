//! On security contexts: whatever would make them less strict, by adding or by removing.

use serde_json::{Value, json};

use super::{CONTAINER, POD, attacks, deployment, patched};

attacks! {
    no_context_of_the_container: format!("{CONTAINER}/securityContext"), null => "spec.template.spec.containers[0].securityContext.allowPrivilegeEscalation";
    no_context_of_the_pod: format!("{POD}/securityContext"), null => "spec.template.spec.securityContext.runAsNonRoot";
    privileged: format!("{CONTAINER}/securityContext/privileged"), true => "spec.template.spec.containers[0].securityContext.privileged";
    privilege_escalation: format!("{CONTAINER}/securityContext/allowPrivilegeEscalation"), true => "spec.template.spec.containers[0].securityContext.allowPrivilegeEscalation";
    privilege_escalation_by_default: format!("{CONTAINER}/securityContext/allowPrivilegeEscalation"), null => "spec.template.spec.containers[0].securityContext.allowPrivilegeEscalation";
    a_root_file_system_to_write: format!("{CONTAINER}/securityContext/readOnlyRootFilesystem"), false => "spec.template.spec.containers[0].securityContext.readOnlyRootFilesystem";
    a_root_file_system_to_write_by_default: format!("{CONTAINER}/securityContext/readOnlyRootFilesystem"), null => "spec.template.spec.containers[0].securityContext.readOnlyRootFilesystem";
    root: format!("{POD}/securityContext/runAsUser"), 0 => "spec.template.spec.securityContext.runAsUser";
    root_in_the_container: format!("{CONTAINER}/securityContext/runAsUser"), 0 => "spec.template.spec.containers[0].securityContext.runAsUser";
    another_user: format!("{POD}/securityContext/runAsUser"), 1001 => "spec.template.spec.securityContext.runAsUser";
    another_user_in_the_container: format!("{CONTAINER}/securityContext/runAsUser"), 1001 => "spec.template.spec.containers[0].securityContext.runAsUser";
    the_user_of_the_image: format!("{POD}/securityContext/runAsUser"), null => "spec.template.spec.securityContext.runAsUser";
    the_group_of_root: format!("{CONTAINER}/securityContext/runAsGroup"), 0 => "spec.template.spec.containers[0].securityContext.runAsGroup";
    root_is_allowed: format!("{POD}/securityContext/runAsNonRoot"), false => "spec.template.spec.securityContext.runAsNonRoot";
    root_is_allowed_in_the_container: format!("{CONTAINER}/securityContext/runAsNonRoot"), false => "spec.template.spec.containers[0].securityContext.runAsNonRoot";
    root_is_allowed_by_default: format!("{POD}/securityContext/runAsNonRoot"), null => "spec.template.spec.securityContext.runAsNonRoot";
    one_more_capability: format!("{CONTAINER}/securityContext/capabilities/add"), ["SYS_ADMIN"] => "spec.template.spec.containers[0].securityContext.capabilities.add";
    capabilities_are_kept: format!("{CONTAINER}/securityContext/capabilities/drop"), ["NET_RAW"] => "spec.template.spec.containers[0].securityContext.capabilities.drop";
    no_capability_is_dropped: format!("{CONTAINER}/securityContext/capabilities"), null => "spec.template.spec.containers[0].securityContext.capabilities.drop";
    system_calls_are_free: format!("{POD}/securityContext/seccompProfile"), { "type": "Unconfined" } => "spec.template.spec.securityContext.seccompProfile";
    system_calls_are_free_by_default: format!("{POD}/securityContext/seccompProfile"), null => "spec.template.spec.securityContext.seccompProfile";
    system_calls_are_free_in_the_container: format!("{CONTAINER}/securityContext/seccompProfile"), { "type": "Unconfined" } => "spec.template.spec.containers[0].securityContext.seccompProfile";
    system_calls_by_a_file_of_the_node: format!("{CONTAINER}/securityContext/seccompProfile"), { "type": "Localhost", "localhostProfile": "lax.json" } => "spec.template.spec.containers[0].securityContext.seccompProfile";
    unconfined_by_app_armor: format!("{CONTAINER}/securityContext/appArmorProfile/type"), "Unconfined" => "spec.template.spec.containers[0].securityContext.appArmorProfile";
    no_app_armor: format!("{CONTAINER}/securityContext/appArmorProfile"), null => "spec.template.spec.containers[0].securityContext.appArmorProfile";
    a_type_of_selinux: format!("{CONTAINER}/securityContext/seLinuxOptions"), { "type": "spc_t" } => "spec.template.spec.containers[0].securityContext.seLinuxOptions";
    a_type_of_selinux_for_the_pod: format!("{POD}/securityContext/seLinuxOptions"), { "type": "spc_t" } => "spec.template.spec.securityContext.seLinuxOptions";
    proc_unmasked: format!("{CONTAINER}/securityContext/procMount"), "Unmasked" => "spec.template.spec.containers[0].securityContext.procMount";
    settings_of_the_kernel: format!("{POD}/securityContext/sysctls"), [{ "name": "net.ipv4.ip_forward", "value": "1" }] => "spec.template.spec.securityContext.sysctls";
    more_groups: format!("{POD}/securityContext/supplementalGroups"), [0] => "spec.template.spec.securityContext.supplementalGroups";
    files_of_root: format!("{POD}/securityContext/fsGroup"), 0 => "spec.template.spec.securityContext.fsGroup";
    a_process_of_the_host: format!("{POD}/securityContext/windowsOptions"), { "hostProcess": true } => "spec.template.spec.securityContext.windowsOptions";
    a_process_of_the_host_in_the_container: format!("{CONTAINER}/securityContext/windowsOptions"), { "hostProcess": true } => "spec.template.spec.containers[0].securityContext.windowsOptions";
    what_only_looks_like_true: format!("{CONTAINER}/securityContext/runAsNonRoot"), "true" => "spec.template.spec.containers[0].securityContext.runAsNonRoot";
    a_context_that_is_none: format!("{CONTAINER}/securityContext"), "none" => "spec.template.spec.containers[0].securityContext";
    what_nobody_knows: format!("{CONTAINER}/securityContext/allowEverything"), true => "spec.template.spec.containers[0].securityContext.allowEverything";
}

/// What a container says overrules its pod: to add it there is to weaken it.
#[test]
fn a_container_does_not_overrule_its_pod() {
    let mut plain = deployment();
    plain["spec"]["template"]["spec"]["containers"][0]["securityContext"] = json!({});
    let context = format!("{CONTAINER}/securityContext");
    for weaker in [
        json!({ "runAsNonRoot": false }),
        json!({ "runAsUser": 2000 }),
        json!({ "seccompProfile": { "type": "Unconfined" } }),
        json!({ "seccompProfile": { "type": "Localhost", "localhostProfile": "lax.json" } }),
    ] {
        let operation = json!({ "op": "add", "path": context, "value": weaker });
        let refused = patched(plain.clone(), json!([operation]));
        assert!(refused.is_err(), "{weaker}");
    }
}

#[test]
fn a_privilege_of_one_container_is_not_given_to_another() {
    let mut two = deployment();
    let first = two["spec"]["template"]["spec"]["containers"][0].clone();
    let containers = two["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap();
    containers.push(first);
    containers[1]["name"] = "other".into();
    containers[0]["securityContext"] = json!({ "privileged": true });
    let path = "/spec/template/spec/containers/1/securityContext/privileged";
    let operation = json!({ "op": "add", "path": path, "value": true });
    assert!(patched(two, json!([operation])).is_err());
}

/// Each of these makes something stricter, whatever else is there.
#[test]
fn what_is_stricter_is_allowed() {
    let mut lax = deployment();
    let pod = &mut lax["spec"]["template"]["spec"];
    pod["securityContext"] = json!({ "runAsUser": 0, "seccompProfile": { "type": "Unconfined" } });
    pod["containers"][0]["securityContext"] = json!({
        "privileged": true, "allowPrivilegeEscalation": true, "readOnlyRootFilesystem": false,
        "capabilities": { "add": ["NET_ADMIN", "SYS_TIME"], "drop": ["NET_RAW"] },
    });
    let hardened = |context: &str, path: &str, value: Value| {
        let operation = json!({ "op": "add", "path": format!("{context}/securityContext/{path}"), "value": value });
        patched(lax.clone(), json!([operation])).unwrap();
    };
    for (path, value) in [
        ("runAsNonRoot", json!(true)),
        ("runAsUser", json!(1000)),
        ("runAsGroup", json!(1000)),
        ("fsGroup", json!(1000)),
        ("fsGroupChangePolicy", json!("OnRootMismatch")),
        ("supplementalGroupsPolicy", json!("Strict")),
        ("seccompProfile", json!({ "type": "RuntimeDefault" })),
        ("appArmorProfile", json!({ "type": "RuntimeDefault" })),
    ] {
        hardened(POD, path, value);
    }
    for (path, value) in [
        ("privileged", json!(false)),
        ("allowPrivilegeEscalation", json!(false)),
        ("readOnlyRootFilesystem", json!(true)),
        ("runAsNonRoot", json!(true)),
        ("runAsUser", json!(1000)),
        ("capabilities/drop", json!(["NET_RAW", "KILL"])),
        ("capabilities/drop", json!(["ALL"])),
        ("capabilities/add", json!(["SYS_TIME"])),
        ("seccompProfile", json!({ "type": "RuntimeDefault" })),
    ] {
        hardened(CONTAINER, path, value);
    }
}
