//! The whole process is stopped again and again, like on a virtual machine that is paused. In a program of its own, because
//! other tests would be stopped with it.
#![allow(clippy::unwrap_used, reason = "a test")]
#![cfg(unix)]

#[path = "plugins/common.rs"]
#[expect(dead_code, reason = "the other tests need more")]
mod common;

use std::process::Command;
use std::time::Duration;

use mcp_plugin_host::Limits;

/// Each stop is longer than a call may take.
const STOPS: &str =
    "for _ in 1 2 3 4 5 6; do sleep 0.5; kill -STOP $0 || exit; sleep 0.4; kill -CONT $0; done";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_is_not_to_blame_for_the_time_of_a_stop() {
    let plugin = common::fixture().await;
    let limits = Limits {
        timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let mut stopper = Command::new("sh")
        .args(["-c", STOPS, &std::process::id().to_string()])
        .spawn()
        .unwrap();
    let mut calls = 0;
    while stopper.try_wait().unwrap().is_none() {
        let request = common::request();
        plugin.validate("good", &request, &limits).await.unwrap();
        calls += 1;
    }
    assert!(calls > 10, "{calls}");
}
