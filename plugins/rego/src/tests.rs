//! Modules as companies have them, natively.

use mcp_plugin_sdk::{Finding, Operation, Plugin, Request, Severity, Stage, testing};
use serde_json::{Value, json};

use crate::Rego;
use crate::engine::Engine;
use crate::settings::Settings;

/// Gatekeeper's template K8sRequiredLabels, as its library has it.
const REQUIRED_LABELS: &str = r#"
package k8srequiredlabels

get_message(parameters, _default) = _default {
  not parameters.message
}

get_message(parameters, _) = parameters.message

violation[{"msg": msg, "details": {"missing_labels": missing}}] {
  provided := {label | input.review.object.metadata.labels[label]}
  required := {label | label := input.parameters.labels[_].key}
  missing := required - provided
  count(missing) > 0
  def_msg := sprintf("you must provide labels: %v", [missing])
  msg := get_message(input.parameters, def_msg)
}

violation[{"msg": msg}] {
  value := input.review.object.metadata.labels[key]
  expected := input.parameters.labels[_]
  expected.key == key
  # do not match if allowedRegex is not defined, or is an empty string
  expected.allowedRegex != ""
  not regex.match(expected.allowedRegex, value)
  def_msg := sprintf("Label <%v: %v> does not satisfy allowed regex: %v", [key, value, expected.allowedRegex])
  msg := get_message(input.parameters, def_msg)
}
"#;

/// As conftest's users write them, in today's syntax.
const CONFTEST: &str = r#"
package main

import data.lib.images

deny contains msg if {
  images.is_latest(input.spec.image)
  msg := sprintf("%s: name a version", [input.metadata.name])
}

warn contains {"msg": "say how much it needs", "field": "spec.resources.requests"} if not input.spec.resources.requests
"#;
const IMAGES: &str = r"
package lib.images

is_latest(image) if image.tag == data.forbidden[_]
";

fn server() -> Value {
    json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": "weather", "namespace": "tools", "labels": { "team": "Payments" } },
        "spec": { "image": { "repository": "ghcr.io/acme/weather", "tag": "latest" }, "replicas": 2 },
    })
}

fn request() -> Request {
    let namespace = json!({ "name": "tools", "labels": { "env": "prod" }, "annotations": {} });
    let mut request = testing::request_about(&server(), None, &[("namespace", namespace)]);
    request.username = Some("jane".into());
    request
}

fn judge(settings: Value, request: &Request) -> Vec<Finding> {
    let settings: Settings = testing::settings(settings);
    Engine::new(&settings).unwrap().judge(&settings, request)
}

fn one(rego: &str) -> Value {
    json!({ "modules": [{ "name": "r", "rego": rego }] })
}

fn complaints(settings: Value) -> Vec<String> {
    let found = Rego::check_settings(&testing::settings(settings));
    found
        .into_iter()
        .map(|finding| format!("{}: {}", finding.field, finding.message))
        .collect()
}

#[test]
fn a_template_of_gatekeeper_is_used_as_it_is() {
    let with = |labels: Value| json!({ "modules": [{ "name": "required-labels", "rego": REQUIRED_LABELS, "parameters": { "labels": labels } }] });
    let settings = with(json!([{ "key": "owner" }, { "key": "team", "allowedRegex": "^[a-z]+$" }]));
    assert!(complaints(settings.clone()).is_empty());
    let mut found = judge(settings, &request());
    found.sort_by(|a, b| a.message.cmp(&b.message));
    let messages: Vec<&str> = found
        .iter()
        .map(|finding| finding.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "Label <team: Payments> does not satisfy allowed regex: ^[a-z]+$",
            "you must provide labels: {\"owner\"}",
        ]
    );
    assert!(found.iter().all(|finding| finding.code == "required-labels" && finding.severity == Severity::Error));
    assert!(
        judge(
            with(json!([{ "key": "team", "allowedRegex": "^[A-Z]" }])),
            &request()
        )
        .is_empty()
    );
}

#[test]
fn rules_of_conftest_refuse_and_warn() {
    let settings = json!({
        "regoVersion": "v1",
        "modules": [{ "name": "images", "rego": IMAGES }, { "name": "main", "rego": CONFTEST }],
        "data": { "forbidden": ["latest", "main"] },
    });
    assert!(
        complaints(settings.clone()).is_empty(),
        "{:?}",
        complaints(settings)
    );
    let found = judge(settings, &request());
    let told: Vec<(&str, &str, Severity)> = found
        .iter()
        .map(|finding| {
            (
                finding.field.as_str(),
                finding.message.as_str(),
                finding.severity,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("", "weather: name a version", Severity::Error),
            (
                "spec.resources.requests",
                "say how much it needs",
                Severity::Warning
            ),
        ]
    );
}

#[test]
fn a_review_has_what_gatekeepers_has() {
    let rego = r#"
package r
violation[{"msg": "all"}] {
  review := input.review
  review.operation == "CREATE"
  review.kind == {"group": "mcp.litellm.ai", "version": "v1alpha1", "kind": "MCPServer"}
  review.name == "weather"
  review.namespace == "tools"
  review.userInfo.username == "jane"
  review._unstable.namespace.metadata.labels.env == "prod"
  not review.oldObject
}"#;
    assert_eq!(judge(one(rego), &request()).len(), 1);
}

/// A stored server has neither who asks nor what was before: it would be refused for ever.
#[test]
fn modules_about_a_request_are_for_admission() {
    let immutable = r#"
package r
violation[{"msg": "immutable"}] { input.review.object.spec.image != input.review.oldObject.spec.image }
violation[{"msg": "admins"}] { not is_admin }
is_admin { input.review.userInfo.groups[_] == "admins" }"#;
    let mut old = server();
    old["spec"]["image"]["tag"] = json!("1.0.0");
    let mut update = testing::request_about(&server(), Some(&old), &[]);
    update.operation = Operation::Update;
    update.username = Some("jane".into());
    assert_eq!(judge(one(immutable), &update).len(), 2);
    update.username = None;
    let told = judge(one(immutable), &update);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].severity, Severity::Warning);
    assert!(told[0].message.starts_with("was not judged"));
    update.stage = Stage::Reconcile;
    assert!(judge(one(immutable), &update).is_empty());
}

/// The API server keeps it where a field may be null.
#[test]
fn null_is_nothing() {
    let rego = r#"
package r
violation[{"msg": "no digest"}] { not input.review.object.spec.image.digest == "sha256:00" }
violation[{"msg": "null"}] { input.review.object.spec.image.digest == null }"#;
    let mut server = server();
    server["spec"]["image"]["digest"] = Value::Null;
    let found = judge(one(rego), &testing::request_about(&server, None, &[]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "no digest");
}

#[test]
fn so_are_modules_that_ask_others_about_a_request() {
    let rule = r#"
package r
import data.lib.users
violation[{"msg": "admins # only"}] { not users.is_admin }"#;
    let library = r#"
package lib.users
is_admin { "a # b" != ""; input.review.userInfo.groups[_] == "admins" }"#;
    let settings =
        json!({ "modules": [{ "name": "r", "rego": rule }, { "name": "lib", "rego": library }] });
    let mut stored = request();
    stored.stage = Stage::Reconcile;
    assert!(judge(settings, &stored).is_empty());
}

/// As in OPA; what fails otherwise refuses.
#[test]
fn a_function_that_fails_is_undefined() {
    let rego = r#"
package r
violation[{"msg": "no"}] { to_number(input.review.object.spec.image.tag) > 1 }
violation[{"msg": "yes"}] { not to_number(input.review.object.spec.image.tag) }"#;
    let found = judge(one(rego), &request());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "yes");
    let conflict =
        "package r\nviolation[{\"msg\": x}] { x := f(1) }\nf(x) = 1 { x > 0 }\nf(x) = 2 { x > 0 }";
    let found = judge(one(conflict), &request());
    assert!(
        found[0]
            .message
            .starts_with("the rules of r cannot be evaluated: "),
        "{found:?}"
    );
}

#[test]
fn mistakes_are_found_before_anything_is_judged() {
    for (settings, expected) in [
        (json!({}), "modules: give the modules"),
        (
            one("package r\nviolation[{\"msg\": msg}] { msg := "),
            "modules[0].rego: ",
        ),
        (
            one("package r\nviolation[{\"msg\": msg}] { x := 1 }"),
            "modules[0].rego: ",
        ),
        (
            one("package r\nallow { true }"),
            "modules: none of them has a rule violation, deny or warn",
        ),
        (
            one("package r\ndeny[msg] { http.send({}).x; msg := \"\" }"),
            "modules[0].rego: ",
        ),
        (
            one("package r\ndeny[msg] { nothing.like.this(1); msg := \"\" }"),
            "modules[0].rego: ",
        ),
        (one(CONFTEST), "modules[0].rego: "),
        (
            json!({ "modules": [{ "name": "A", "rego": "package a" }, { "name": "A", "rego": "package a" }] }),
            "modules[1].name: is the name of another module",
        ),
    ] {
        let found = complaints(settings);
        assert!(
            found.iter().any(|found| found.starts_with(expected)),
            "{expected}: {found:?}"
        );
    }
}
