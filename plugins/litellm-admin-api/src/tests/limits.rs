//! The limits of one plan, and what it leaves to the next.

use super::*;

#[test]
fn a_plan_is_bounded_and_the_next_goes_on() {
    let mut litellm = FakeLiteLlm::default();
    let servers: Vec<_> = (0..450)
        .map(|number| registrable("a", &format!("s{number}")))
        .collect();
    let first = litellm.plan(&servers);
    assert_eq!(first.steps.len(), 200);
    assert!(
        first
            .registrations
            .iter()
            .all(|registration| registration.state == RegistrationState::Absent)
    );
    litellm.converge(&servers);
    assert_eq!(litellm.requests.len(), 450);
}

/// Requests that always fail, whatever their kind and number, do not keep others from being sent.
#[test]
fn requests_that_always_fail_starve_no_others() {
    let numbered = |prefix: &str| -> Vec<Server> {
        (0..300)
            .map(|number| registrable("a", &format!("{prefix}{number}")))
            .collect()
    };
    let mut litellm = FakeLiteLlm::default();
    litellm.converge(&[numbered("gone"), numbered("changed")].concat());
    let mut servers = [numbered("changed"), numbered("new"), numbered("good")].concat();
    for server in &mut servers[..300] {
        server.description = "another".into();
    }
    let broken = ["gone", "changed", "new"]
        .map(|prefix| (0..300).map(move |number| format!("mcp-operator.a.{prefix}{number}")));
    litellm.broken = broken.into_iter().flatten().collect();
    let passes = (1..=600).find(|pass| {
        litellm.date = format!("Tue, 24 Nov 2026 15:{:02}:{:02} GMT", pass / 60, pass % 60);
        litellm.execute(litellm.plan(&servers));
        let good = litellm
            .entries
            .iter()
            .filter(|entry| entry["server_name"].to_string().contains("good"));
        good.count() == 300
    });
    assert!(passes.unwrap() < 60, "{passes:?}");
}

/// The answer of a call is bounded, and with it the size of a plan.
#[test]
fn large_entries_are_sent_by_several_plans() {
    let large = |number: usize| Server {
        description: "x".repeat(40 << 10),
        ..registrable("a", &format!("large{number}"))
    };
    let mut servers: Vec<_> = (0..100).map(large).collect();
    servers.push(Server {
        description: "x".repeat(100 << 10),
        ..registrable("a", "too-large")
    });
    let mut litellm = FakeLiteLlm::default();
    let bytes = |plan: &Plan| -> usize {
        let body = |step: &mcp_plugin_sdk::Step| match &step.action {
            mcp_plugin_sdk::Action::Send(request) => request.body.as_ref().map_or(0, String::len),
            _ => 0,
        };
        plan.steps.iter().map(body).sum()
    };
    let mut passes = 0;
    loop {
        let plan = litellm.plan(&servers);
        if plan.steps.is_empty() {
            assert_eq!(plan.registrations[100].reason, "EntryTooLarge");
            break;
        }
        assert!(bytes(&plan) < 512 << 10, "{}", bytes(&plan));
        litellm.execute(plan);
        passes += 1;
    }
    assert!(passes > 5 && litellm.entries.len() == 100);
}

/// A name becomes free only when the entry that has it is deleted, maybe by a later plan.
#[test]
fn a_name_is_waited_for() {
    let mut litellm = FakeLiteLlm::default();
    let before: Vec<_> = (0..4)
        .map(|number| server(&format!("a{number}"), "b-c", "2026-02"))
        .collect();
    litellm.converge(&before);
    let after: Vec<_> = (0..4)
        .map(|number| server(&format!("a{number}-b"), "c", "2026-01"))
        .collect();
    let settings = testing::settings::<Settings>(json!({ "requestsPerPass": 3 }));
    for _ in 0..20 {
        let plan = LiteLlmAdminApi::plan(&settings, &litellm.registry(&after));
        for (request, status) in litellm.execute(plan) {
            assert!(status < 300, "{request:?} is answered with {status}");
        }
    }
    assert_eq!(reasons(&litellm.plan(&after)), ["Registered"; 4]);
}

/// Entries of one namespace that would make the list unreadable are refused, and those of others are not.
#[test]
fn one_namespace_does_not_fill_the_list_for_others() {
    let large = |number: usize| Server {
        allowed_tools: Some(vec!["x".repeat(60 << 10)]),
        ..server(
            "crowd",
            &format!("s{number:03}"),
            &format!("2025-{number:03}"),
        )
    };
    let mut servers: Vec<_> = (0..500).map(large).collect();
    servers.push(server("quiet", "young", "2026"));
    let mut litellm = FakeLiteLlm::default();
    let plan = litellm.plan(&servers);
    let full: Vec<&str> = plan
        .registrations
        .iter()
        .filter(|registration| registration.reason == "ListFull")
        .map(|registration| registration.server.as_str())
        .collect();
    assert!(full.len() > 10 && full.len() < 100, "{}", full.len());
    let newest: Vec<String> = (500 - full.len()..500)
        .map(|number| format!("crowd/s{number:03}"))
        .collect();
    assert_eq!(full, newest);

    // They were registered by a version that did not know that, and the list is too large to be read.
    let mut registry = litellm.registry(&servers);
    registry.observations[0].state = mcp_plugin_sdk::Observed::Unavailable("too large".into());
    let plan = LiteLlmAdminApi::plan(&Settings::default(), &registry);
    let mut deleted: Vec<String> = plan
        .steps
        .iter()
        .flat_map(|step| step.servers.clone())
        .collect();
    deleted.sort_unstable();
    assert_eq!(deleted, newest);
    assert!(
        litellm
            .execute(plan)
            .iter()
            .all(|(request, _)| request.method == "DELETE"),
        "nothing but what has no room is removed"
    );

    // Where LiteLLM does not answer at all, nothing is sent.
    registry.observations[1].state = mcp_plugin_sdk::Observed::Unavailable("refused".into());
    let plan = LiteLlmAdminApi::plan(&Settings::default(), &registry);
    assert!(plan.steps.is_empty());
}
