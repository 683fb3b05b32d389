//! What works, and may not for long, or may be meant so.

use mcp_testkit::objects::secret;

use super::*;

/// Changes the policy that confines the operator, or its binding.
fn confinement(api: &ApiServer, kind: &str, change: impl FnOnce(&mut Value)) {
    let kind = format!("ValidatingAdmissionPolicy{kind}");
    edit(api, &kind, "", "mcp-operator", change);
}

/// What is done, and what is said of it.
pub(super) const DOUBTS: [(Plant, &str); 13] = [
    (
        |api| {
            edit(api, "Secret", HOME, "litellm-mcp-operator", |it| {
                it["data"]["token"] = BASE64_STANDARD.encode("sk-quickstart").into();
            });
        },
        "its token is LiteLLM's master key",
    ),
    (
        |api| {
            litellm(api, |it| {
                it["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{
                    "name": "PROXY_MASTER_KEY", "valueFrom": { "secretKeyRef": { "name": "own", "key": "key" } },
                }]);
            });
            api.put(secret("litellm", "own", json!({ "key": "aHVudGVyMjI=" })));
        },
        "its token is LiteLLM's master key",
    ),
    (
        |api| {
            edit(api, "MCPPlugin", "", "validation", |it| {
                it["spec"]["mode"] = json!("audit");
                it["status"]["observedGeneration"] = json!(2);
            });
        },
        "its mode is audit",
    ),
    (
        |api| {
            edit(api, "MCPPlugin", "", "validation", |it| {
                it["spec"]["match"] =
                    json!({ "namespaceSelector": { "matchLabels": { "a": "b" } } });
                it["status"]["observedGeneration"] = json!(2);
            });
        },
        "for none of the namespaces",
    ),
    (
        |api| {
            confinement(api, "", |it| {
                it["spec"]["matchConditions"][0]["expression"] = json!("false");
            });
        },
        "not as it is shipped: matchConditions",
    ),
    (
        |api| {
            confinement(api, "Binding", |it| {
                it["spec"]["matchResources"] =
                    json!({ "namespaceSelector": { "matchLabels": { "a": "b" } } });
            });
        },
        "not as it is shipped: matchResources",
    ),
    (
        |api| first_webhook(api, |it| it["timeoutSeconds"] = json!(1)),
        "timeoutSeconds of rules.mcpservers.mcp.litellm.ai is 1",
    ),
    (
        |api| {
            edit(api, "Deployment", HOME, installation::MANAGER, |it| {
                it["spec"]["paused"] = json!(true);
            });
        },
        "it is paused",
    ),
    (
        |api| {
            api.fail(
                webhooks::creation(),
                Failure::new(
                    403,
                    "Forbidden",
                    "admission webhook \"a.example\" denied the request: no",
                ),
                Times::Always,
            );
        },
        "before or after the operator is asked",
    ),
    (
        |api| {
            edit(api, "Deployment", HOME, installation::MANAGER, |it| {
                it["spec"]["replicas"] = json!(1);
            });
        },
        "it has one replica",
    ),
    (
        |api| _ = api.delete("ValidatingAdmissionPolicy", "", "mcp-operator"),
        "whoever gets the operator's token",
    ),
    (
        |api| {
            confinement(api, "Binding", |it| {
                it["spec"]["validationActions"] = json!(["Audit"]);
            });
        },
        "denies nothing",
    ),
    (
        |api| {
            edit(api, "ConfigMap", "litellm", "litellm-config", |it| {
                it["data"]["config.yaml"] = json!(
                    "include: [/etc/litellm-mcp/mcp_servers.yaml]\nmcp_servers: {a: {url: http://a}}\n"
                );
            });
        },
        "mcp_servers of its own",
    ),
];
