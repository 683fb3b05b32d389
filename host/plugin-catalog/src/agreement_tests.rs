use serde_json::{Value, json};

use super::*;

fn version(digest: &str, generation: i64) -> Version {
    Version {
        digest: digest.to_owned(),
        generation,
    }
}

fn agreement(status: Value) -> Option<Agreement> {
    let plugin = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin",
        "metadata": { "name": "rule", "generation": 2 },
        "spec": { "source": { "builtin": "rule" } }, "status": status,
    });
    Agreement::of(&serde_json::from_value(plugin).unwrap())
}

fn said(digest: Option<&str>, observed: i64, ready: &str) -> Option<Agreement> {
    agreement(json!({
        "digest": digest, "observedGeneration": observed,
        "conditions": [{
            "type": "Ready", "status": ready, "reason": "Because", "message": "of this",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    }))
}

#[test]
fn nobody_has_agreed_before_a_leader_has_looked() {
    assert_eq!(agreement(Value::Null), None);
    assert_eq!(agreement(json!({ "observedGeneration": -1 })), None);
    assert_eq!(agreement(json!({ "digest": "sha256:a" })), None);
}

/// What is agreed, what is in force here, what is loaded; whether that comes into force, and whether this replica lacks
/// something afterwards.
struct Case(
    &'static str,
    Option<Agreement>,
    Option<Version>,
    Version,
    bool,
    bool,
);

impl Case {
    fn check(self) {
        let Self(case, agreed, in_force, loaded, comes, lacks) = self;
        let follows = follows(agreed.as_ref(), in_force.as_ref(), &loaded);
        assert_eq!(follows, comes, "{case}");
        let then = if follows { Some(loaded) } else { in_force };
        let is_behind = agreed.is_some_and(|agreed| agreed.is_ahead_of(then.as_ref()));
        assert_eq!(is_behind, lacks, "{case}");
    }
}

#[rustfmt::skip]
#[test]
fn what_the_leader_has_comes_into_force() {
    let (old, new) = (|| version("a", 1), || version("b", 1));
    let tightened = || version("a", 2);
    let cases = [
        Case("nobody leads, nothing is in force", None, None, new(), true, false),
        Case("nobody leads, something is", None, Some(old()), new(), false, false),
        Case("the leader is not there yet", said(Some("a"), 1, "True"), Some(old()), new(), false, false),
        Case("the leader has it", said(Some("b"), 1, "True"), Some(old()), new(), true, false),
        Case("the leader has it already", said(Some("b"), 1, "True"), None, new(), true, false),
        Case("a new specification here first", said(Some("a"), 1, "True"), Some(old()), tightened(), false, false),
        Case("a new specification there first", said(Some("a"), 2, "True"), Some(old()), old(), false, true),
        Case("a new specification on both", said(Some("a"), 2, "True"), Some(old()), tightened(), true, false),
        Case("the leader could not load it", said(Some("a"), 1, "False"), Some(old()), new(), false, false),
        Case("nor its specification", said(Some("a"), 2, "False"), Some(old()), tightened(), false, false),
        Case("after a restart here", said(Some("a"), 2, "False"), None, tightened(), true, false),
        Case("the leader has none", said(None, 1, "False"), None, new(), false, false),
        Case("something else is in force here", said(Some("c"), 1, "True"), Some(old()), new(), false, true),
        Case("and nothing", said(Some("c"), 1, "True"), None, new(), false, true),
        Case("it has it in force", said(Some("b"), 1, "True"), Some(new()), new(), false, false),
    ];
    for case in cases {
        case.check();
    }
}
