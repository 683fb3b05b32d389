//! What the controllers of Kubernetes and the kubelet would write.

use serde_json::{Value, json};

/// Marks the rollout of a Deployment as complete.
pub fn deployment_rolled_out(deployment: &mut Value) {
    let wanted = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
    deployment_status(deployment, wanted, wanted, wanted);
}

/// Marks a Deployment as rolling: pods of the present template, all pods, and those that serve.
pub fn deployment_status(deployment: &mut Value, updated: i64, total: i64, available: i64) {
    deployment["status"] = json!({
        "observedGeneration": deployment["metadata"]["generation"].as_i64().unwrap_or(0),
        "replicas": total, "updatedReplicas": updated,
        "readyReplicas": available, "availableReplicas": available,
        "conditions": [
            condition("Available", if available > 0 { "True" } else { "False" }, "MinimumReplicas", ""),
            condition("Progressing", "True", "ReplicaSetUpdated", ""),
        ],
    });
}

/// Marks the rollout of a Deployment as one that does not go on: its deadline is exceeded.
pub fn deployment_stuck(deployment: &mut Value, message: &str) {
    set_condition(
        &mut deployment["status"],
        condition("Progressing", "False", "ProgressDeadlineExceeded", message),
    );
}

/// Marks a Deployment as one whose pods are refused, by a quota or by Pod Security.
pub fn deployment_refused(deployment: &mut Value, message: &str) {
    set_condition(
        &mut deployment["status"],
        condition("ReplicaFailure", "True", "FailedCreate", message),
    );
}

/// Sets what the API server sets in a Deployment where nobody says it. For [`admit`](crate::ApiServer::admit).
pub fn deployment_defaults(deployment: &mut Value) {
    let spec = &mut deployment["spec"];
    default(&mut spec["replicas"], json!(1));
    default(&mut spec["progressDeadlineSeconds"], json!(600));
    default(&mut spec["revisionHistoryLimit"], json!(10));
    default(
        &mut spec["strategy"],
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } }),
    );
    let pod = &mut spec["template"]["spec"];
    default(&mut pod["dnsPolicy"], json!("ClusterFirst"));
    default(&mut pod["restartPolicy"], json!("Always"));
    default(&mut pod["schedulerName"], json!("default-scheduler"));
    for container in pod["containers"].as_array_mut().into_iter().flatten() {
        default(&mut container["imagePullPolicy"], json!("IfNotPresent"));
        default(
            &mut container["terminationMessagePath"],
            json!("/dev/termination-log"),
        );
        default(&mut container["terminationMessagePolicy"], json!("File"));
        for port in container["ports"].as_array_mut().into_iter().flatten() {
            default(&mut port["protocol"], json!("TCP"));
        }
    }
}

fn default(value: &mut Value, default: Value) {
    if value.is_null() {
        *value = default;
    }
}

/// A pod of a Deployment that serves.
pub fn pod_of(deployment: &Value, name: &str) -> Value {
    let template = &deployment["spec"]["template"];
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": deployment["metadata"]["namespace"],
            "labels": template["metadata"]["labels"],
        },
        "spec": template["spec"],
    });
    let containers = template["spec"]["containers"].as_array();
    let statuses: Vec<Value> = containers
        .into_iter()
        .flatten()
        .map(|container| {
            json!({
                "name": container["name"], "image": container["image"], "ready": true, "restartCount": 0,
                "state": { "running": {} }, "lastState": {},
            })
        })
        .collect();
    pod["status"] = json!({
        "phase": "Running", "containerStatuses": statuses,
        "conditions": [condition("PodScheduled", "True", "", ""), condition("Ready", "True", "", "")],
    });
    pod
}

/// Lets the first container of a pod end with an error, again and again.
pub fn pod_crash_looping(pod: &mut Value, exit_code: i32, last_words: &str) {
    let container = fail(pod);
    container["restartCount"] = json!(5);
    container["state"] = json!({ "waiting": {
        "reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container",
    } });
    container["lastState"] = json!({ "terminated": {
        "exitCode": exit_code, "reason": "Error", "message": last_words,
    } });
}

/// Lets the image of a pod's first container not be found.
pub fn pod_without_image(pod: &mut Value, why: &str) {
    let container = fail(pod);
    let message = format!(
        "Back-off pulling image {}: ErrImagePull: {why}",
        container["image"]
    );
    container["state"] = json!({ "waiting": { "reason": "ImagePullBackOff", "message": message } });
}

/// Lets no node take a pod.
pub fn pod_unschedulable(pod: &mut Value, message: &str) {
    pod["status"] = json!({
        "phase": "Pending",
        "conditions": [condition("PodScheduled", "False", "Unschedulable", message)],
    });
}

fn fail(pod: &mut Value) -> &mut Value {
    set_condition(
        &mut pod["status"],
        condition("Ready", "False", "ContainersNotReady", ""),
    );
    let container = &mut pod["status"]["containerStatuses"][0];
    container["ready"] = json!(false);
    container
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({ "type": kind, "status": status, "reason": reason, "message": message })
}

fn set_condition(status: &mut Value, condition: Value) {
    let conditions = &mut status["conditions"];
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    if let Some(conditions) = conditions.as_array_mut() {
        conditions.retain(|other| other["type"] != condition["type"]);
        conditions.push(condition);
    }
}

#[cfg(test)]
mod tests {
    use mcp_operator_core::pods::{Pod, Trouble};
    use mcp_operator_core::rollout::Rollout;

    use super::*;

    fn deployment() -> Value {
        json!({
            "metadata": { "namespace": "tools", "generation": 2 },
            "spec": { "replicas": 2, "template": { "spec": { "containers": [{ "name": "server", "image": "acme:1" }] } } },
        })
    }

    #[test]
    fn rollouts_are_read_as_they_are_marked() {
        let mut deployment = deployment();
        deployment_rolled_out(&mut deployment);
        assert!(Rollout::of(&deployment).complete());
        deployment_status(&mut deployment, 1, 2, 1);
        assert!(!Rollout::of(&deployment).complete());
        deployment_stuck(&mut deployment, "timed out");
        assert_eq!(Rollout::of(&deployment).stuck.unwrap().message, "timed out");
        deployment_refused(&mut deployment, "exceeded quota");
        assert_eq!(
            Rollout::of(&deployment).stuck.unwrap().reason,
            "FailedCreate"
        );
    }

    #[test]
    fn troubles_are_read_as_they_are_marked() {
        let trouble = |mark: &dyn Fn(&mut Value)| {
            let mut pod = pod_of(&deployment(), "mcp-a-1");
            mark(&mut pod);
            let pod: Pod = serde_json::from_value(pod).unwrap();
            Trouble::of(&pod).map(|trouble| trouble.reason)
        };
        assert_eq!(trouble(&|_| {}), None);
        let crashed = trouble(&|pod| pod_crash_looping(pod, 1, "no token"));
        assert_eq!(crashed.as_deref(), Some("CrashLoopBackOff"));
        let image = trouble(&|pod| pod_without_image(pod, "not found"));
        assert_eq!(image.as_deref(), Some("ImagePullBackOff"));
        let nodes = trouble(&|pod| pod_unschedulable(pod, "0/3 nodes"));
        assert_eq!(nodes.as_deref(), Some("Unschedulable"));
    }
}
