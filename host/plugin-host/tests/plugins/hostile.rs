//! Hostile plugins: each ends with an error of its own kind, and other calls go on.

use std::time::Duration;

use mcp_plugin_host::contract::{DefaultingRequest, Registry, Stage};
use mcp_plugin_host::{Blame, Limits, PluginError};

use crate::common::{OBJECT, fixture, host, run};

/// Calls the fixture with a hostile behaviour; a good call beside it and another one after it must succeed.
async fn survive(word: &str, limits: Limits) -> (&'static str, String) {
    let plugin = fixture().await;
    let good = Limits {
        timeout: Duration::from_secs(30),
        ..Limits::default()
    };
    let (bad, beside) = tokio::join!(run(&plugin, word, &limits), run(&plugin, "good", &good));
    assert_eq!(beside.unwrap(), "good");
    assert_eq!(run(&plugin, "good", &good).await.unwrap(), "good");
    let error = bad.unwrap_err();
    assert_eq!(error.blame(), Blame::Guest, "{error}");
    (error.category(), error.to_string())
}

/// Long enough for every behaviour that ends by itself, on any machine.
fn long_timeout() -> Limits {
    Limits {
        timeout: Duration::from_mins(1),
        ..Limits::default()
    }
}

fn short_timeout() -> Limits {
    Limits {
        timeout: Duration::from_millis(100),
        ..Limits::default()
    }
}

#[tokio::test]
async fn an_endless_loop_ends_at_its_deadline() {
    let (category, message) = survive("loop", short_timeout()).await;
    assert_eq!(category, "DeadlineExceeded");
    assert_eq!(
        message,
        "plugin fixture: validate took longer than 100ms: make it faster, or raise spec.limits.timeoutMilliseconds of its MCPPlugin (at most 10000)"
    );
}

#[tokio::test]
async fn an_endless_loop_over_memory_ends_at_its_deadline() {
    assert_eq!(
        survive("loop-over-memory", short_timeout()).await.0,
        "DeadlineExceeded"
    );
}

#[tokio::test]
async fn a_sleeper_ends_at_its_deadline() {
    assert_eq!(
        survive("sleep", short_timeout()).await.0,
        "DeadlineExceeded"
    );
}

#[tokio::test]
async fn a_memory_bomb_ends_at_its_limit() {
    let (category, message) = survive("memory-bomb", long_timeout()).await;
    assert_eq!(category, "OutOfMemory");
    assert!(message.contains("64 are allowed"), "{message}");
}

#[tokio::test]
async fn a_panic_is_reported_with_its_message() {
    let (category, message) = survive("panic", long_timeout()).await;
    assert_eq!(category, "Trapped");
    assert!(
        message.starts_with("plugin fixture: trapped in validate: wasm `unreachable`"),
        "{message}"
    );
    assert!(message.contains("a fixture's panic"), "{message}");
}

#[tokio::test]
async fn an_exit_ends_the_call_only() {
    let (category, message) = survive("exit", long_timeout()).await;
    assert_eq!(category, "Trapped");
    assert!(message.contains("it exited with code"), "{message}");
}

#[tokio::test]
async fn deep_recursion_ends_at_the_end_of_the_stack() {
    assert_eq!(survive("recurse", long_timeout()).await.0, "StackOverflow");
}

#[tokio::test]
async fn a_large_answer_is_not_taken() {
    let (category, message) = survive("large-answer", long_timeout()).await;
    assert_eq!(category, "OutputTooLarge");
    assert_eq!(
        message,
        "plugin fixture: validate answered with more than 4194304 bytes"
    );
}

#[tokio::test]
async fn a_flood_of_output_is_dropped() {
    let plugin = fixture().await;
    assert_eq!(
        run(&plugin, "flood", &long_timeout()).await.unwrap(),
        "flooded"
    );
}

#[tokio::test]
async fn an_answer_of_100_megabytes_is_not_taken() {
    let plugin = fixture().await;
    let roomy = Limits {
        memory_bytes: host().largest_memory(),
        ..long_timeout()
    };
    let error = run(&plugin, "huge-answer", &roomy).await.unwrap_err();
    assert!(
        ["OutputTooLarge", "OutOfMemory"].contains(&error.category()),
        "{error}"
    );
    assert_eq!(run(&plugin, "good", &long_timeout()).await.unwrap(), "good");
}

/// The errors of all functions of the contract with this behaviour.
async fn call_all_functions(word: &str, limits: &Limits) -> Vec<PluginError> {
    let plugin = fixture().await;
    let request = DefaultingRequest {
        stage: Stage::Reconcile,
        server: OBJECT,
        objects: &[OBJECT],
        context: &[],
    };
    let registry = Registry {
        instance: "test",
        servers: &[],
        observations: &[],
        context: &[],
    };
    vec![
        plugin.validate_settings(word, limits).await.unwrap_err(),
        plugin.defaults(word, &request, limits).await.unwrap_err(),
        plugin.observe(word, limits).await.unwrap_err(),
        plugin.plan(word, &registry, limits).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn every_function_may_misbehave() {
    for (word, category, limits) in [
        ("loop", "DeadlineExceeded", short_timeout()),
        ("memory-bomb", "OutOfMemory", long_timeout()),
        ("panic", "Trapped", long_timeout()),
        ("recurse", "StackOverflow", long_timeout()),
    ] {
        for error in call_all_functions(word, &limits).await {
            assert_eq!(
                (error.category(), error.blame()),
                (category, Blame::Guest),
                "{error}"
            );
        }
    }
}
