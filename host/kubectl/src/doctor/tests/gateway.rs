//! Faults of plugins, LiteLLM, permissions and servers.

use super::*;

pub(super) const FAULTS: &[Fault] = &[
    (
        "a plugin is not loaded",
        |api| {
            edit(api, "MCPPlugin", "", "validation", |it| {
                it["status"]["conditions"] = json!([condition("Ready", "False", "DigestMismatch")]);
            });
        },
        "MCPPlugin validation",
        "not in force (DigestMismatch",
    ),
    (
        "nobody has looked at a plugin",
        |api| {
            edit(api, "MCPPlugin", "", "validation", |it| {
                it["status"]["conditions"] = json!([]);
            });
        },
        "MCPPlugin validation",
        "nobody has looked at it",
    ),
    (
        "there is no validator",
        |api| _ = api.delete("MCPPlugin", "", "validation"),
        "MCPPlugins",
        "none of them validates",
    ),
    (
        "there is no registrar",
        |api| _ = api.delete("MCPPlugin", "", "litellm-configmap"),
        "MCPPlugins",
        "none of them registers",
    ),
    (
        "the registrar waits",
        |api| {
            edit(api, "MCPPlugin", "", "litellm-configmap", |it| {
                it["status"]["conditions"][1] = condition("Registrar", "Unknown", "TakingOver");
            });
        },
        "litellm-configmap",
        "it does not register yet: TakingOver!",
    ),
    (
        "the credential is not there",
        |api| _ = api.delete("Secret", HOME, "litellm-mcp-operator"),
        "Secret mcp-operator-system/litellm-mcp-operator",
        "it is not there",
    ),
    (
        "the credential has another key",
        |api| {
            edit(api, "Secret", HOME, "litellm-mcp-operator", |it| {
                it["data"] = json!({ "key": "" });
            });
        },
        "Secret mcp-operator-system/litellm-mcp-operator",
        "has no key token",
    ),
    (
        "LiteLLM is not there",
        |api| _ = api.delete("Deployment", "litellm", "litellm-proxy"),
        "Deployment litellm/litellm-proxy",
        "it is not there",
    ),
    (
        "LiteLLM's namespace is not there",
        |api| _ = api.delete("Namespace", "", "litellm"),
        "Namespace litellm",
        "it is not there",
    ),
    (
        "no pod of LiteLLM is ready",
        |api| litellm(api, |it| it["status"]["readyReplicas"] = json!(0)),
        "Deployment litellm/litellm-proxy",
        "none of its 1 pods is ready",
    ),
    (
        "LiteLLM does not mount the file",
        |api| {
            litellm(api, |it| {
                _ = it["spec"]["template"]["spec"]["volumes"]
                    .as_array_mut()
                    .unwrap()
                    .pop();
            });
        },
        "Deployment litellm/litellm-proxy",
        "does not mount the ConfigMap litellm-mcp-servers",
    ),
    (
        "LiteLLM mounts it elsewhere",
        |api| {
            litellm(api, |it| {
                it["spec"]["template"]["spec"]["containers"][0]["volumeMounts"][1]["mountPath"] =
                    json!("/elsewhere");
            });
        },
        "ConfigMap litellm/litellm-config",
        "does not include /elsewhere/mcp_servers.yaml",
    ),
    (
        "LiteLLM does not include the file",
        |api| {
            edit(api, "ConfigMap", "litellm", "litellm-config", |it| {
                it["data"]["config.yaml"] = json!("model_list: []\n");
            });
        },
        "ConfigMap litellm/litellm-config",
        "does not include /etc/litellm-mcp/mcp_servers.yaml",
    ),
    (
        "LiteLLM's configuration is not there",
        |api| _ = api.delete("ConfigMap", "litellm", "litellm-config"),
        "Deployment litellm/litellm-proxy",
        "which is not there",
    ),
    (
        "the registered file is not there",
        |api| _ = api.delete("ConfigMap", "litellm", "litellm-mcp-servers"),
        "ConfigMap litellm/litellm-mcp-servers",
        "it is not there",
    ),
    (
        "the registered file has another key",
        |api| {
            edit(api, "ConfigMap", "litellm", "litellm-mcp-servers", |it| {
                it["data"] = json!({});
            });
        },
        "ConfigMap litellm/litellm-mcp-servers",
        "no key mcp_servers.yaml",
    ),
    (
        "the namespace lets nobody write",
        |api| {
            edit(api, "Namespace", "", "litellm", |it| {
                it["metadata"]["annotations"] = json!({ "mcp.litellm.ai/gateway": "other" });
            });
        },
        "Namespace litellm",
        "does not name litellm-mcp-servers and litellm-proxy",
    ),
    (
        "a verb is missing",
        |api| {
            api.admit("SubjectAccessReview", |review| {
                let asked = &review["spec"]["resourceAttributes"];
                if asked["resource"] == "deployments"
                    && asked["verb"] == "patch"
                    && asked["name"].is_null()
                {
                    review["status"] = json!({ "allowed": false });
                }
            });
        },
        "ServiceAccount mcp-operator-system/mcp-operator-controller-manager",
        "it may not, in the namespace tools: patch deployments.apps",
    ),
    (
        "a verb of its own namespace is missing",
        |api| {
            api.admit("SubjectAccessReview", |review| {
                if review["spec"]["resourceAttributes"]["resource"] == "leases" {
                    review["status"] = json!({ "allowed": false });
                }
            });
        },
        "ServiceAccount mcp-operator-system/mcp-operator-controller-manager",
        "get leases.coordination.k8s.io mcp-operator-leader",
    ),
    (
        "an MCPServer is not looked at",
        |api| {
            // When something was made is given once: no edit changes it.
            let mut server = json!(mcp_server("tools", "old"));
            server["metadata"]["creationTimestamp"] = json!("2026-01-01T11:00:00Z");
            api.put(server);
        },
        "MCPServer tools/old",
        "has not looked at it",
    ),
    (
        "LiteLLM has no pods",
        |api| litellm(api, |it| it["spec"]["replicas"] = json!(0)),
        "Deployment litellm/litellm-proxy",
        "it has no replicas",
    ),
    (
        "LiteLLM's rollouts are paused",
        |api| litellm(api, |it| it["spec"]["paused"] = json!(true)),
        "Deployment litellm/litellm-proxy",
        "it is paused",
    ),
    (
        "LiteLLM's configuration has another key",
        |api| {
            edit(api, "ConfigMap", "litellm", "litellm-config", |it| {
                it["data"] = json!({ "other.yaml": "" });
            });
        },
        "ConfigMap litellm/litellm-config",
        "no key config.yaml",
    ),
    (
        "the registered file cannot change",
        |api| {
            edit(api, "ConfigMap", "litellm", "litellm-mcp-servers", |it| {
                it["immutable"] = json!(true);
            });
        },
        "ConfigMap litellm/litellm-mcp-servers",
        "it is immutable",
    ),
    (
        "LiteLLM mounts another key",
        |api| {
            litellm(api, |it| {
                it["spec"]["template"]["spec"]["volumes"][1]["configMap"]["items"] =
                    json!([{ "key": "other", "path": "mcp_servers.yaml" }]);
            });
        },
        "Deployment litellm/litellm-proxy",
        "does not mount mcp_servers.yaml",
    ),
    (
        "LiteLLM refuses the key",
        |api| {
            edit(api, "MCPServer", "tools", "weather", |it| {
                let refused = condition("LiteLLMRegistered", "False", "AccessDenied");
                it["status"]["conditions"] = json!([refused]);
            });
        },
        "MCPServer tools/weather",
        "it is not registered (AccessDenied): AccessDenied!: a key of a user with the role proxy_admin",
    ),
    (
        "the Service of a connection is deleted",
        |api| _ = api.delete("Service", "litellm", "litellm-proxy"),
        "Service litellm/litellm-proxy",
        "a connection of the MCPPlugin litellm-configmap leads to it",
    ),
    (
        "no pod serves behind the Service of a connection",
        |api| {
            edit(api, "EndpointSlice", "litellm", "litellm", |it| {
                it["endpoints"] = json!([]);
            });
        },
        "Service litellm/litellm-proxy",
        "no pod serves behind it",
    ),
];
