//! Reports of openreports.io, and when they are written.

use std::sync::Arc;

use mcp_operator_api::v1alpha1::Mode;
use mcp_operator_core::report::{self, Violator};
use mcp_operator_core::violation::{Standing, Violation};
use mcp_testkit::{Failure, Times};
use tokio::time::{advance, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;
use crate::violations::Violators;

/// Longer than the operator waits before it writes.
const SETTLED: Duration = Duration::from_secs(5);

fn install_reports(api: &ApiServer) {
    api.put(custom_resource_definition(&report::api_resource()));
}

fn violator(name: &str, field: &str) -> Violator {
    let violation = Violation {
        plugin: "rule".into(),
        mode: Mode::Audit,
        code: "owner".into(),
        field: field.into(),
        message: format!("{field}: say who"),
        standing: Standing::Broken,
    };
    Violator {
        name: name.into(),
        uid: Some("1".into()),
        violations: vec![violation].into(),
    }
}

/// Keeps Reports in step with what a test says.
struct Reports {
    world: World,
    stop: DropGuard,
}

impl Reports {
    async fn start(api: ApiServer) -> Self {
        let world = World::on(api).await;
        let shutdown = CancellationToken::new();
        let (context, stop) = (Arc::clone(world.context()), shutdown.clone());
        tokio::spawn(async move { crate::reports::run(&context, stop).await });
        Self {
            world,
            stop: shutdown.drop_guard(),
        }
    }

    async fn installed() -> Self {
        let api = api_server();
        install_reports(&api);
        Self::start(api).await
    }

    fn say(&self, violators: &[(&str, &[Violator])]) {
        let violators: Violators = violators
            .iter()
            .map(|(namespace, violators)| ((*namespace).to_owned(), violators.to_vec()))
            .collect();
        let known = &self.world.context().violators;
        known.send_replace(Some(Arc::new(violators)));
    }

    async fn settle(&self) {
        for _ in 0..5 {
            self.world.api.idle().await;
            sleep(SETTLED).await;
        }
    }

    /// What was written since the last call, after a while.
    async fn written(&self) -> Vec<String> {
        self.settle().await;
        self.world.written()
    }

    fn field(&self, namespace: &str) -> Option<Value> {
        let found = self.world.api.get("Report", namespace, report::NAME)?;
        Some(found["results"][0]["properties"]["field"].clone())
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_comes_changes_and_goes_and_nothing_is_written_in_between() {
    let reports = Reports::installed().await;
    assert_eq!(
        reports.written().await,
        [""; 0],
        "nobody knows anything yet"
    );
    reports.say(&[(NAMESPACE, &[violator("a", "spec.a")])]);
    assert_eq!(reports.written().await, ["Report"]);
    assert_eq!(reports.field(NAMESPACE), Some(json!("spec.a")));
    reports.say(&[(NAMESPACE, &[violator("a", "spec.a")])]);
    assert_eq!(reports.written().await, [""; 0], "the same");
    reports.say(&[(NAMESPACE, &[violator("a", "spec.b")])]);
    assert_eq!(reports.written().await, ["Report"]);
    assert_eq!(reports.field(NAMESPACE), Some(json!("spec.b")));
    reports.say(&[]);
    assert_eq!(reports.written().await, ["delete report"]);
    assert_eq!(reports.field(NAMESPACE), None);
    assert_eq!(reports.written().await, [""; 0]);
}

/// Another replica begins with what the one before has written.
#[tokio::test(start_paused = true)]
async fn the_next_leader_writes_nothing_that_is_there() {
    let first = Reports::installed().await;
    let said: &[(&str, &[Violator])] = &[
        (NAMESPACE, &[violator("a", "spec.a")]),
        ("monitoring", &[violator("b", "spec.b")]),
    ];
    first.say(said);
    assert_eq!(first.written().await, ["Report", "Report"]);
    let Reports { world, stop } = first;
    drop(stop);
    let second = Reports::start(world.api.clone()).await;
    second.say(said);
    assert_eq!(second.written().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn without_the_api_nothing_is_asked_and_it_may_come_later_and_go() {
    let api = api_server();
    let reports = Reports::start(api).await;
    reports.say(&[(NAMESPACE, &[violator("a", "spec.a")])]);
    reports.settle().await;
    let is_asked =
        |request: &mcp_testkit::Recorded| ["reports", "Report"].contains(&&*request.kind);
    assert!(!reports.world.api.requests().iter().any(is_asked));
    install_reports(&reports.world.api);
    assert_eq!(reports.written().await, ["Report"]);
    let definition = "reports.openreports.io";
    reports
        .world
        .api
        .delete("CustomResourceDefinition", "", definition);
    reports.world.api.delete("Report", NAMESPACE, report::NAME);
    assert_eq!(reports.written().await, [""; 0]);
    install_reports(&reports.world.api);
    advance(Duration::from_mins(2)).await;
    assert_eq!(reports.written().await, ["Report"]);
}

fn foreign() -> Value {
    json!({
        "apiVersion": "openreports.io/v1alpha1", "kind": "Report",
        "metadata": { "name": report::NAME, "namespace": NAMESPACE }, "source": "kyverno",
    })
}

#[tokio::test(start_paused = true)]
async fn a_report_of_somebody_else_is_left_alone_and_told_once() {
    let reports = Reports::installed().await;
    reports.world.api.put(foreign());
    reports.say(&[(NAMESPACE, &[violator("a", "spec.a")])]);
    assert_eq!(reports.written().await, [""; 0]);
    assert_eq!(reports.world.events(), ["ForeignReport"]);
    reports.say(&[(NAMESPACE, &[violator("a", "spec.b")])]);
    reports.say(&[]);
    assert_eq!(reports.written().await, [""; 0]);
    assert_eq!(reports.world.events(), ["ForeignReport"]);
    let found = reports.world.api.get("Report", NAMESPACE, report::NAME);
    assert_eq!(found.unwrap()["source"], "kyverno");
}

/// It comes between the look and the write.
#[tokio::test(start_paused = true)]
async fn a_report_that_somebody_makes_meanwhile_is_not_taken_over() {
    let reports = Reports::installed().await;
    let apply = Match::verb(Verb::Apply).kind("Report");
    reports.world.api.before(apply, |api, _| {
        api.put(foreign());
    });
    reports.say(&[(NAMESPACE, &[violator("a", "spec.a")])]);
    reports.settle().await;
    let found = reports.world.api.get("Report", NAMESPACE, report::NAME);
    assert_eq!(found.unwrap()["source"], "kyverno");
    assert_eq!(reports.world.events(), ["ForeignReport"]);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changes_is_put_back_once_in_a_minute() {
    let reports = Reports::installed().await;
    reports.say(&[(NAMESPACE, &[violator("a", "spec.a")])]);
    assert_eq!(reports.written().await, ["Report"]);
    for _ in 0..3 {
        reports
            .world
            .api
            .edit("Report", NAMESPACE, report::NAME, |report| {
                report["results"] = json!([]);
            });
        sleep(SETTLED).await;
    }
    advance(Duration::from_mins(1)).await;
    assert_eq!(reports.written().await, ["Report"]);
    assert_eq!(reports.field(NAMESPACE), Some(json!("spec.a")));
}

#[tokio::test(start_paused = true)]
async fn a_namespace_whose_report_cannot_be_written_keeps_no_other_waiting() {
    let reports = Reports::installed().await;
    let here = Match::verb(Verb::Apply)
        .kind("Report")
        .namespace("monitoring");
    reports.world.api.deny(here.clone(), "you may not");
    let said = |field: &str| {
        reports.say(&[
            ("monitoring", &[violator("a", field)]),
            (NAMESPACE, &[violator("a", field)]),
        ]);
    };
    said("spec.a");
    reports.settle().await;
    assert_eq!(reports.field(NAMESPACE), Some(json!("spec.a")));
    for _ in 0..20 {
        reports.settle().await;
    }
    let tries = reports.world.api.requests_of(&here).len();
    assert!(tries < 8, "{tries} tries in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_is_tried_again() {
    let reports = Reports::installed().await;
    let apply = Match::verb(Verb::Apply).kind("Report");
    reports
        .world
        .api
        .fail(apply, Failure::internal("no leader"), Times::Once);
    reports.say(&[(NAMESPACE, &[violator("a", "spec.a")])]);
    reports.settle().await;
    advance(Duration::from_secs(31)).await;
    reports.settle().await;
    assert_eq!(reports.field(NAMESPACE), Some(json!("spec.a")));
}
