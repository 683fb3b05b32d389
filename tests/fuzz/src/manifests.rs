//! A file that `mcp-operator check` reads, and what it says about the servers in it.

use std::sync::LazyLock;

use futures::FutureExt;
use mcp_operator_api::names::{API_VERSION, SERVER_KIND};
use mcp_operator_offline::fuzzing::{Checker, manifests};
use serde_json::Value;

use crate::webhook::state;

static CHECKER: LazyLock<Option<Checker>> = LazyLock::new(|| Checker::new(state().clone()).ok());

/// What can be read is read again.
pub(crate) fn run(data: &[u8]) {
    for object in objects(data) {
        assert_read_again(&object);
    }
}

fn objects(data: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(data).unwrap_or_default();
    manifests(text).unwrap_or_default()
}

/// Servers are judged. It takes a hundred times as long as to read them: rules in CEL are asked.
pub(crate) fn check(data: &[u8]) {
    let found = objects(data);
    let is_server =
        |object: &&Value| object["apiVersion"] == API_VERSION && object["kind"] == SERVER_KIND;
    for object in found.iter().filter(is_server) {
        assert_admitted_once_and_for_all(object);
    }
}

/// JSON is YAML: what was read, written as JSON, is read as the same.
fn assert_read_again(object: &Value) {
    let text = object.to_string();
    let is_list = object["kind"]
        .as_str()
        .is_some_and(|kind| kind.ends_with("List"));
    if is_list && object.get("items").is_some() {
        return;
    }
    match manifests(&text) {
        Ok(again) => assert_eq!(again, std::slice::from_ref(object), "{text}"),
        Err(error) => unreachable!("{text} is read, and then it is not: {error:#}"),
    }
}

/// What is admitted is admitted again as it is: who applies a file twice changes nothing.
fn assert_admitted_once_and_for_all(object: &Value) {
    let Some(checker) = &*CHECKER else {
        unreachable!("the operator's own definition can be read");
    };
    let admit = |object: &Value| checker.admit(object).now_or_never();
    match admit(object) {
        None => unreachable!("nothing is waited for"),
        Some(Err(why)) => assert!(!why.is_empty(), "a refusal says why"),
        Some(Ok(admitted)) => assert_eq!(admit(&admitted), Some(Ok(admitted.clone()))),
    }
}
