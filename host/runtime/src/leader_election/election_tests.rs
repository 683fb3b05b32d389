use std::sync::Arc;

use mcp_testkit::{ApiServer, Failure, Match, Times, Verb};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;

const DURATION: Duration = Duration::from_secs(1);

/// A replica that takes part.
struct Replica {
    leadership: Leadership,
    finished: CancellationToken,
    task: JoinHandle<()>,
}

fn replica(api: &ApiServer, name: &str) -> Replica {
    let settings = ElectionSettings {
        namespace: "operator".into(),
        replica: name.into(),
        duration: DURATION,
    };
    let election = Election::new(api.client(), settings);
    let finished = CancellationToken::new();
    Replica {
        leadership: election.leadership(),
        task: tokio::spawn(election.run(finished.clone())),
        finished,
    }
}

impl Replica {
    async fn leads(&self) {
        let acquired = self.leadership.acquired();
        timeout(Duration::from_secs(10), acquired).await.unwrap();
    }

    async fn loses(&self) {
        let mut changes = self.leadership.changes();
        let lost = changes.wait_for(|term| !term.is_leader());
        timeout(Duration::from_secs(10), lost)
            .await
            .unwrap()
            .unwrap();
    }
}

fn lease_writes(api: &ApiServer) -> usize {
    let requests = api.requests();
    let of_lease = requests.iter().filter(|request| request.kind == "Lease");
    of_lease
        .filter(|request| [Verb::Create, Verb::Replace].contains(&request.verb))
        .count()
}

#[tokio::test]
async fn one_leads_and_its_successor_follows_at_once_when_it_stops() {
    let api = ApiServer::new();
    let first = replica(&api, "first");
    first.leads().await;
    let second = replica(&api, "second");
    api.wait_for(|api| lease_writes(api) > 3).await.unwrap();
    assert!(first.leadership.is_held() && !second.leadership.is_held());
    first.finished.cancel();
    let began = Instant::now();
    second.leads().await;
    assert!(began.elapsed() < DURATION / 2, "it was told");
    first.task.await.unwrap();
    assert!(!first.leadership.is_held());
}

#[tokio::test]
async fn after_a_crash_the_whole_lease_is_waited_for() {
    let api = ApiServer::new();
    let first = replica(&api, "first");
    first.leads().await;
    let second = replica(&api, "second");
    let writes = lease_writes(&api);
    api.wait_for(|api| lease_writes(api) > writes)
        .await
        .unwrap();
    first.task.abort();
    let began = Instant::now();
    second.leads().await;
    // From its last renewal on, which was a moment ago.
    assert!(began.elapsed() > DURATION * 2 / 3);
    assert!(!first.leadership.is_held(), "by the clock");
}

#[tokio::test]
async fn who_cannot_renew_it_loses_it_before_others_may_have_it_and_gets_it_again() {
    let api = ApiServer::new();
    let first = replica(&api, "first");
    first.leads().await;
    let renewals = Match::verb(Verb::Replace).kind("Lease");
    api.fail(renewals, Failure::internal("no"), Times::Always);
    let began = Instant::now();
    first.loses().await;
    assert!(began.elapsed() < DURATION);
    api.heal();
    first.leads().await;
}

#[tokio::test]
async fn two_that_begin_together_have_one_leader() {
    for _ in 0..5 {
        let api = ApiServer::new();
        let replicas: Arc<[Replica]> = ["a", "b", "c"].map(|name| replica(&api, name)).into();
        api.wait_for(|api| lease_writes(api) > 4).await.unwrap();
        let held = replicas.iter().filter(|it| it.leadership.is_held()).count();
        assert_eq!(held, 1);
        replicas.iter().for_each(|replica| replica.task.abort());
    }
}
