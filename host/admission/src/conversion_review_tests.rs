use mcp_operator_api::names::{API_VERSION as ALPHA, BETA_API_VERSION as BETA};
use mcp_testkit::most_during;
use serde_json::{Value, json};

use super::*;

fn review(desired: &str, objects: &str) -> String {
    format!(
        r#"{{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","request":{{"uid":"7","desiredAPIVersion":"{desired}","objects":[{objects}]}}}}"#
    )
}

fn server(version: &str, spec: &str) -> String {
    format!(
        r#"{{"apiVersion":"{version}","kind":"MCPServer","metadata":{{"name":"a"}},"spec":{spec}}}"#
    )
}

fn response(body: &str) -> Value {
    json!(answer(body.as_bytes()).unwrap())["response"].clone()
}

#[test]
fn a_list_is_converted_in_its_order_and_what_is_right_already_stays() {
    let alpha = server(ALPHA, r#"{"litellm":{"allowedUserGroups":["a"]}}"#);
    let beta = server(BETA, r#"{"litellm":{"accessGroups":["a"]}}"#);
    for desired in [ALPHA, BETA] {
        let wanted = if desired == ALPHA { &alpha } else { &beta };
        let wanted: Value = serde_json::from_str(wanted).unwrap();
        let objects = [alpha.as_str(), &beta, &alpha].join(",");
        assert_eq!(
            response(&review(desired, &objects)),
            json!({
                "uid": "7", "convertedObjects": [&wanted, &wanted, &wanted],
                "result": { "status": "Success" },
            })
        );
    }
    let none = response(&review(ALPHA, ""));
    assert_eq!(none["convertedObjects"], json!([]));
}

/// A list that is half converted would be worse than none.
#[test]
fn one_that_cannot_be_converted_fails_all_and_says_which() {
    let good = server(ALPHA, "{}");
    let bad = good.replace("MCPServer", "MCPPlugin");
    let failed = response(&review(BETA, &[good.as_str(), &bad].join(",")));
    assert_eq!(failed["result"]["status"], "Failure");
    let message = failed["result"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("objects[1] cannot be converted: \"MCPPlugin\""),
        "{message}"
    );
    assert_eq!(failed.get("convertedObjects"), None);
    let unknown = response(&review("mcp.litellm.ai/v7", &good));
    let message = unknown["result"]["message"].as_str().unwrap();
    assert!(
        message.contains("has no version \"mcp.litellm.ai/v7\""),
        "{message}"
    );
    let long = response(&review(&"v".repeat(5000), &good));
    let message = long["result"]["message"].as_str().unwrap();
    assert!(message.len() <= MAX_MESSAGE_BYTES, "{}", message.len());
}

#[test]
fn what_is_no_review_is_not_answered() {
    let good = review(ALPHA, "");
    for body in [
        "garbage".to_owned(),
        good.replace("/v1\"", "/v1beta1\""),
        good.replace("ConversionReview", "AdmissionReview"),
        good.replace("\"uid\":\"7\",", ""),
    ] {
        let error = answer(body.as_bytes()).unwrap_err();
        assert!(
            error.starts_with("the body is no ConversionReview"),
            "{error}"
        );
    }
}

#[test]
fn no_shape_of_an_object_takes_more_memory_than_it_is_charged() {
    let many = |piece: &str| vec![piece; (400 << 10) / (piece.len() + 1)].join(",");
    let one = |spec: String| server(ALPHA, &spec);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let secrets = many(r#"{"awsSecretKey":""}"#);
    let few_secrets = vec![r#"{"awsSecretKey":""}"#; 900].join(",");
    let members: Vec<String> = (0..2000).map(|number| format!(r#""{number}":0"#)).collect();
    let members = members.join(",");
    let small = server(ALPHA, r#"{"secrets":[{"awsSecretKey":""}]}"#);
    for (shape, objects) in [
        ("nothing", String::new()),
        ("numbers", many("0")),
        ("empty objects", many("{}")),
        (
            "a text",
            one(format!(
                r#"{{"config":{{"a":"{}"}}}}"#,
                "x".repeat(400 << 10)
            )),
        ),
        (
            "a list",
            one(format!(r#"{{"config":{{"a":[{}]}}}}"#, many("0"))),
        ),
        (
            "a deep list",
            one(format!(r#"{{"config":{{"a":{deep}}}}}"#)),
        ),
        (
            "too many secrets",
            one(format!(r#"{{"secrets":[{secrets}]}}"#)),
        ),
        (
            "many secrets",
            one(format!(r#"{{"secrets":[{few_secrets}]}}"#)),
        ),
        ("many members", one(format!("{{{members}}}"))),
        ("many servers", many(&small)),
        (
            "servers with many members",
            many(&one(format!("{{{members}}}"))),
        ),
    ] {
        let body = review(BETA, &objects);
        let (written, taken) =
            most_during(|| serde_json::to_vec(&answer(body.as_bytes()).unwrap()));
        assert!(!written.unwrap().is_empty());
        let charged = cost(body.as_bytes());
        println!(
            "{shape:26} {} bytes: {taken} taken, {charged} charged",
            body.len()
        );
        assert!(
            taken <= charged,
            "{shape}: {taken} taken, {charged} charged"
        );
    }
}
