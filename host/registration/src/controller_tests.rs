use std::sync::Arc;
use std::time::Duration;

use mcp_operator_core::registration_basis::RegistrationBasis;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::{NamedWatches, Supervisor};
use mcp_testkit::ApiServer;

use super::*;
use crate::test_cluster::{admit, put_serving, reconciler, serving};
use crate::test_registrars::{FakeRegistrars, HeldUp, lock};

fn wakeups<W: Registrars, S>(server: &ApiServer, reconciler: &Reconciler<W, S>) -> Wakeups {
    let (rotated, tasks) = (WorkQueue::default(), Supervisor::default().tasks());
    Wakeups {
        servers: reconciler.servers.clone(),
        judged: reconciler.judged.changes(),
        snapshots: Snapshots::channel().1,
        namespace: "operator".to_owned(),
        secrets: NamedWatches::new(server.client(), tasks, "Secret", rotated.clone()),
        rotated,
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_the_present_step_and_for_no_other() {
    let server = ApiServer::new();
    server.put(serving("weather"));
    let held_up = Arc::<HeldUp>::default();
    let registrars = FakeRegistrars {
        held_up: Some(held_up.clone()),
        ..FakeRegistrars::default()
    };
    registrars.set_candidates(&["a1"]);
    let mut reconciler = reconciler(&server, registrars).await;
    let mut wakeups = wakeups(&server, &reconciler);
    let stop = reconciler.stop.clone();
    let stopping = async {
        held_up.begun.notified().await;
        server.clear_log();
        stop.cancel();
        server.idle().await;
        held_up.released.notify_one();
    };
    tokio::join!(run_passes(&mut reconciler, &mut wakeups), stopping);
    assert_eq!(*lock(&reconciler.registrars.registrations), ["a1"]);
    assert_eq!(server.writes(), [], "no status after the step");
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_pause_between_passes() {
    let server = ApiServer::new();
    let mut reconciler = reconciler(&server, FakeRegistrars::default()).await;
    let mut wakeups = wakeups(&server, &reconciler);
    let stop = reconciler.stop.clone();
    let stopping = async {
        server.idle().await;
        stop.cancel();
    };
    let began = tokio::time::Instant::now();
    tokio::join!(run_passes(&mut reconciler, &mut wakeups), stopping);
    assert!(began.elapsed() < reconciler.settings.resync);
}

#[tokio::test(start_paused = true)]
async fn a_new_server_begins_a_pass() {
    let server = ApiServer::new();
    let registrars = FakeRegistrars::default();
    registrars.set_candidates(&["a1"]);
    let mut reconciler = reconciler(&server, registrars).await;
    let mut wakeups = wakeups(&server, &reconciler);
    let (stop, reconciler_judged) = (reconciler.stop.clone(), reconciler.judged.clone());
    let arriving = async {
        server.idle().await;
        put_serving(&server, &reconciler_judged, "weather");
        let is_registered = |server: &ApiServer| {
            let weather = server
                .get("MCPServer", "tools", "weather")
                .unwrap_or_default();
            weather["status"]["litellm"]["name"] == "weather"
        };
        server.wait_for(is_registered).await.unwrap();
        stop.cancel();
    };
    tokio::join!(run_passes(&mut reconciler, &mut wakeups), arriving);
}

/// A server that breaks a rule must not be registered because the operator was just started.
#[tokio::test(start_paused = true)]
async fn nothing_is_registered_before_the_controller_has_been_at_all_servers() {
    let server = ApiServer::new();
    for name in ["a", "b"] {
        server.put(serving(name));
    }
    let reconciler = reconciler(&server, FakeRegistrars::default()).await;
    let (servers, judged) = (&reconciler.servers, &JudgedServers::default());
    let mut waiting = Box::pin(wait_until_judged(servers, judged));
    assert!(futures::poll!(&mut waiting).is_pending());
    admit(&server, judged, "a");
    assert!(futures::poll!(&mut waiting).is_pending());
    let guarded = servers.all();
    let other = guarded
        .iter()
        .find(|server| ServerKey::of(&***server).name == "b");
    judged.record_basis(
        other.unwrap().readable().unwrap(),
        RegistrationBasis::Unknown,
    );
    waiting.await;
}

/// A swap and a new key wait neither for the next look at the gateway nor until a service wants to be asked again.
#[tokio::test(start_paused = true)]
async fn other_plugins_and_another_key_begin_a_pass() {
    let server = ApiServer::new();
    let (sender, snapshots) = Snapshots::channel();
    let reconciler = reconciler(&server, FakeRegistrars::default()).await;
    let mut wakeups = Wakeups {
        snapshots,
        ..wakeups(&server, &reconciler)
    };
    let pause = Duration::from_secs(30);
    let begins = async |wakeups: &mut Wakeups| timeout(pause, wakeups.changed()).await.is_ok();
    assert!(begins(&mut wakeups).await, "the first list");
    assert!(!begins(&mut wakeups).await, "nothing has changed");
    sender.publish(Arc::default());
    assert!(begins(&mut wakeups).await);
    wakeups.rotated.add(("litellm".into(), "key".into()));
    assert!(begins(&mut wakeups).await);
    assert!(!begins(&mut wakeups).await, "each change begins one");
}
