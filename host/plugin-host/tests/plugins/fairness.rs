//! Calls share threads and slots.

use std::time::Duration;

use mcp_plugin_host::{Blame, Limits};

use crate::common::{fixture, fixture_component, host_with, run};

/// Longer than any test runs.
const NEVER: Limits = Limits {
    timeout: Duration::from_hours(1),
    memory_bytes: 64 << 20,
    output_bytes: 4 << 20,
};

#[tokio::test(flavor = "current_thread")]
async fn a_looping_plugin_leaves_the_only_thread_to_others() {
    let plugin = fixture().await;
    let looping = tokio::spawn({
        let plugin = plugin.clone();
        async move { run(&plugin, "loop", &NEVER).await }
    });
    // It runs before this task goes on, and then again whenever this one waits.
    tokio::task::yield_now().await;
    for _ in 0..10 {
        assert_eq!(run(&plugin, "good", &NEVER).await.unwrap(), "good");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(!looping.is_finished());
    looping.abort();
    assert!(looping.await.unwrap_err().is_cancelled());
}

#[tokio::test(flavor = "current_thread")]
async fn calls_wait_for_a_slot() {
    let host = host_with(|config| config.concurrency = 2);
    let plugin = host.load("fixture", fixture_component()).await.unwrap();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let plugin = plugin.clone();
            tokio::spawn(async move { run(&plugin, "good", &NEVER).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "good");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_looping_plugin_leaves_slots_to_others() {
    let host = host_with(|config| config.concurrency = 2);
    let bad = host.load("bad", fixture_component()).await.unwrap();
    let good = host.load("good", fixture_component()).await.unwrap();
    let looping: Vec<_> = (0..4)
        .map(|_| {
            let bad = bad.clone();
            tokio::spawn(async move { run(&bad, "loop", &NEVER).await })
        })
        .collect();
    tokio::task::yield_now().await;
    assert_eq!(run(&good, "good", &NEVER).await.unwrap(), "good");
    for call in looping {
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_call_that_gets_no_slot_in_time_blames_the_host() {
    let host = host_with(|config| config.concurrency = 1);
    let plugin = host.load("fixture", fixture_component()).await.unwrap();
    let looping = tokio::spawn({
        let plugin = plugin.clone();
        async move { run(&plugin, "loop", &NEVER).await }
    });
    tokio::task::yield_now().await;
    let limits = Limits {
        timeout: Duration::from_millis(50),
        ..NEVER
    };
    let error = run(&plugin, "good", &limits).await.unwrap_err();
    assert_eq!(
        (error.category(), error.blame()),
        ("Overloaded", Blame::Host)
    );
    // A dropped call gives its slot back.
    looping.abort();
    assert!(looping.await.unwrap_err().is_cancelled());
    assert_eq!(run(&plugin, "good", &NEVER).await.unwrap(), "good");
}

#[tokio::test]
async fn plugins_outlive_their_host() {
    let host = host_with(|_| {});
    let plugin = host.load("fixture", fixture_component()).await.unwrap();
    drop(host);
    let limits = Limits {
        timeout: Duration::from_millis(100),
        ..NEVER
    };
    let error = run(&plugin, "loop", &limits).await.unwrap_err();
    assert_eq!(
        error.category(),
        "DeadlineExceeded",
        "the ticker still runs"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn calls_wait_for_memory() {
    let host = host_with(|config| config.memory_bytes = 256 << 20);
    assert_eq!(host.largest_memory(), 128 << 20);
    let bad = host.load("bad", fixture_component()).await.unwrap();
    let good = host.load("good", fixture_component()).await.unwrap();
    // Two calls have what one plugin may have, so a third waits, and another plugin does not.
    let looping: Vec<_> = (0..2)
        .map(|_| {
            let bad = bad.clone();
            tokio::spawn(async move { run(&bad, "loop", &NEVER).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let short = Limits {
        timeout: Duration::from_millis(100),
        ..NEVER
    };
    let error = run(&bad, "good", &short).await.unwrap_err();
    assert_eq!(error.category(), "Overloaded");
    assert_eq!(run(&good, "good", &NEVER).await.unwrap(), "good");
    for call in looping {
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
}

#[tokio::test(flavor = "current_thread")]
async fn limits_beyond_what_there_is_give_what_there_is() {
    let host = host_with(|config| config.memory_bytes = 64 << 20);
    let plugin = host.load("fixture", fixture_component()).await.unwrap();
    let greedy = Limits {
        memory_bytes: usize::MAX,
        ..NEVER
    };
    let error = run(&plugin, "memory-bomb", &greedy).await.unwrap_err();
    assert!(error.to_string().contains("32 are allowed"), "{error}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_call_that_waited_most_of_its_time_blames_the_host() {
    let host = host_with(|config| config.concurrency = 1);
    let plugin = host.load("fixture", fixture_component()).await.unwrap();
    let first = tokio::spawn({
        let plugin = plugin.clone();
        let limits = Limits {
            timeout: Duration::from_millis(400),
            ..NEVER
        };
        async move { run(&plugin, "loop", &limits).await }
    });
    tokio::task::yield_now().await;
    let limits = Limits {
        timeout: Duration::from_millis(600),
        ..NEVER
    };
    let error = run(&plugin, "loop", &limits).await.unwrap_err();
    assert_eq!(
        (error.category(), error.blame()),
        ("Overloaded", Blame::Host)
    );
    assert_eq!(
        first.await.unwrap().unwrap_err().category(),
        "DeadlineExceeded"
    );
}

/// A namespace whose calls are slow delays its own, and neither those of another namespace nor those of all.
#[tokio::test(flavor = "current_thread")]
async fn slow_calls_of_one_namespace_leave_slots_to_others() {
    // Two calls at once for each of the plugins, four in all.
    let host = host_with(|config| config.memory_bytes = 256 << 20);
    let first = host.load("first", fixture_component()).await.unwrap();
    let second = host.load("second", fixture_component()).await.unwrap();
    let looping: Vec<_> = [&first, &second]
        .into_iter()
        .flat_map(|plugin| std::iter::repeat_n(plugin.for_namespace("crowd"), 20))
        .map(|plugin| tokio::spawn(async move { run(&plugin, "loop", &NEVER).await }))
        .collect();
    tokio::task::yield_now().await;
    let short = Limits {
        timeout: Duration::from_secs(5),
        ..NEVER
    };
    for plugin in [&first, &second] {
        let quiet = plugin.for_namespace("quiet");
        assert_eq!(run(&quiet, "good", &short).await.unwrap(), "good");
        assert_eq!(run(plugin, "good", &short).await.unwrap(), "good");
    }
    for call in looping {
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
    let crowd = first.for_namespace("crowd");
    assert_eq!(run(&crowd, "good", &short).await.unwrap(), "good");
}
