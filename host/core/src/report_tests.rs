use super::*;
use crate::admission::Excepted;

fn violation(field: &str, mode: Mode, standing: Standing) -> Violation {
    Violation {
        plugin: "rule".into(),
        mode,
        code: "owner".into(),
        field: field.into(),
        message: format!("{field}: Required value: say who"),
        standing,
    }
}

fn broken(field: &str, mode: Mode) -> Violation {
    violation(field, mode, Standing::Broken)
}

fn server(name: &str, violations: Vec<Violation>) -> Violator {
    Violator {
        name: name.into(),
        uid: Some(format!("uid-{name}")),
        violations: violations.into(),
    }
}

/// The value of a member of each result.
fn each(report: &Value, member: &str) -> Vec<String> {
    let results = report["results"].as_array().unwrap().iter();
    results
        .map(|result| result[member].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn names(report: &Value) -> Vec<String> {
    let results = report["results"].as_array().unwrap().iter();
    results
        .filter_map(|result| result["resources"][0]["name"].as_str())
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_report_is_as_openreports_has_it() {
    let excepted = Standing::Excepted(Excepted {
        owner: "ann".into(),
        until: "2027-01-31T00:00:00Z".into(),
    });
    let servers = [
        server("a", vec![broken("spec.a", Mode::Enforce)]),
        server("b", vec![violation("spec.b", Mode::Enforce, excepted)]),
    ];
    let resource = |name: &str| json!([{ "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "namespace": "tools", "name": name, "uid": format!("uid-{name}") }]);
    let expected = json!({
        "apiVersion": "openreports.io/v1alpha1", "kind": "Report",
        "metadata": {
            "name": "mcp-operator", "namespace": "tools",
            "labels": { "app.kubernetes.io/managed-by": "mcp-operator" },
        },
        "source": "mcp-operator",
        "scope": { "apiVersion": "v1", "kind": "Namespace", "name": "tools" },
        "configuration": { "limits": { "maxResults": 300 } },
        "summary": { "pass": 0, "fail": 1, "warn": 0, "error": 0, "skip": 1 },
        "results": [
            {
                "policy": "rule", "rule": "owner", "result": "fail", "scored": true,
                "message": "spec.a: Required value: say who", "resources": resource("a"),
                "properties": { "mode": "enforce", "field": "spec.a" },
            },
            {
                "policy": "rule", "rule": "owner", "result": "skip",
                "message": "spec.b: Required value: say who", "resources": resource("b"),
                "properties": {
                    "mode": "enforce", "field": "spec.b", "owner": "ann", "until": "2027-01-31T00:00:00Z",
                },
            },
        ],
    });
    assert_eq!(report("tools", &servers), expected);
}

/// A rule that does not enforce yet is not scored, and a plugin that a server makes fail has not judged it.
#[test]
fn what_a_result_is_follows_from_the_mode() {
    let servers = [server(
        "a",
        vec![
            violation("spec", Mode::Audit, Standing::Unjudged),
            broken("spec", Mode::Audit),
            broken("spec", Mode::Warn),
            broken("spec", Mode::Enforce),
        ],
    )];
    let report = report("tools", &servers);
    assert_eq!(each(&report, "result"), ["fail", "warn", "warn", "error"]);
    let summary = json!({ "pass": 0, "fail": 1, "warn": 2, "error": 1, "skip": 0 });
    assert_eq!(report["summary"], summary);
    let scored = |index: usize| report["results"][index]["scored"].as_bool();
    assert_eq!(
        [scored(0), scored(1), scored(3)],
        [Some(true), None, None],
        "{report}"
    );
}

/// One that is not stored yet has no uid, and a finding may be about all of it.
#[test]
fn what_is_not_known_is_left_out() {
    let servers = [Violator {
        uid: None,
        ..server("a", vec![broken("", Mode::Warn)])
    }];
    let report = report("tools", &servers);
    let result = &report["results"][0];
    assert!(result["resources"][0].get("uid").is_none());
    assert_eq!(result["properties"], json!({ "mode": "warn" }));
}

#[test]
fn a_namespace_full_of_violations_has_a_report_that_can_be_stored() {
    let long = "\u{1f980}\n".repeat(10_000);
    let violation = Violation {
        code: long.clone(),
        message: long.clone(),
        ..broken(&long, Mode::Enforce)
    };
    let name = "n".repeat(253);
    let servers = vec![server(&name, vec![violation; 8]); 1000];
    let report = report(&"s".repeat(63), &servers);
    assert_eq!(report["results"].as_array().unwrap().len(), MOST_RESULTS);
    assert!(report.to_string().len() < 1_000_000);
    assert_eq!(report["summary"]["fail"], 8000);
    let last = &report["results"][MOST_RESULTS - 1];
    assert_eq!(
        last["message"],
        "and 7701 more results, of 1000 servers; the summary counts all"
    );
    assert!(last.get("resources").is_none());
    assert_eq!(last["result"], "fail");
}

/// One server with many faults hides no other, and no exception hides a fault.
#[test]
fn every_server_is_shown_before_one_is_shown_twice_and_the_worst_of_each() {
    let many = (0..400).map(|index| broken(&format!("f{index}"), Mode::Audit));
    let mut servers = vec![server("a", many.collect())];
    let excepted = Standing::Excepted(Excepted {
        owner: "ann".into(),
        until: "2027-01-31T00:00:00Z".into(),
    });
    for index in 0..200 {
        let violations = vec![
            violation("a", Mode::Warn, excepted.clone()),
            broken("b", Mode::Warn),
        ];
        servers.push(server(&format!("b{index:03}"), violations));
    }
    let report = report("tools", &servers);
    let mut shown = names(&report);
    assert!(shown.is_sorted(), "by server");
    shown.dedup();
    assert_eq!(shown.len(), 201);
    let skipped = each(&report, "result");
    let skipped = skipped.iter().filter(|word| *word == "skip").count();
    assert_eq!(skipped, 299 - 201 - 1, "all but the second of a");
    assert_eq!(report["summary"]["skip"], 200);
    let again = super::report("tools", &servers);
    assert_eq!(report, again);
}

#[test]
fn what_just_fits_is_not_cut() {
    let servers: Vec<Violator> = (0..MOST_RESULTS)
        .map(|index| server(&format!("s{index:03}"), vec![broken("a", Mode::Warn)]))
        .collect();
    let report = report("tools", &servers);
    assert_eq!(names(&report).len(), MOST_RESULTS);
}
