//! The whole controller at its work.

use std::sync::Arc;
use std::time::Duration;

use mcp_operator_runtime::Supervisor;
use mcp_testkit::WatchEnd;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::context::Context;

/// A controller that runs on its own.
pub(super) struct Running {
    pub(super) api: ApiServer,
    pub(super) supervisor: Supervisor,
    pub(super) context: Arc<Context>,
    pub(super) shutdown: CancellationToken,
    pub(super) task: JoinHandle<()>,
}

impl Running {
    pub(super) fn start(world: World) -> Self {
        let shutdown = CancellationToken::new();
        let (controller, stop) = (world.controller, shutdown.clone());
        Self {
            context: Arc::clone(&controller.context),
            api: world.api,
            supervisor: world.supervisor,
            task: tokio::spawn(async move {
                controller.ready().await.unwrap();
                controller.run(stop).await;
            }),
            shutdown,
        }
    }

    pub(super) async fn new() -> Self {
        Self::start(World::new().await)
    }

    pub(super) fn put(&self, name: &str, spec: Value) {
        self.api.put(mcp_server_with(NAMESPACE, name, spec));
    }

    /// Waits for up to a minute.
    pub(super) async fn wait_for(&self, condition: impl Fn(&ApiServer) -> bool) {
        for _ in 0..5 {
            if self.api.wait_for(&condition).await.is_ok() {
                return;
            }
        }
        self.api.wait_for(condition).await.unwrap();
    }

    /// Waits until a server has a reason in its summary.
    pub(super) async fn wait_for_reason(&self, name: &str, reason: &str) {
        self.wait_for(|api| ready_reason(api, name).as_deref() == Some(reason))
            .await;
    }

    /// Lets all Deployments roll out as soon as they are there, as Kubernetes would.
    pub(super) fn roll_out_all(&self) {
        for deployment in self.api.objects_of("Deployment") {
            let name = deployment["metadata"]["name"].as_str().unwrap();
            self.api
                .edit("Deployment", NAMESPACE, name, deployment_rolled_out);
        }
    }
}

pub(super) fn ready_reason(api: &ApiServer, name: &str) -> Option<String> {
    let server = api.get("MCPServer", NAMESPACE, name)?;
    let conditions = server["status"]["conditions"].as_array()?.clone();
    let ready = conditions.iter().find(|found| found["type"] == "Ready")?;
    Some(ready["reason"].as_str()?.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_servers_gets_all_objects_and_then_it_is_quiet() {
    let running = Running::new().await;
    let names: Vec<String> = (0..30).map(|number| format!("server-{number}")).collect();
    for name in &names {
        running.put(name, everything());
    }
    running
        .wait_for(|api| {
            ManagedKind::iter().all(|kind| api.objects_of(kind.name()).len() == names.len())
        })
        .await;
    running.roll_out_all();
    for name in &names {
        running.wait_for_reason(name, "Ready").await;
    }
    // Every object once; a status or two for each server.
    let writes = running.api.writes();
    let applies = writes
        .iter()
        .filter(|write| write.kind != "Event" && write.subresource.is_empty());
    assert_eq!(applies.count(), names.len() * ManagedKind::iter().count());
    assert!(
        writes
            .iter()
            .all(|write| write.code == Some(200) || write.code == Some(201))
    );
    sleep(Duration::from_secs(5)).await;
    running.api.clear_log();
    // Among them the hourly reconcile.
    sleep(Duration::from_hours(3)).await;
    assert_eq!(running.api.writes(), []);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_object_comes_back_at_once() {
    for kind in ManagedKind::iter() {
        let running = Running::new().await;
        running.put(NAME, everything());
        let (namespace, name) = place(kind);
        running
            .wait_for(|api| api.objects_of("HorizontalPodAutoscaler").len() == 1)
            .await;
        running.roll_out_all();
        running.wait_for_reason(NAME, "Ready").await;
        sleep(Duration::from_secs(5)).await;
        let began = Instant::now();
        running.api.delete(kind.name(), namespace, name);
        running
            .wait_for(|api| api.get(kind.name(), namespace, name).is_some())
            .await;
        assert!(began.elapsed() < Duration::from_millis(100), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn drift_is_put_back_after_a_moment() {
    let running = Running::new().await;
    running.put(NAME, little());
    running
        .wait_for(|api| api.objects_of("Deployment").len() == 1)
        .await;
    running.roll_out_all();
    running.wait_for_reason(NAME, "Ready").await;
    sleep(Duration::from_secs(5)).await;
    running
        .api
        .edit("Service", NAMESPACE, CHILD, rename_instance);
    running
        .wait_for(|api| {
            let service = api.get("Service", NAMESPACE, CHILD).unwrap();
            service["metadata"]["labels"]["app.kubernetes.io/instance"] == NAME
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_left_elsewhere_goes_with_its_server() {
    let world = World::with_settings(api_server(), monitored_elsewhere()).await;
    let running = Running::start(world);
    running.put(NAME, everything());
    running
        .wait_for(|api| api.objects_of("HorizontalPodAutoscaler").len() == 1)
        .await;
    running.api.delete("MCPServer", NAMESPACE, NAME);
    running.api.collect_garbage();
    running
        .wait_for(|api| api.objects_of("ServiceMonitor").is_empty())
        .await;
    assert_eq!(running.api.objects_of("Deployment"), [""; 0]);
}

/// One server was deleted while the operator was down, one was deleted and made again, and one is as it was.
#[tokio::test(start_paused = true)]
async fn what_happened_before_the_start_is_caught_up_with() {
    let before = World::with_settings(api_server(), monitored_elsewhere()).await;
    let running = Running::start(before);
    for name in ["gone", "again", "stays"] {
        running.put(name, everything());
    }
    running
        .wait_for(|api| api.objects_of("ServiceMonitor").len() == 3)
        .await;
    running.shutdown.cancel();
    running.task.await.unwrap();
    let api = running.api;
    for name in ["gone", "again"] {
        api.delete("MCPServer", NAMESPACE, name);
    }
    api.collect_garbage();
    api.put(mcp_server_with(NAMESPACE, "again", everything()));
    let monitor = |api: &ApiServer, name: &str| {
        api.get("ServiceMonitor", "monitoring", &format!("mcp.tools.{name}"))
    };
    let (left, stays) = (monitor(&api, "again"), monitor(&api, "stays"));
    assert!(monitor(&api, "gone").is_some() && left.is_some() && stays.is_some());

    let running = Running::start(World::with_settings(api, monitored_elsewhere()).await);
    let server = running.api.get("MCPServer", NAMESPACE, "again").unwrap();
    running
        .wait_for(|api| {
            let annotation = |again: &Value| {
                again["metadata"]["annotations"]["mcp.litellm.ai/server-uid"].clone()
            };
            monitor(api, "gone").is_none()
                && monitor(api, "again")
                    .is_some_and(|again| annotation(&again) == server["metadata"]["uid"])
        })
        .await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(monitor(&running.api, "stays"), stays, "it was in use");
}

/// The watches come too late, and are listed anew: servers were deleted meanwhile, made again and made for the first time.
#[tokio::test(start_paused = true)]
async fn a_past_that_is_gone_is_listed_anew() {
    let running = Running::new().await;
    for name in ["gone", "again", "stays"] {
        running.put(name, little());
    }
    running
        .wait_for(|api| api.objects_of("Deployment").len() == 3)
        .await;
    running.roll_out_all();
    for name in ["gone", "again", "stays"] {
        running.wait_for_reason(name, "Ready").await;
    }
    sleep(Duration::from_secs(5)).await;
    running.api.clear_log();
    for kind in ["MCPServer", "ServiceAccount", "Service", "Deployment"] {
        running.api.end_watches(kind, WatchEnd::Expired);
    }
    for name in ["gone", "again"] {
        running.api.delete("MCPServer", NAMESPACE, name);
    }
    running.api.delete("Service", NAMESPACE, "mcp-stays");
    running.api.collect_garbage();
    running.put("again", little());
    running.put("new", little());
    running.api.compact();
    running
        .wait_for(|api| {
            let there =
                |kind: &str, name: &str| api.get(kind, NAMESPACE, &format!("mcp-{name}")).is_some();
            ["again", "new", "stays"]
                .iter()
                .all(|name| there("Deployment", name) && there("Service", name))
        })
        .await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(running.api.objects_of("Deployment").len(), 3);
    let writes = running.api.requests_of(&Match::verb(Verb::Apply));
    let mut made: Vec<String> = writes
        .iter()
        .filter(|write| write.code == Some(201) && write.kind != "Event")
        .map(|write| format!("{} {}", write.kind, write.name))
        .collect();
    made.sort();
    let once = [
        "Deployment mcp-again",
        "Deployment mcp-new",
        "Service mcp-again",
        "Service mcp-new",
        "Service mcp-stays",
        "ServiceAccount mcp-again",
        "ServiceAccount mcp-new",
    ];
    assert_eq!(made, once);
}

#[tokio::test(start_paused = true)]
async fn an_api_that_comes_gets_the_objects_of_all_servers() {
    let api = api_server();
    uninstall(&api, ManagedKind::ServiceMonitor);
    let running = Running::start(World::on(api).await);
    for name in ["a", "b"] {
        running.put(name, everything());
        running.wait_for_reason(name, "ReplicasUnavailable").await;
    }
    install(&running.api, ManagedKind::ServiceMonitor);
    running
        .wait_for(|api| api.objects_of("ServiceMonitor").len() == 2)
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_secret_replaces_pods() {
    let running = Running::new().await;
    running.put(NAME, everything());
    running.wait_for_reason(NAME, "ReplicasUnavailable").await;
    let annotation = |api: &ApiServer| {
        let deployment = api.get("Deployment", NAMESPACE, CHILD).unwrap();
        let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
        annotations["mcp.litellm.ai/secret-hash"].clone()
    };
    let put = |value: &str| {
        let mut secret = mcp_testkit::objects::secret(
            NAMESPACE,
            "mcp-weather-secrets",
            json!({ "token": value }),
        );
        secret["metadata"]["labels"] = json!({ "mcp.litellm.ai/server": NAME });
        running.api.put(secret);
    };
    put("AAAA");
    sleep(Duration::from_secs(1)).await;
    let before = annotation(&running.api);
    put("BBBB");
    running.wait_for(|api| annotation(api) != before).await;
}

/// Whoever may write statuses cannot make the operator believe, or say, anything.
#[tokio::test(start_paused = true)]
async fn a_status_that_somebody_writes_is_corrected_at_once() {
    let running = Running::new().await;
    running.put(NAME, little());
    running.wait_for_reason(NAME, "ReplicasUnavailable").await;
    sleep(Duration::from_secs(5)).await;
    let available = |api: &ApiServer| {
        let server = api.get("MCPServer", NAMESPACE, NAME).unwrap();
        let conditions = server["status"]["conditions"].as_array().unwrap().clone();
        let found = conditions
            .into_iter()
            .find(|found| found["type"] == "Available");
        found.unwrap()["status"].clone()
    };
    assert_eq!(available(&running.api), "False");
    let began = Instant::now();
    let edited = running.api.edit("MCPServer", NAMESPACE, NAME, |server| {
        for condition in server["status"]["conditions"].as_array_mut().unwrap() {
            condition["status"] = json!("True");
        }
    });
    edited.unwrap();
    running.wait_for(|api| available(api) == "False").await;
    assert!(began.elapsed() < Duration::from_secs(2));
}
