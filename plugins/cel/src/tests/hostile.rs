//! Expressions of somebody who means harm, or whose cat walked over the keyboard.

use proptest::prelude::*;
use serde_json::json;

use super::{refusals, request, server};
use crate::{check, settings::Settings};

fn settings(expression: &str) -> serde_json::Value {
    json!({ "validations": [{ "expression": expression, "messageExpression": expression }] })
}

#[test]
fn what_is_too_deep_or_too_long_is_refused_before_it_is_used() {
    let deep = [
        format!("{}true{}", "(".repeat(2000), ")".repeat(2000)),
        format!("{}true", "!(".repeat(301)),
        format!("{}1 == 1", "1 + ".repeat(3000)),
        format!("has(object{})", ".a".repeat(200)),
        format!("{}true{}", "[1].all(x, ".repeat(60), ")".repeat(60)),
        format!("{}true", "true ? true : ".repeat(300)),
        format!("{}true", "true || ".repeat(3000)),
    ];
    for expression in deep {
        let parsed: Settings = mcp_plugin_sdk::testing::settings(settings(&expression));
        let found = check::check(&parsed);
        assert!(!found.is_empty(), "{}", &expression[..40]);
    }
}

/// What is just not too deep is evaluated. Frames of an unoptimised build are several times as large as those of the
/// component, whose stack the offline tests of the operator look after.
#[test]
fn what_is_deep_ends() {
    let thread = std::thread::Builder::new().stack_size(32 << 20);
    thread.spawn(deep_expressions).unwrap().join().unwrap();
}

fn deep_expressions() {
    for expression in [
        format!("{}true{}", "(".repeat(14), ")".repeat(14)),
        format!("{}true{}", "!(".repeat(12), ")".repeat(12)),
        format!("{}1 == 51", "1 + ".repeat(50)),
        format!("{}true{}", "[1].all(x, ".repeat(10), ")".repeat(10)),
        format!("{}true", "false ? false : ".repeat(25)),
        format!("{}true", "false || ".repeat(1000)),
    ] {
        let settings = settings(&expression);
        let found = check::check(&mcp_plugin_sdk::testing::settings(settings.clone()));
        assert!(found.is_empty(), "{found:?}");
        assert!(
            refusals(settings, &request(&server())).is_empty(),
            "{expression}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is written: an answer, and no panic, which would be the plugin's fault and not the author's.
    #[test]
    fn nothing_panics(tokens in prop::collection::vec(prop::sample::select(TOKENS), 1..12)) {
        let expression = tokens.concat();
        let settings = settings(&expression);
        let parsed: Settings = mcp_plugin_sdk::testing::settings(settings.clone());
        check::check(&parsed);
        refusals(settings, &request(&server()));
    }
}

const TOKENS: &[&str] = &[
    "object",
    ".spec",
    ".image",
    "['tag']",
    ".?tag",
    "[?0]",
    ".labels",
    "oldObject",
    "variables",
    "cel.bind(x, ",
    "has(",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "'a'",
    "1",
    "2u",
    "-1.5",
    "null",
    "true",
    "b'x'",
    " + ",
    " - ",
    " == ",
    " != ",
    " < ",
    " in ",
    " && ",
    " || ",
    " ? ",
    " : ",
    "!",
    "-",
    ", ",
    ".all(x, ",
    ".exists(x, ",
    ".map(x, ",
    "x",
    "size(",
    ".matches('a')",
    ".find('(')",
    "quantity('1')",
    ".isLessThan(",
    "ip('::1')",
    ".contains(",
    "math.abs(",
    "sets.contains(",
    ".sum()",
    ".orValue(",
    "optional.none()",
    "type(",
    "duration('1s')",
    "timestamp('x')",
    "A{b: ",
    ".format([",
    "string(",
    "int(",
];
