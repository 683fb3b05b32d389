use super::*;

fn published(behind: &[&str]) -> Published {
    Published {
        behind: behind.iter().map(ToString::to_string).collect(),
        ..Published::from(Arc::<Snapshot>::default())
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_revision_is_waited_for_and_then_judged_by_what_is_in_force() {
    let (sender, snapshots) = Snapshots::channel();
    sender.publish(published(&[]));
    let (began, current) = (Instant::now(), snapshots.current());
    let known = snapshots.to_go_on(current.revision()).await.unwrap();
    assert_eq!(known.revision(), current.revision());
    assert_eq!(
        began.elapsed(),
        Duration::ZERO,
        "what is known does not wait"
    );
    let unknown = snapshots.to_go_on("never heard of").await.unwrap();
    assert_eq!(unknown.revision(), current.revision());
    assert_eq!(began.elapsed(), PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn who_lacks_what_is_in_force_does_not_judge() {
    let (sender, snapshots) = Snapshots::channel();
    sender.publish(published(&["rule"]));
    assert!(snapshots.is_behind());
    let behind = Behind(vec!["rule".to_owned()]);
    assert_eq!(snapshots.to_begin().await.err(), Some(behind.clone()));
    assert_eq!(snapshots.to_go_on("new").await.err(), Some(behind));
    let here = snapshots.current();
    assert!(
        snapshots.to_go_on(here.revision()).await.is_ok(),
        "begun by a replica like this"
    );
    let news = async {
        tokio::time::sleep(PATIENCE / 2).await;
        sender.publish(published(&[]));
    };
    let (begun, ()) = tokio::join!(snapshots.to_begin(), news);
    assert!(begun.is_ok() && !snapshots.is_behind());
}

/// The next leader of an upgrade has plugins in force that come with its image, and not with this one.
#[tokio::test(start_paused = true)]
async fn who_ends_judges_by_what_it_has() {
    let (sender, snapshots) = Snapshots::channel();
    sender.publish(published(&["rule"]));
    let began = Instant::now();
    let (begun, unknown, ()) = tokio::join!(
        snapshots.to_begin(),
        snapshots.to_go_on("of the next leader"),
        async {
            tokio::time::sleep(PATIENCE / 2).await;
            snapshots.clone().drain();
        }
    );
    assert!(begun.is_ok() && unknown.is_ok());
    assert_eq!(began.elapsed(), PATIENCE / 2, "whoever waits is answered");
    assert!(!snapshots.is_behind());
    sender.publish(published(&["rule", "another"]));
    assert!(snapshots.to_begin().await.is_ok());
    assert!(snapshots.to_go_on("of the next leader").await.is_ok());
    assert_eq!(began.elapsed(), PATIENCE / 2, "nobody waits any more");
}
