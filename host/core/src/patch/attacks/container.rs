//! On the container: what it runs, sees and is.

use super::{CONTAINER, POD, attacks};

attacks! {
    another_image: format!("{CONTAINER}/image"), "evil" => "spec.template.spec.containers[0].image";
    no_image: format!("{CONTAINER}/image"), null => "spec.template.spec.containers[0].image";
    another_command: format!("{CONTAINER}/command"), ["sh"] => "spec.template.spec.containers[0].command";
    other_arguments: format!("{CONTAINER}/args"), ["-c"] => "spec.template.spec.containers[0].args";
    another_working_directory: format!("{CONTAINER}/workingDir"), "/tmp" => "spec.template.spec.containers[0].workingDir";
    a_library_loaded_before: format!("{CONTAINER}/env/-"), { "name": "LD_PRELOAD", "value": "/tmp/x.so" } => "spec.template.spec.containers[0].env";
    a_module_required_before: format!("{CONTAINER}/env/0"), { "name": "NODE_OPTIONS", "value": "--require /tmp/x.js" } => "spec.template.spec.containers[0].env";
    another_secret: format!("{CONTAINER}/env/0/valueFrom/secretKeyRef/name"), "other" => "spec.template.spec.containers[0].env";
    no_environment: format!("{CONTAINER}/env"), null => "spec.template.spec.containers[0].env";
    environment_from_a_secret: format!("{CONTAINER}/envFrom"), [{ "secretRef": { "name": "a" } }] => "spec.template.spec.containers[0].envFrom";
    environment_from_a_config_map: format!("{CONTAINER}/envFrom"), [{ "configMapRef": { "name": "a" } }] => "spec.template.spec.containers[0].envFrom";
    a_hook: format!("{CONTAINER}/lifecycle"), { "preStop": { "exec": { "command": ["sh"] } } } => "spec.template.spec.containers[0].lifecycle";
    a_hook_that_calls: format!("{CONTAINER}/lifecycle"), { "postStart": { "httpGet": { "host": "evil", "port": 1 } } } => "spec.template.spec.containers[0].lifecycle";
    a_command_as_a_probe: format!("{CONTAINER}/livenessProbe"), { "exec": { "command": ["sh"] } } => "spec.template.spec.containers[0].livenessProbe.exec";
    a_command_as_a_startup_probe: format!("{CONTAINER}/startupProbe"), { "exec": { "command": ["sh"] } } => "spec.template.spec.containers[0].startupProbe.exec";
    a_probe_of_another_host: format!("{CONTAINER}/readinessProbe/httpGet/host"), "169.254.169.254" => "spec.template.spec.containers[0].readinessProbe.httpGet.host";
    a_connection_to_another_host: format!("{CONTAINER}/livenessProbe"), { "tcpSocket": { "host": "evil", "port": 1 } } => "spec.template.spec.containers[0].livenessProbe.tcpSocket.host";
    a_probe_of_a_kind_that_nobody_knows: format!("{CONTAINER}/livenessProbe"), { "shell": { "line": "sh" } } => "spec.template.spec.containers[0].livenessProbe.shell";
    a_port_of_the_host: format!("{CONTAINER}/ports/0/hostPort"), 80 => "spec.template.spec.containers[0].ports";
    a_device: format!("{CONTAINER}/volumeDevices"), [{ "name": "a", "devicePath": "/dev/a" }] => "spec.template.spec.containers[0].volumeDevices";
    a_claimed_device: format!("{CONTAINER}/resources/claims"), [{ "name": "gpu" }] => "spec.template.spec.containers[0].resources.claims";
    an_image_from_the_nodes_cache: format!("{CONTAINER}/imagePullPolicy"), "Never" => "spec.template.spec.containers[0].imagePullPolicy";
    a_terminal: format!("{CONTAINER}/stdin"), true => "spec.template.spec.containers[0].stdin";
    a_message_from_any_file: format!("{CONTAINER}/terminationMessagePath"), "/etc/mcp/config.yaml" => "spec.template.spec.containers[0].terminationMessagePath";
    another_name: format!("{CONTAINER}/name"), "other" => "spec.template.spec.containers[0].name";
    one_more_container: format!("{POD}/containers/-"), { "name": "b", "image": "evil" } => "spec.template.spec.containers";
    no_container: format!("{POD}/containers"), [] => "spec.template.spec.containers";
    containers_that_are_no_list: format!("{POD}/containers"), { "0": {} } => "spec.template.spec.containers";
    a_container_that_is_none: format!("{POD}/containers"), ["server"] => "spec.template.spec.containers[0]";
}
