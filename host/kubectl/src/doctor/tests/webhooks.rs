//! Faults of the webhook configurations and the certificate.

use super::*;

/// Of an MCPServer that is not stored.
pub(super) fn creation() -> Match {
    Match::verb(Verb::Create).kind("MCPServer")
}

pub(super) const FAULTS: &[Fault] = &[
    (
        "the validating configuration is deleted",
        |api| _ = api.delete(VALIDATING, "", "mcp-operator"),
        "ValidatingWebhookConfiguration",
        "stores MCPServers without rules",
    ),
    (
        "the mutating configuration is deleted",
        |api| _ = api.delete(MUTATING, "", "mcp-operator"),
        "MutatingWebhookConfiguration",
        "asks nobody",
    ),
    (
        "a webhook is taken out",
        |api| {
            edit(api, VALIDATING, "", "mcp-operator", |it| {
                _ = it["webhooks"].as_array_mut().unwrap().remove(0);
            });
        },
        "ValidatingWebhookConfiguration",
        "rules.mcpservers.mcp.litellm.ai is not in it",
    ),
    (
        "failurePolicy is Ignore",
        |api| first_webhook(api, |it| it["failurePolicy"] = json!("Ignore")),
        "ValidatingWebhookConfiguration",
        "failurePolicy of rules.mcpservers",
    ),
    (
        "updates are not judged",
        |api| first_webhook(api, |it| it["rules"][0]["operations"] = json!(["CREATE"])),
        "ValidatingWebhookConfiguration",
        "rules of rules.mcpservers",
    ),
    (
        "scale is not judged",
        |api| {
            first_webhook(api, |it| {
                it["rules"][0]["resources"] = json!(["mcpservers"]);
            });
        },
        "ValidatingWebhookConfiguration",
        "rules of rules.mcpservers",
    ),
    (
        "a condition lets everything pass",
        |api| {
            first_webhook(api, |it| {
                it["matchConditions"][0]["expression"] = json!("false");
            });
        },
        "ValidatingWebhookConfiguration",
        "matchConditions",
    ),
    (
        "the path is another one",
        |api| first_webhook(api, |it| it["clientConfig"]["service"]["path"] = json!("/")),
        "ValidatingWebhookConfiguration",
        "asks for the path",
    ),
    (
        "a Service that is not there is asked",
        |api| {
            each_webhook(api, |it| {
                it["clientConfig"]["service"]["name"] = json!("other");
            });
        },
        "Service mcp-operator-system/other",
        "it is not there",
    ),
    (
        "another namespace is asked",
        |api| {
            first_webhook(api, |it| {
                it["clientConfig"]["service"]["namespace"] = json!("other");
            });
        },
        "ValidatingWebhookConfiguration",
        "asks in the namespace other",
    ),
    (
        "the selector leaves a namespace out",
        |api| {
            first_webhook(api, |it| {
                it["namespaceSelector"] = json!({ "matchLabels": { "mcp": "yes" } });
            });
        },
        "ValidatingWebhookConfiguration",
        "leaves out the namespace tools",
    ),
    (
        "the caBundle is empty",
        |api| {
            first_webhook(api, |it| {
                _ = it["clientConfig"]
                    .as_object_mut()
                    .unwrap()
                    .remove("caBundle");
            });
        },
        "ValidatingWebhookConfiguration",
        "has no caBundle",
    ),
    (
        "the caBundle is of another authority",
        |api| {
            let other = BASE64_STANDARD.encode(authority("mcp-operator-webhook-ca").0.pem());
            edit(api, MUTATING, "", "mcp-operator", |it| {
                it["webhooks"][0]["clientConfig"]["caBundle"] = other.into();
            });
        },
        "MutatingWebhookConfiguration",
        "another authority has signed it",
    ),
    (
        "the caBundle is no certificate",
        |api| first_webhook(api, |it| it["clientConfig"]["caBundle"] = json!("eA==")),
        "ValidatingWebhookConfiguration",
        "no certificate authority in it",
    ),
    (
        "the certificate has expired",
        |api| {
            certificate(
                api,
                &issued(
                    "mcp-operator-webhook-service.mcp-operator-system.svc",
                    -100,
                    -1,
                ),
            );
        },
        "Secret mcp-operator-system/mcp-operator-webhook",
        "has expired",
    ),
    (
        "the certificate is not renewed",
        |api| {
            certificate(
                api,
                &issued(
                    "mcp-operator-webhook-service.mcp-operator-system.svc",
                    -99,
                    1,
                ),
            );
        },
        "Secret mcp-operator-system/mcp-operator-webhook",
        "should have been renewed",
    ),
    (
        "the certificate is for another name",
        |api| certificate(api, &issued("other.mcp-operator-system.svc", -1, 90)),
        "WebhookConfiguration mcp-operator",
        "it is not for mcp-operator-webhook-service.mcp-operator-system.svc",
    ),
    (
        "the certificate's Secret is deleted",
        |api| _ = api.delete("Secret", HOME, "mcp-operator-webhook"),
        "Secret mcp-operator-system/mcp-operator-webhook",
        "has no certificate",
    ),
    (
        "the certificate's Secret has none",
        |api| certificate(api, "x"),
        "Secret mcp-operator-system/mcp-operator-webhook",
        "no certificate in tls.crt",
    ),
    (
        "only some MCPServers are judged",
        |api| {
            first_webhook(api, |it| {
                it["objectSelector"] = json!({ "matchLabels": { "judged": "yes" } });
            });
        },
        "ValidatingWebhookConfiguration",
        "rules.mcpservers.mcp.litellm.ai has an objectSelector",
    ),
    (
        "the scope is that of nodes",
        |api| first_webhook(api, |it| it["rules"][0]["scope"] = json!("Cluster")),
        "ValidatingWebhookConfiguration",
        "have the scope Cluster",
    ),
    (
        "other versions are not judged",
        |api| first_webhook(api, |it| it["matchPolicy"] = json!("Exact")),
        "ValidatingWebhookConfiguration",
        "is Exact",
    ),
    (
        "what others change is not completed",
        |api| each_webhook(api, |it| it["reinvocationPolicy"] = json!("Never")),
        "MutatingWebhookConfiguration",
        "reinvocationPolicy of defaults.mcpservers",
    ),
    (
        "another port is asked",
        |api| {
            first_webhook(api, |it| {
                it["clientConfig"]["service"]["port"] = json!(8443);
            });
        },
        "ValidatingWebhookConfiguration",
        "asks at the port 8443",
    ),
    (
        "one webhook asks another Service",
        |api| {
            edit(api, VALIDATING, "", "mcp-operator", |it| {
                it["webhooks"][1]["clientConfig"]["service"]["name"] = json!("other");
            });
        },
        "ValidatingWebhookConfiguration",
        "metadata.rules.mcpservers.mcp.litellm.ai asks for the name \"other\"",
    ),
    (
        "an address is asked",
        |api| {
            first_webhook(api, |it| {
                let bundle = it["clientConfig"]["caBundle"].clone();
                it["clientConfig"] =
                    json!({ "url": "https://10.0.0.9/validate", "caBundle": bundle });
            });
        },
        "ValidatingWebhookConfiguration",
        "asks https://10.0.0.9/validate",
    ),
    (
        "the key is of another certificate",
        |api| {
            let (_, other) = issued_with_key("other", -1, 90);
            edit(api, "Secret", HOME, "mcp-operator-webhook", |it| {
                it["data"]["tls.key"] = BASE64_STANDARD.encode(other).into();
            });
        },
        "Secret mcp-operator-system/mcp-operator-webhook",
        "tls.key is not the key of tls.crt",
    ),
    (
        "the authority has expired",
        |api| {
            let bundle = BASE64_STANDARD.encode(expired_authority().pem());
            first_webhook(api, |it| it["clientConfig"]["caBundle"] = bundle.into());
        },
        "ValidatingWebhookConfiguration",
        "the authority that signed it has expired at",
    ),
    (
        "the API server does not ask",
        |api| {
            api.admit("MCPServer", |it| {
                _ = it["metadata"]
                    .as_object_mut()
                    .unwrap()
                    .remove("annotations");
            });
        },
        "an MCPServer in the namespace tools",
        "without the operator being asked",
    ),
    (
        "the API server gets no answer",
        |api| {
            let why =
                "failed calling webhook \"rules.mcpservers.mcp.litellm.ai\": connection refused";
            api.fail(
                creation(),
                Failure::new(500, "InternalError", why),
                Times::Always,
            );
        },
        "an MCPServer in the namespace tools",
        "does not answer the API server",
    ),
    (
        "the operator cannot judge",
        |api| {
            let why = "admission webhook \"rules.mcpservers.mcp.litellm.ai\" denied the request: overloaded";
            api.fail(
                creation(),
                Failure::new(429, "TooManyRequests", why),
                Times::Always,
            );
        },
        "an MCPServer in the namespace tools",
        "denied the request: overloaded",
    ),
];
