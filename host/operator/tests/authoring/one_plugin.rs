//! One plugin that is built already: tested, asked, measured, looked at.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, SigningKey};
use serde_json::Value;

use crate::support::{components, mcp_operator};

const SERVER: &str = "apiVersion: mcp.litellm.ai/v1alpha1\nkind: MCPServer\nmetadata: {name: weather}\nspec: {image: {repository: ghcr.io/acme/mcp}}\n";

const CASES: &str = "
- name: a server with a team passes
  manifest: {metadata: {labels: {team: a}}, spec: {image: {repository: a/b}}}
  expect: {findings: []}
- name: a server without one is denied
  file: server.yaml
  expect:
    findings: [{code: team-label, field: 'metadata.labels[team]', type: Required}]
- name: settings that it does not know are refused
  settings: {a: 1}
  file: server.yaml
  expect: {failure: InvalidSettings}
";

/// A folder with the sample rule, as an author has it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let name = "require-team-label";
    let component = folder.path().join(format!("{name}.wasm"));
    fs::copy(components().join("require_team_label.wasm"), component).unwrap();
    let plugin = format!(
        "apiVersion: mcp.litellm.ai/v1alpha1\nkind: MCPPlugin\nmetadata: {{name: {name}}}\nspec: {{source: {{configMap: {{namespace: a, name: b}}}}}}\n"
    );
    write(folder.path(), "plugin.yaml", &plugin);
    write(folder.path(), "server.yaml", SERVER);
    fs::create_dir(folder.path().join("cases")).unwrap();
    write(
        folder.path(),
        "cases/cases.yaml",
        &CASES.replace("server.yaml", "../server.yaml"),
    );
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

#[test]
fn cases_pass_or_say_where_they_differ() {
    let folder = folder();
    let tested = mcp_operator(folder.path(), &["plugin", "test", "--junit", "junit.xml"]);
    assert_eq!(tested.code, Some(0), "{}", tested.all());
    assert!(
        tested
            .stdout
            .ends_with("require-team-label: 3 passed, 0 failed\n"),
        "{}",
        tested.all()
    );
    let junit = fs::read_to_string(folder.path().join("junit.xml")).unwrap();
    assert!(junit.contains("tests=\"3\" failures=\"0\""), "{junit}");

    write(
        folder.path(),
        "cases/cases.yaml",
        &CASES
            .replace("server.yaml", "../server.yaml")
            .replace("team-label,", "team,"),
    );
    let tested = mcp_operator(folder.path(), &["plugin", "test"]);
    assert_eq!(tested.code, Some(1), "{}", tested.all());
    let difference =
        "     findings[0].code\n       expected \"team\"\n       got      \"team-label\"\n";
    assert!(tested.stdout.contains(difference), "{}", tested.all());

    write(
        folder.path(),
        "cases/cases.yaml",
        "- {name: a, manifest: {spec: {imag: {}}}, expect: {findings: []}}",
    );
    let tested = mcp_operator(folder.path(), &["plugin", "test"]);
    assert_eq!(tested.code, Some(2), "{}", tested.all());
    assert!(
        tested.stderr.contains("unknown field \"spec.imag\""),
        "{}",
        tested.all()
    );
}

#[test]
fn a_manifest_is_judged_by_this_plugin_alone_and_check_says_the_same() {
    let folder = folder();
    let ran = mcp_operator(folder.path(), &["plugin", "run", "-f", "server.yaml"]);
    assert_eq!(ran.code, Some(1), "{}", ran.all());
    assert_eq!(
        ran.stdout,
        "default/weather (server.yaml):\n  error: metadata.labels[team]: Required: say which team owns this server, for example `team: payments` [team-label]\n"
    );
    let ran = mcp_operator(
        folder.path(),
        &["plugin", "run", "-f", "server.yaml", "-o", "json"],
    );
    let answers: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(answers[0]["findings"][0]["code"], "team-label");
    let checked = mcp_operator(
        folder.path(),
        &["check", "--plugin", ".", "-f", "server.yaml"],
    );
    assert_eq!(checked.code, Some(1), "{}", checked.all());
    assert!(
        checked
            .stderr
            .contains("metadata.labels[team]: Required value: say which team"),
        "{}",
        checked.all()
    );
}

#[test]
fn a_component_is_described_and_what_is_none_is_told() {
    let folder = folder();
    let said = mcp_operator(folder.path(), &["plugin", "inspect", "-o", "json"]);
    assert_eq!(said.code, Some(0), "{}", said.all());
    let facts: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(facts["world"], "validator-plugin");
    assert_eq!(facts["contract"], "1.0.0");
    assert_eq!(facts["rules"][0]["code"], "team-label");
    assert_eq!(facts["sha256"].as_str().unwrap().len(), 64);
    let imports = facts["imports"].as_array().unwrap();
    // The contract's own types are an import, of which nothing can be called.
    let is_known =
        |name: &str| name.starts_with("wasi:") || name == "mcp-operator:plugin/types@1.0.0";
    assert!(
        imports.iter().all(|name| is_known(name.as_str().unwrap())),
        "{imports:?}"
    );
    write(folder.path(), "text.wasm", "no component");
    let said = mcp_operator(folder.path(), &["plugin", "inspect", "text.wasm"]);
    assert_eq!(said.code, Some(2), "{}", said.all());
    assert!(
        said.stderr.contains("text.wasm: it is no WebAssembly"),
        "{}",
        said.all()
    );
}

#[test]
fn the_signature_beside_a_component_is_told_and_judged() {
    let folder = folder();
    let (mine, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    write(folder.path(), "mine.pub", &mine.public_key_pem());
    write(folder.path(), "other.pub", &other.public_key_pem());
    let inspect = |more: &[&str]| {
        let said = mcp_operator(folder.path(), &[&["plugin", "inspect"], more].concat());
        let line = said
            .stdout
            .lines()
            .find(|line| line.starts_with("signature"));
        (said.code, line.unwrap_or_default().to_owned(), said.all())
    };
    let (code, line, all) = inspect(&[]);
    assert!(code == Some(0) && line.ends_with("none beside it"), "{all}");
    let (code, _, all) = inspect(&["--key", "mine.pub"]);
    assert!(code == Some(1) && all.contains("has no signature"), "{all}");

    let facts = mcp_operator(folder.path(), &["plugin", "inspect", "-o", "json"]);
    let facts: Value = serde_json::from_str(&facts.stdout).unwrap();
    let component = folder.path().join(facts["file"].as_str().unwrap());
    let signature = mine.sign(&fs::read(&component).unwrap()).unwrap();
    let beside = format!("{}.sig", component.display());
    fs::write(&beside, STANDARD.encode(signature)).unwrap();
    let (code, line, all) = inspect(&[]);
    assert!(
        code == Some(0) && line.ends_with("not verified: give --key"),
        "{all}"
    );
    let (code, line, all) = inspect(&["--key", "other.pub", "--key", "mine.pub"]);
    assert!(code == Some(0) && line.contains(".sig, by "), "{all}");
    let (code, _, all) = inspect(&["--key", "other.pub"]);
    assert!(code == Some(1) && all.contains("problem"), "{all}");
    fs::remove_file(beside).unwrap();
}

#[test]
fn a_bench_fails_by_the_limit_that_is_passed() {
    let folder = folder();
    let rules = components().display().to_string();
    let bench = [
        "plugin",
        "bench",
        "--calls",
        "20",
        "--builtin-plugins",
        &rules,
    ];
    let measured = mcp_operator(folder.path(), &bench);
    assert_eq!(measured.code, Some(0), "{}", measured.all());
    assert!(
        measured.stdout.contains("ratio of a call: "),
        "{}",
        measured.all()
    );
    // Of both, beside the whole call.
    for part in ["  call     ", "    instance ", "    answer   "] {
        let lines = measured
            .stdout
            .lines()
            .filter(|line| line.starts_with(part));
        assert_eq!(lines.count(), 2, "{}", measured.all());
    }
    let measured = mcp_operator(
        folder.path(),
        &[&bench[..], &["--max-call-micros", "0"]].concat(),
    );
    assert_eq!(measured.code, Some(1), "{}", measured.all());
    assert!(
        measured.stderr.contains("0 µs are allowed"),
        "{}",
        measured.all()
    );
}

#[test]
fn a_captured_request_is_judged_again_byte_for_byte_the_same() {
    let folder = folder();
    let server = |labels: &str| {
        format!(
            r#"{{"apiVersion":"mcp.litellm.ai/v1alpha1","kind":"MCPServer","metadata":{{"name":"weather","namespace":"tools","labels":{labels}}},"spec":{{"image":{{"repository":"a/b"}}}}}}"#
        )
    };
    let review = |uid: &str, labels: &str| {
        format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"{uid}","operation":"CREATE","userInfo":{{"username":"ann"}},"object":{}}}}}"#,
            server(labels)
        )
    };
    let both = format!(
        "{}\n{}\n",
        review("u-1", "{}"),
        review("u-2", r#"{"team":"a"}"#)
    );
    write(folder.path(), "reviews.json", &both);
    let replay = |more: &[&str]| {
        mcp_operator(
            folder.path(),
            &[&["plugin", "replay", "reviews.json"], more].concat(),
        )
    };
    let said = replay(&["--record", "answers.jsonl"]);
    assert_eq!(said.code, Some(1), "{}", said.all());
    assert!(
        said.stdout
            .contains("tools/weather (u-1):\n  error: metadata.labels[team]: Required:")
            && said.stdout.contains("tools/weather (u-2): nothing to say"),
        "{}",
        said.all()
    );
    let said = replay(&["--compare", "answers.jsonl"]);
    assert_eq!(said.code, Some(0), "{}", said.all());

    // Another rule says something else, and it is shown.
    write(
        folder.path(),
        "reviews.json",
        &both.replace(r#""labels":{}"#, r#""labels":{"team":"b"}"#),
    );
    let said = replay(&["--compare", "answers.jsonl"]);
    assert_eq!(said.code, Some(1), "{}", said.all());
    assert!(
        said.stderr
            .contains(r#"now       {"findings":[],"request":"u-1"}"#),
        "{}",
        said.all()
    );

    write(folder.path(), "reviews.json", "{}");
    let said = replay(&[]);
    assert_eq!(said.code, Some(2), "{}", said.all());
}
