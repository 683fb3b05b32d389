use futures::FutureExt;

use super::*;

impl QueueKey for &'static str {}

const NOW: Duration = Duration::ZERO;

fn due_now<K: QueueKey>(queue: &WorkQueue<K>) -> Vec<K> {
    std::iter::from_fn(|| queue.next().now_or_never()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_key_is_in_it_once_and_comes_out_in_order() {
    let queue = WorkQueue::default();
    for key in ["a", "b", "a", "a"] {
        queue.add(key);
    }
    assert_eq!(due_now(&queue), ["a", "b"]);
    queue.add("a");
    assert_eq!(queue.next().await, "a", "it can be added again");
    queue.add("a");
    queue.add_after("b", Duration::from_secs(1), Priority::Low);
    queue.clear();
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(queue.next().now_or_never(), None);
}

#[tokio::test(start_paused = true)]
async fn the_earlier_of_two_times_counts() {
    let queue = WorkQueue::default();
    let began = Instant::now();
    for (key, seconds) in [("a", 10), ("b", 5), ("a", 20), ("b", 1)] {
        queue.add_after(key, Duration::from_secs(seconds), Priority::Normal);
    }
    assert_eq!(queue.next().await, "b");
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    assert_eq!(queue.next().await, "a");
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    assert_eq!(queue.next().now_or_never(), None);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_added_meanwhile_is_not_waited_past() {
    let queue = WorkQueue::default();
    queue.add_after("late", Duration::from_hours(1), Priority::Normal);
    let adding = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        queue.add("early");
    };
    let (next, ()) = tokio::join!(queue.next(), adding);
    assert_eq!(next, "early");
}

/// Thousands of rollouts that go on do not hold up a new server, nor the other way round.
#[tokio::test(start_paused = true)]
async fn low_priority_comes_after_all_that_is_normal_but_for_one_a_second() {
    let queue = WorkQueue::default();
    for key in ["low 1", "low 2", "low 3"] {
        queue.add_after(key, NOW, Priority::Low);
    }
    assert_eq!(queue.next().await, "low 1");
    for key in ["normal 1", "normal 2", "normal 3"] {
        queue.add(key);
    }
    assert_eq!(queue.next().await, "normal 1");
    tokio::time::advance(LOW_PRIORITY_EVERY).await;
    assert_eq!(due_now(&queue), ["low 2", "normal 2", "normal 3", "low 3"]);
}

#[tokio::test(start_paused = true)]
async fn the_higher_of_two_priorities_counts() {
    let queue = WorkQueue::default();
    queue.add_after("taken", NOW, Priority::Low);
    assert_eq!(queue.next().await, "taken");
    for key in ["a", "b", "c"] {
        queue.add_after(key, NOW, Priority::Low);
    }
    queue.add("c");
    queue.add_after("c", NOW, Priority::Low);
    queue.add_after("d", Duration::from_hours(1), Priority::Normal);
    queue.add_after("d", NOW, Priority::Low);
    assert_eq!(due_now(&queue), ["c", "d", "a", "b"]);
    queue.add_after("a", Duration::from_secs(1), Priority::Low);
    queue.add_after("b", Duration::from_secs(1), Priority::Low);
    queue.add_after("b", Duration::from_hours(1), Priority::Normal);
    tokio::time::advance(Duration::from_millis(999)).await;
    assert_eq!(queue.next().now_or_never(), None);
    queue.add_after("e", NOW, Priority::Low);
    assert_eq!(queue.next().await, "e");
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(due_now(&queue), ["b", "a"]);
}

/// A team that rewrites all its servers in a loop does not hold up the one server of another.
#[tokio::test(start_paused = true)]
async fn namespaces_take_turns() {
    let queue = WorkQueue::default();
    let server = |namespace: &str, number: u32| ServerKey::new(namespace, number.to_string());
    for number in 0..1000 {
        queue.add(server("crowd", number));
    }
    assert_eq!(queue.next().await, server("crowd", 0));
    queue.add_after(
        server("single", 0),
        Duration::from_secs(1),
        Priority::Normal,
    );
    tokio::time::advance(Duration::from_secs(1)).await;
    let next = [queue.next().await, queue.next().await];
    assert!(next.contains(&server("single", 0)), "{next:?}");
    assert_eq!(due_now(&queue).len(), 998);
}

#[tokio::test(start_paused = true)]
async fn what_is_due_is_told_from_what_comes_later() {
    let queue = WorkQueue::default();
    queue.add("a");
    queue.add_after("b", Duration::from_secs(1), Priority::Normal);
    queue.add_after("c", Duration::from_hours(1), Priority::Normal);
    tokio::time::advance(Duration::from_secs(3)).await;
    let state = queue.state();
    assert_eq!((state.due, state.delayed), (2, 1));
    assert_eq!(state.oldest, Duration::from_secs(3));
    assert_eq!(queue.next().await, "a");
    assert_eq!(queue.state().oldest, Duration::from_secs(2));
    queue.clear();
    assert_eq!(queue.state(), QueueState::default());
}
