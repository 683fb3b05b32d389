//! What one pass does, and what it leaves to the next.

use super::*;

#[test]
fn a_pass_is_bounded_and_the_next_goes_on() {
    let mut world = World::default();
    let servers: Vec<_> = (0..450)
        .map(|number| registrable("a", &format!("s{number}")))
        .collect();
    let first = world.plan(&servers);
    assert_eq!(first.steps.len(), 200);
    assert!(
        first
            .registrations
            .iter()
            .all(|registration| registration.state == RegistrationState::Absent)
    );
    world.settle(&servers);
    assert_eq!(world.requests.len(), 450);
}

/// Requests that never succeed cost nobody else a turn, whatever their kind and number.
#[test]
fn what_always_fails_starves_nobody() {
    let numbered = |prefix: &str| -> Vec<Server> {
        (0..300)
            .map(|number| registrable("a", &format!("{prefix}{number}")))
            .collect()
    };
    let mut world = World::default();
    world.settle(&[numbered("gone"), numbered("changed")].concat());
    let mut servers = [numbered("changed"), numbered("new"), numbered("good")].concat();
    for server in &mut servers[..300] {
        server.description = "another".into();
    }
    let broken = ["gone", "changed", "new"]
        .map(|prefix| (0..300).map(move |number| format!("mcp-operator.a.{prefix}{number}")));
    world.broken = broken.into_iter().flatten().collect();
    let passes = (1..=600).find(|pass| {
        world.date = format!("Tue, 24 Nov 2026 15:{:02}:{:02} GMT", pass / 60, pass % 60);
        world.carry_out(world.plan(&servers));
        let good = world
            .entries
            .iter()
            .filter(|entry| entry["server_name"].to_string().contains("good"));
        good.count() == 300
    });
    assert!(passes.unwrap() < 60, "{passes:?}");
}

/// The answer of a call is bounded, and with it what one pass can send.
#[test]
fn large_entries_are_sent_in_several_passes() {
    let large = |number: usize| Server {
        description: "x".repeat(40 << 10),
        ..registrable("a", &format!("large{number}"))
    };
    let mut servers: Vec<_> = (0..100).map(large).collect();
    servers.push(Server {
        description: "x".repeat(100 << 10),
        ..registrable("a", "too-large")
    });
    let mut world = World::default();
    let bytes = |plan: &Plan| -> usize {
        let body = |step: &mcp_plugin_sdk::Step| match &step.action {
            mcp_plugin_sdk::Action::Send(request) => request.body.as_ref().map_or(0, String::len),
            _ => 0,
        };
        plan.steps.iter().map(body).sum()
    };
    let mut passes = 0;
    loop {
        let plan = world.plan(&servers);
        if plan.steps.is_empty() {
            assert_eq!(plan.registrations[100].reason, "EntryTooLarge");
            break;
        }
        assert!(bytes(&plan) < 512 << 10, "{}", bytes(&plan));
        world.carry_out(plan);
        passes += 1;
    }
    assert!(passes > 5 && world.entries.len() == 100);
}

/// The name of one that leaves is free when it has left, be that in a later pass.
#[test]
fn a_name_is_waited_for() {
    let mut world = World::default();
    let before: Vec<_> = (0..4)
        .map(|number| server(&format!("a{number}"), "b-c", "2026-02"))
        .collect();
    world.settle(&before);
    let after: Vec<_> = (0..4)
        .map(|number| server(&format!("a{number}-b"), "c", "2026-01"))
        .collect();
    let settings = testing::settings::<Settings>(json!({ "requestsPerPass": 3 }));
    for _ in 0..20 {
        let plan = LiteLlmAdminApi::plan(&settings, &world.registry(&after));
        for (request, status) in world.carry_out(plan) {
            assert!(status < 300, "{request:?} is answered with {status}");
        }
    }
    assert_eq!(reasons(&world.plan(&after)), ["Registered"; 4]);
}
