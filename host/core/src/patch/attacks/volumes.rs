//! On volumes and mounts: what pods read, and what a mount hides.

use serde_json::{Value, json};

use super::{CONTAINER, POD, attacks, deployment, patched};

attacks! {
    a_folder_of_the_host: format!("{POD}/volumes/-"), { "name": "h", "hostPath": { "path": "/" } } => "spec.template.spec.volumes";
    a_secret: format!("{POD}/volumes/-"), { "name": "v", "secret": { "secretName": "a" } } => "spec.template.spec.volumes";
    a_config_map: format!("{POD}/volumes/-"), { "name": "v", "configMap": { "name": "mcp-github" } } => "spec.template.spec.volumes";
    what_the_pod_is: format!("{POD}/volumes/-"), { "name": "v", "downwardAPI": {} } => "spec.template.spec.volumes";
    a_token: format!("{POD}/volumes/-"), { "name": "v", "projected": { "sources": [{ "serviceAccountToken": { "path": "t" } }] } } => "spec.template.spec.volumes";
    a_disk: format!("{POD}/volumes/-"), { "name": "v", "persistentVolumeClaim": { "claimName": "a" } } => "spec.template.spec.volumes";
    a_driver: format!("{POD}/volumes/-"), { "name": "v", "csi": { "driver": "a" } } => "spec.template.spec.volumes";
    an_image: format!("{POD}/volumes/-"), { "name": "v", "image": { "reference": "a" } } => "spec.template.spec.volumes";
    two_volumes_in_one: format!("{POD}/volumes/-"), { "name": "v", "emptyDir": {}, "nfs": {} } => "spec.template.spec.volumes";
    a_volume_of_nothing: format!("{POD}/volumes/-"), { "name": "v" } => "spec.template.spec.volumes";
    a_volume_instead_of_another: format!("{POD}/volumes/0"), { "name": "config", "emptyDir": {} } => "spec.template.spec.volumes";
    another_config_map: format!("{POD}/volumes/0/configMap/name"), "other" => "spec.template.spec.volumes";
    no_volumes: format!("{POD}/volumes"), null => "spec.template.spec.volumes";
    a_second_volume_of_a_name: format!("{POD}/volumes/-"), { "name": "config", "emptyDir": {} } => "spec.template.spec.volumes";
    the_configuration_elsewhere: format!("{CONTAINER}/volumeMounts/-"), { "name": "config", "mountPath": "/app", "subPath": "server.py" } => "spec.template.spec.containers[0].volumeMounts";
    the_configuration_to_write: format!("{CONTAINER}/volumeMounts/0/readOnly"), false => "spec.template.spec.containers[0].volumeMounts";
    no_mounts: format!("{CONTAINER}/volumeMounts"), null => "spec.template.spec.containers[0].volumeMounts";
    another_path_of_a_mount: format!("{CONTAINER}/volumeMounts/1/mountPath"), "/app" => "spec.template.spec.containers[0].volumeMounts";
    what_others_write_as_code: format!("{CONTAINER}/volumeMounts/-"), { "name": "tmp", "mountPath": "/app" } => "spec.template.spec.containers[0].volumeMounts";
    a_mount_of_nothing: format!("{CONTAINER}/volumeMounts/-"), { "name": "nowhere", "mountPath": "/app" } => "spec.template.spec.containers[0].volumeMounts";
}

/// An empty folder of the plugin's own, and this mount of it.
fn mounted(mount: Value) -> Result<Value, String> {
    let operations = json!([
        { "op": "add", "path": format!("{POD}/volumes/-"), "value": { "name": "own", "emptyDir": {} } },
        { "op": "add", "path": format!("{CONTAINER}/volumeMounts/-"), "value": mount },
    ]);
    patched(deployment(), operations).map_err(|error| error.to_string())
}

#[test]
fn an_empty_folder_hides_nothing() {
    mounted(json!({ "name": "own", "mountPath": "/var/cache/app" })).unwrap();
    mounted(json!({ "name": "own", "mountPath": "/tmp/inside", "readOnly": true })).unwrap();
    for path in [
        "/",
        "//",
        "/.",
        "",
        "tmp/x",
        "/etc/mcp",
        "/etc/mcp/",
        "/etc//mcp",
        "/var/../etc/mcp",
        "/etc/mcp/config.yaml",
        "/etc",
        "/tmp",
        "/tmp/",
        "/usr/lib",
        "/bin",
        "/proc/self",
        "/dev",
        "/sys",
        "/var/run/secrets/kubernetes.io/serviceaccount",
        "/run/secrets",
    ] {
        let refused = mounted(json!({ "name": "own", "mountPath": path }));
        let refused = refused.expect_err(path);
        assert!(
            refused.contains(".volumeMounts of Deployment, "),
            "{path}: {refused}"
        );
    }
}

#[test]
fn a_mount_has_no_tricks() {
    for (member, value) in [
        ("subPath", json!("../../etc")),
        ("subPathExpr", json!("$(HOME)")),
        ("mountPropagation", json!("Bidirectional")),
        ("recursiveReadOnly", json!("Disabled")),
    ] {
        let mut mount = json!({ "name": "own", "mountPath": "/cache" });
        mount[member] = value;
        assert!(mounted(mount).is_err(), "{member}");
    }
}

/// What is written at one of the places would be read at the other.
#[test]
fn one_folder_is_not_at_two_places() {
    let mount = |path: &str| json!({ "op": "add", "path": format!("{CONTAINER}/volumeMounts/-"), "value": { "name": "own", "mountPath": path } });
    let operations = json!([
        { "op": "add", "path": format!("{POD}/volumes/-"), "value": { "name": "own", "emptyDir": {} } },
        mount("/cache"), mount("/app"),
    ]);
    assert!(patched(deployment(), operations).is_err());
}
