//! The sample rules of `plugins/samples/rules`, as whoever copies them would try them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::support::{Printed, run, run_with};

fn samples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/samples/rules");
    let mut samples: Vec<PathBuf> = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    samples.sort();
    samples
}

fn check(manifest: &Path, policy: &Path) -> Printed {
    let (manifest, policy) = (manifest.to_str().unwrap(), policy.to_str().unwrap());
    run(&["check", "-f", manifest, "--plugins", policy])
}

/// Each has one manifest that it accepts, and one that it refuses in the words of its first lines.
#[test]
fn each_sample_accepts_the_one_and_refuses_the_other() {
    let mut wrong = String::new();
    let samples = samples();
    assert!(samples.len() >= 9, "{samples:?}");
    for sample in samples {
        let policy = sample.join("policy.yaml");
        let accepted = check(&sample.join("accepted.yaml"), &policy);
        if accepted.code != Some(0) || accepted.err.contains("Warning") {
            let _ = writeln!(wrong, "{}: accepted: {accepted:?}", sample.display());
        }
        let refused = sample.join("refused.yaml");
        let manifest = std::fs::read_to_string(&refused).unwrap();
        let refused = check(&refused, &policy);
        let says: Vec<&str> = manifest
            .lines()
            .filter_map(|line| line.strip_prefix("# says: "))
            .collect();
        let is_said = |said: &&str| refused.err.contains(*said);
        if refused.code != Some(1) || says.is_empty() || !says.iter().all(is_said) {
            let _ = writeln!(wrong, "{}: refused: {refused:?}", sample.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

const SERVER: &str = "apiVersion: mcp.litellm.ai/v1alpha1
kind: MCPServer
metadata: {name: a, labels: {team: x}}
spec:
  image: {repository: 123456789012.dkr.ecr.us-east-1.amazonaws.com/a, tag: 1.0.0}
  resources: {limits: {cpu: 1, memory: 64Mi}}
";

fn check_by(settings: &str, builtin: &str) -> Printed {
    let policy = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    let text = format!(
        "apiVersion: mcp.litellm.ai/v1alpha1\nkind: MCPPlugin\nmetadata: {{name: p}}\nspec: {{source: {{builtin: {builtin}}}, settings: {settings}}}\n"
    );
    std::fs::write(policy.path(), text).unwrap();
    let plugins = policy.path().to_str().unwrap();
    run_with(&["check", "-f", "-", "--plugins", plugins], SERVER)
}

fn check_expression(expression: &str) -> Printed {
    let settings =
        serde_json::json!({ "validations": [{ "name": "r", "expression": expression }] });
    check_by(&settings.to_string(), "cel")
}

/// A mistake is found without a server, and names the rule, the place and what is there.
#[test]
fn a_mistake_in_an_expression_is_found_before_it_judges() {
    for (expression, said) in [
        ("object.spec.replicas <=", "rule r: line 1, column "),
        (
            "object.spec.replica <= 3",
            "rule r: object.spec has no field replica; it has ",
        ),
    ] {
        let told = check_expression(expression);
        assert_eq!(told.code, Some(2), "{}", told.err);
        let place = "plugin p: spec.settings";
        for said in [place, "validations[0].expression", said] {
            assert!(told.err.contains(said), "{said}: {}", told.err);
        }
    }
    let module = serde_json::json!({ "modules": [{ "name": "m", "rego": "package m\ndeny[msg] { msg := }" }] });
    let told = check_by(&module.to_string(), "rego");
    assert_eq!(told.code, Some(2), "{}", told.err);
    assert!(told.err.contains("modules[0].rego"), "{}", told.err);
}

/// Digits beyond what a comparison can hold end the call, and nobody can say: they never become the opposite.
#[test]
fn quantities_that_cannot_be_compared_are_not_smaller() {
    let tiny = "0.00000000000000000000000000001";
    let expression = format!("quantity('8Gi').compareTo(quantity('{tiny}')) <= 0");
    assert_eq!(check_expression(&expression).code, Some(2));
    let expression = "quantity('1e128').isLessThan(quantity('4Gi'))";
    assert_eq!(check_expression(expression).code, Some(2));
}

/// Stack, time and memory of a call are those of the host: what takes too much of them fails, and is told.
#[test]
fn an_expression_that_means_harm_ends() {
    let deep = [
        format!("{}true{}", "(".repeat(14), ")".repeat(14)),
        format!("{}1 == 51", "1 + ".repeat(50)),
        format!("{}true{}", "[1].all(x, ".repeat(10), ")".repeat(10)),
        format!("{}true", "false ? false : ".repeat(25)),
        format!("{}true", "false || ".repeat(1000)),
    ];
    for expression in deep {
        let told = check_expression(&expression);
        assert_eq!(told.code, Some(0), "{expression}: {}", told.err);
    }
    let numbers = format!("[{}]", "1,".repeat(200) + "1");
    let slow = format!(
        "{numbers}.all(a, {numbers}.all(b, {numbers}.all(c, {numbers}.all(d, a + b + c + d > 0))))"
    );
    let told = check_expression(&slow);
    assert_eq!(told.code, Some(2), "{}", told.err);
    assert!(told.err.contains("plugin p: "), "{}", told.err);
    assert!(
        told.err.contains("limits.timeoutMilliseconds") || told.err.contains("timeout"),
        "{}",
        told.err
    );
    let large = format!(
        "{numbers}.map(a, {numbers}.map(b, {numbers}.map(c, 'x{}'))).size() == 1",
        "x".repeat(1000)
    );
    let told = check_expression(&large);
    assert_eq!(told.code, Some(2), "{}", told.err);
}
