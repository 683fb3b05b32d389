//! Faults of the operator's own objects.

use super::*;

/// Gives the operator an option.
pub(super) fn option(api: &ApiServer, name: &str, value: &str) {
    edit(api, "Deployment", HOME, installation::MANAGER, |it| {
        let env = &mut it["spec"]["template"]["spec"]["containers"][0]["env"];
        let env = env.as_array_mut().unwrap();
        env.retain(|entry| entry["name"] != name);
        env.push(json!({ "name": name, "value": value }));
    });
}

pub(super) const FAULTS: &[Fault] = &[
    (
        "the Service is deleted",
        |api| _ = api.delete("Service", HOME, "mcp-operator-webhook-service"),
        "Service mcp-operator-system/mcp-operator-webhook-service",
        "it is not there",
    ),
    (
        "the Service selects other pods",
        |api| {
            edit(api, "Service", HOME, "mcp-operator-webhook-service", |it| {
                it["spec"]["selector"] = json!({ "app": "x" });
            });
        },
        "Service mcp-operator-system/mcp-operator-webhook-service",
        "selector app=x",
    ),
    (
        "the Service has another port",
        |api| {
            edit(api, "Service", HOME, "mcp-operator-webhook-service", |it| {
                it["spec"]["ports"][0]["port"] = json!(444);
            });
        },
        "Service mcp-operator-system/mcp-operator-webhook-service",
        "no port 443",
    ),
    (
        "no pod serves",
        |api| {
            edit(api, "EndpointSlice", HOME, "webhook", |it| {
                it["endpoints"] = json!([{ "conditions": { "ready": false } }]);
            });
        },
        "Service mcp-operator-system/mcp-operator-webhook-service",
        "no pod serves behind it",
    ),
    (
        "the Deployment is deleted",
        |api| _ = api.delete("Deployment", HOME, installation::MANAGER),
        "Deployment mcp-operator-system/mcp-operator-controller-manager",
        "it is not there",
    ),
    (
        "a replica is not ready",
        |api| {
            edit(api, "Deployment", HOME, installation::MANAGER, |it| {
                it["status"]["readyReplicas"] = json!(1);
            });
            edit(api, "Pod", HOME, "manager-1", |pod| {
                pod_without_image(pod, "not found");
            });
        },
        "Deployment mcp-operator-system/mcp-operator-controller-manager",
        "1 of 2 replicas are ready: ImagePullBackOff",
    ),
    (
        "it is scaled to none",
        |api| {
            edit(api, "Deployment", HOME, installation::MANAGER, |it| {
                it["spec"]["replicas"] = json!(0);
            });
        },
        "Deployment mcp-operator-system/mcp-operator-controller-manager",
        "no replicas",
    ),
    (
        "nobody has ever led",
        |api| _ = api.delete("Lease", HOME, "mcp-operator-leader"),
        "Lease mcp-operator-system/mcp-operator-leader",
        "no replica has ever led",
    ),
    (
        "nobody leads",
        |api| lease(api, |it| it["holderIdentity"] = json!("")),
        "Lease mcp-operator-system/mcp-operator-leader",
        "no replica leads",
    ),
    (
        "the leader hangs",
        |api| {
            lease(api, |it| {
                it["renewTime"] = json!("2026-01-01T11:55:00.000000Z");
            });
        },
        "Lease mcp-operator-system/mcp-operator-leader",
        "has not renewed it for 300 s",
    ),
    (
        "somebody else leads",
        |api| {
            lease(api, |it| {
                it["holderIdentity"] = json!("laptop_0123456789abcdef");
            });
        },
        "Lease mcp-operator-system/mcp-operator-leader",
        "laptop holds it, which is no pod of",
    ),
    (
        "the leader's clock is ahead",
        |api| {
            lease(api, |it| {
                it["renewTime"] = json!("2026-01-01T12:05:00.000000Z");
            });
        },
        "Lease mcp-operator-system/mcp-operator-leader",
        "the clock of its node is ahead",
    ),
    (
        "the Service leads to another port of the pods",
        |api| {
            edit(api, "Service", HOME, "mcp-operator-webhook-service", |it| {
                it["spec"]["ports"][0]["targetPort"] = json!(9999);
            });
        },
        "Service mcp-operator-system/mcp-operator-webhook-service",
        "targetPort 9999 is no port",
    ),
    (
        "the Service selects nothing",
        |api| {
            edit(api, "Service", HOME, "mcp-operator-webhook-service", |it| {
                it["spec"]["selector"] = Value::Null;
            });
        },
        "Service mcp-operator-system/mcp-operator-webhook-service",
        "it has no selector",
    ),
    (
        "the webhooks are switched off",
        |api| option(api, "ENABLE_WEBHOOKS", "false"),
        "Deployment mcp-operator-system/mcp-operator-controller-manager",
        "ENABLE_WEBHOOKS is false",
    ),
    (
        "two replicas write",
        |api| option(api, "LEADER_ELECT", "false"),
        "Deployment mcp-operator-system/mcp-operator-controller-manager",
        "it has 2 replicas: all of them write",
    ),
    (
        "the account is deleted",
        |api| _ = api.delete("ServiceAccount", HOME, installation::MANAGER),
        "ServiceAccount mcp-operator-system/mcp-operator-controller-manager",
        "it is not there",
    ),
];
