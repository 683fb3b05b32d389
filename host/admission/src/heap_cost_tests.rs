use std::alloc::Layout;
use std::time::{Duration, Instant};

use futures::FutureExt;
use mcp_operator_policy::{Snapshot, Snapshots};
use mcp_testkit::{CountingAllocator, most_during};

use super::*;
use crate::routes::tests::state;
use crate::{handlers, review};

/// As a usual allocator rounds it.
fn rounded(layout: Layout) -> usize {
    ((layout.size() + 23) & !15).max(32)
}

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator::new(rounded);

/// A review of a server that breaks a rule: of an update, the stored object is judged then, too.
fn body(part: &str, is_update: bool) -> Vec<u8> {
    let invalid = if part.contains("egress") {
        ""
    } else {
        r#","networkPolicy":{"egress":[{"cidr":"x"}]}"#
    };
    let object = format!(
        r#"{{"apiVersion":"mcp.litellm.ai/v1alpha1","kind":"MCPServer","metadata":{{"name":"a","namespace":"tools"}},"spec":{{"image":{{"repository":"a/b"}},{part}{invalid}}}}}"#
    );
    let old = if is_update {
        format!(r#","oldObject":{object}"#)
    } else {
        String::new()
    };
    let operation = if is_update { "UPDATE" } else { "CREATE" };
    format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"1","operation":"{operation}","name":"a","namespace":"tools","userInfo":{{}},"dryRun":false,"kind":{{"group":"mcp.litellm.ai","version":"v1alpha1","kind":"MCPServer"}},"resource":{{"group":"mcp.litellm.ai","version":"v1alpha1","resource":"mcpservers"}},"object":{object}{old}}}}}"#
    )
    .into_bytes()
}

/// So many bytes of the same.
fn many(piece: &str) -> String {
    vec![piece; (200 << 10) / (piece.len() + 1)].join(",")
}

fn members(value: &str) -> String {
    let count = (200 << 10) / (value.len() + 9);
    let members: Vec<String> = (0..count)
        .map(|number| format!(r#""{number:05}":{value}"#))
        .collect();
    members.join(",")
}

/// Shapes of JSON that take much more memory than text.
fn shapes() -> Vec<(&'static str, String)> {
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(100), close.repeat(100));
    let config = |value: String| format!(r#""config":{{"a":{value}}}"#);
    let list = |piece: &str| config(format!("[{}]", many(piece)));
    vec![
        ("a text", config(format!("\"{}\"", "x".repeat(200 << 10)))),
        (
            "escapes",
            config(format!("\"{}\"", r"\u0001".repeat(30_000))),
        ),
        ("numbers", list("0")),
        ("texts", list(r#""x""#)),
        ("empty texts", list(r#""""#)),
        ("lists", list("[0]")),
        ("empty objects", list("{}")),
        ("objects", list(r#"{"":0}"#)),
        ("objects of objects", list(r#"{"":{"":0}}"#)),
        ("nested lists", list(&nested("[", "]"))),
        (
            "nested objects",
            list(&format!("{}0{}", r#"{"":"#.repeat(100), "}".repeat(100))),
        ),
        ("members", format!(r#""config":{{{}}}"#, members("0"))),
        (
            "members that are objects",
            format!(r#""config":{{{}}}"#, members(r#"{"":0}"#)),
        ),
        (
            "variables",
            format!(r#""env":[{}]"#, many(r#"{"name":"A"}"#)),
        ),
        (
            "secrets",
            format!(r#""secrets":[{}]"#, many(r#"{"name":"A"}"#)),
        ),
        ("arguments", format!(r#""args":[{}]"#, many(r#""""#))),
        ("unknown fields", members("0")),
        (
            "ranges",
            format!(
                r#""networkPolicy":{{"egress":[{}]}}"#,
                many(r#"{"cidr":""}"#)
            ),
        ),
    ]
}

/// Reads a review and judges it, without plugins: their memory is bounded elsewhere.
fn judge(body: &[u8], mutates: bool) {
    let state = state(Snapshots::fixed(Snapshot::default()));
    let Ok(review) = review::parse(body) else {
        return;
    };
    let response = if mutates {
        handlers::mutate(&state, &review, None).now_or_never()
    } else {
        handlers::validate(&state, &review, None).now_or_never()
    };
    let text = serde_json::to_vec(&response.expect("nothing is waited for").into_review());
    assert!(!text.unwrap().is_empty());
}

#[test]
fn no_shape_of_a_review_takes_more_memory_than_it_is_charged() {
    let mut wrong = Vec::new();
    for (shape, part) in shapes() {
        for is_update in [false, true] {
            let body = body(&part, is_update);
            let began = Instant::now();
            let taken = [true, false].map(|mutates| most_during(|| judge(&body, mutates)).1);
            // A shape that takes a time which grows with the square of its size would take minutes.
            assert!(began.elapsed() < Duration::from_secs(20), "{shape}");
            let most = taken.into_iter().max().unwrap();
            let charged = of(&body);
            println!(
                "{shape:26} {} bytes: {most} taken ({} times), {charged} charged",
                body.len(),
                most / body.len()
            );
            if most > charged || charged > most * 10 {
                wrong.push(shape);
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "charged too little, or ten times too much: {wrong:?}"
    );
}

#[test]
fn what_stands_in_a_text_is_no_structure() {
    let cost = |body: &str| of(body.as_bytes());
    assert_eq!(cost(r#""{[,:""#), cost(r#""abcd""#));
    assert_eq!(cost(r#""\"{[,:""#), cost(r#""\"abcd""#));
    assert_eq!(cost(r#""\\",[0]"#), cost(r#""ab",[0]"#));
    assert!(cost("[0,0]") > cost("[1000]"));
}
