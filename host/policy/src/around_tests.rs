use super::*;

#[derive(Debug)]
struct Plugin {
    name: &'static str,
    revision: String,
    judges: bool,
}

impl Member for Plugin {
    fn name(&self) -> &str {
        self.name
    }

    fn priority(&self) -> i32 {
        0
    }

    fn revision(&self) -> &str {
        &self.revision
    }

    fn judges(&self) -> bool {
        self.judges
    }
}

fn plugin(name: &'static str, version: u8) -> Arc<Plugin> {
    Arc::new(Plugin {
        name,
        revision: format!("{name}-{version}"),
        judges: name != "registrar",
    })
}

fn found(around: &Around<Plugin>, current: &[Arc<Plugin>], wanted: &[Arc<Plugin>]) -> bool {
    let found = around.find(current, &revision(wanted));
    let shown = |set: &[Arc<Plugin>]| set.iter().map(|it| it.revision.clone()).collect::<Vec<_>>();
    found.is_some_and(|found| shown(&found) == shown(wanted))
}

/// A replica goes from one set to another in one step; others go through what lies between.
#[tokio::test(start_paused = true)]
async fn every_set_between_two_is_known_for_a_while() {
    let (a, b, c) = (plugin("a", 1), plugin("b", 1), plugin("c", 1));
    let before = [a.clone(), b.clone()];
    let (a2, b2) = (plugin("a", 2), plugin("b", 2));
    let now = [a2.clone(), b2.clone(), c.clone()];
    let mut around = Around::default();
    around.replace(Some(&before), &now, Vec::new());
    let sets = [
        vec![a.clone(), b.clone()],
        vec![a2.clone(), b.clone()],
        vec![a.clone(), b2.clone()],
        vec![a.clone(), b.clone(), c.clone()],
        vec![a2.clone(), b2.clone()],
    ];
    for set in &sets {
        assert!(found(&around, &now, set), "{set:?}");
    }
    assert!(
        !found(&around, &now, &[a.clone(), c]),
        "b was never missing"
    );
    tokio::time::advance(REMEMBERED).await;
    for set in &sets {
        assert!(!found(&around, &now, set), "{set:?}");
    }
    assert!(around.forget());
    assert!(!around.forget());
}

#[tokio::test(start_paused = true)]
async fn what_is_staged_is_known_until_something_else_is() {
    let (a, a2, a3) = (plugin("a", 1), plugin("a", 2), plugin("a", 3));
    let now = [a.clone()];
    let mut around = Around::default();
    around.replace(None, &now, vec![a2.clone()]);
    tokio::time::advance(REMEMBERED * 2).await;
    assert!(found(&around, &now, std::slice::from_ref(&a2)));
    assert!(!found(&around, &now, &[]), "it was always there");
    around.replace(Some(&now), &now, vec![a3.clone()]);
    assert!(
        found(&around, &now, std::slice::from_ref(&a2)),
        "for a while"
    );
    assert!(found(&around, &now, std::slice::from_ref(&a3)));
    around.remember(plugin("a", 4));
    assert!(found(&around, &now, &[plugin("a", 4)]));
    tokio::time::advance(REMEMBERED).await;
    assert!(!found(&around, &now, &[a2]));
    assert!(found(&around, &now, &[a3]));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_taken_away_is_known_for_a_while() {
    let (a, b) = (plugin("a", 1), plugin("b", 1));
    let mut around = Around::default();
    let (before, now) = ([a.clone(), b], [a]);
    around.replace(Some(&before), &now, Vec::new());
    assert!(found(&around, &now, &before));
}

#[tokio::test(start_paused = true)]
async fn what_was_replaced_does_not_fill_the_memory() {
    let mut around = Around::default();
    let mut now = vec![plugin("a", 0)];
    for version in 1..100 {
        let next = vec![plugin("a", version)];
        around.replace(Some(&now), &next, Vec::new());
        around.replace(Some(&next), &next, Vec::new());
        now = next;
    }
    assert_eq!(around.remembered.len(), MOST);
    assert!(found(&around, &now, &[plugin("a", 98)]));
}

/// A registrar has no say in requests.
#[test]
fn only_those_that_judge_make_the_revision() {
    let (a, b) = (plugin("a", 1), plugin("registrar", 1));
    assert_eq!(
        revision(&[a.clone(), b]),
        revision(&[a.clone(), plugin("registrar", 2)])
    );
    assert_ne!(revision(&[a]), revision(&[plugin("a", 2)]));
}
