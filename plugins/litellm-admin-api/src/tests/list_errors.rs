//! LiteLLM cannot be read or changed.

use mcp_plugin_sdk::{HttpResponse, Observation, Observed};

use super::*;

#[test]
fn answers_that_are_no_list() {
    let servers = [registrable("a", "a")];
    let answer = |status, body: &str| {
        Observed::Http(HttpResponse {
            status,
            headers: Vec::new(),
            body: body.into(),
        })
    };
    let auth =
        r#"{"error":{"message":"Received API Key = sk-...","type":"auth_error","code":"401"}}"#;
    for (observed, state, reason, says) in [
        (
            answer(401, auth),
            Refused,
            "AccessDenied",
            "(HTTP 401): use a key",
        ),
        (answer(403, "no"), Refused, "AccessDenied", "proxy_admin"),
        (
            answer(404, r#"{"detail":"Not Found"}"#),
            Refused,
            "NoAdminApi",
            "baseUrl",
        ),
        (answer(429, ""), Pending, "LiteLLMUnavailable", "HTTP 429"),
        (
            answer(
                503,
                r#"{"detail":"MCP server configuration could not be refreshed"}"#,
            ),
            Pending,
            "LiteLLMUnavailable",
            "could not be refreshed",
        ),
        (
            answer(200, "<html>"),
            Pending,
            "UnreadableAnswer",
            "from byte 0 on: check baseUrl",
        ),
        (
            Observed::Unavailable("connection refused".into()),
            Pending,
            "LiteLLMUnavailable",
            "connection refused",
        ),
    ] {
        let mut registry = FakeLiteLlm::default().registry(&servers);
        registry.observations[0].state = observed;
        let plan = LiteLlmAdminApi::plan(&Settings::default(), &registry);
        assert!(plan.steps.is_empty());
        let registration = &plan.registrations[0];
        assert_eq!(
            (registration.state, registration.reason.as_str()),
            (state, reason)
        );
        assert!(
            registration.message.contains(says),
            "{}",
            registration.message
        );
        assert!(!registration.message.contains("sk-"));
    }
}

/// Without one, LiteLLM still lists, and refuses every change.
#[test]
fn a_litellm_without_a_database_is_reported() {
    let litellm = FakeLiteLlm {
        no_database: true,
        ..FakeLiteLlm::default()
    };
    let plan = litellm.plan(&[registrable("a", "a")]);
    assert!(plan.steps.is_empty());
    assert_eq!(plan.registrations[0].state, RegistrationState::Refused);
    assert_eq!(plan.registrations[0].reason, "NoDatabase");
}

#[test]
fn with_verify_health_an_unreachable_server_is_not_registered() {
    let servers = [registrable("a", "a"), registrable("a", "b")];
    let mut litellm = FakeLiteLlm::default();
    litellm.converge(&servers);
    let settings = testing::settings::<Settings>(json!({ "verifyHealth": true }));
    let reads = LiteLlmAdminApi::observe(&settings);
    assert_eq!(reads.len(), 3);
    let mut registry = litellm.registry(&servers);
    let body = json!([
        { "server_id": "mcp-operator.a.a", "status": "unhealthy" },
        { "server_id": "mcp-operator.a.b", "status": "unknown" },
    ]);
    registry.observations.push(Observation {
        id: reads[2].id.clone(),
        state: Observed::Http(HttpResponse {
            status: 200,
            headers: Vec::new(),
            body: body.to_string(),
        }),
    });
    let plan = LiteLlmAdminApi::plan(&settings, &registry);
    assert_eq!(reasons(&plan), ["Unhealthy", "Registered"]);
    // Without a report no server counts as healthy.
    registry.observations[2].state = Observed::Unavailable("deadline".into());
    let plan = LiteLlmAdminApi::plan(&settings, &registry);
    assert_eq!(reasons(&plan), ["VerificationUnavailable"; 2]);
    assert!(plan.registrations[0].message.ends_with("deadline"));
    assert_eq!(plan.registrations[0].state, Pending);
}
