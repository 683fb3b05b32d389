use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::{definitions, v1alpha1, v1beta1};

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn converted(object: &Value, desired: &str) -> Value {
    let result = convert(&raw(&object.to_string()), desired).unwrap();
    serde_json::from_str(result.get()).unwrap()
}

fn server(version: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": version, "kind": SERVER_KIND,
        "metadata": { "name": "a", "labels": { "affinity": "b" }, "managedFields": [{ "manager": "x" }] },
        "spec": spec, "status": { "phase": "Ready" },
    })
}

fn alpha() -> Value {
    server(
        API_VERSION,
        &json!({
            "image": { "repository": "a" },
            "affinity": { "podAntiAffinity": "required", "zoneSpread": "none" },
            "observability": {
                "metrics": { "enabled": true },
                "tracing": { "enabled": true, "jaegerEndpoint": "http://otel" },
                "healthProbes": { "liveness": { "path": "/live" } },
            },
            "secrets": [{ "name": "a", "awsSecretKey": "b" }, { "name": "c", "optional": true }],
            "litellm": { "allowedUserGroups": ["a"], "autoRegister": true },
        }),
    )
}

fn beta() -> Value {
    server(
        BETA_API_VERSION,
        &json!({
            "image": { "repository": "a" },
            "spread": { "nodes": "required", "zones": "none" },
            "probes": { "liveness": { "path": "/live" } },
            "observability": {
                "metrics": { "enabled": true },
                "tracing": { "enabled": true, "endpoint": "http://otel" },
            },
            "secrets": [{ "name": "a", "key": "b" }, { "name": "c", "optional": true }],
            "litellm": { "accessGroups": ["a"], "autoRegister": true },
        }),
    )
}

#[test]
fn every_field_of_the_table_moves_and_nothing_else_does() {
    assert_eq!(converted(&alpha(), BETA_API_VERSION), beta());
    assert_eq!(converted(&beta(), API_VERSION), alpha());
    for same in [alpha(), beta()] {
        let version = same["apiVersion"].as_str().unwrap();
        assert_eq!(converted(&same, version), same);
    }
}

/// Where a conversion has a field, there it also says who manages it.
#[test]
fn who_manages_a_field_manages_it_in_the_other_version() {
    let beta = json!({ "f:metadata": { "f:labels": { ".": {}, "f:key": {} } }, "f:spec": {
        "f:config": { "f:spread": {} }, "f:probes": { ".": {}, "f:liveness": { "f:path": {} } },
        "f:spread": { "f:nodes": {} }, "f:observability": { "f:tracing": { "f:endpoint": {} } },
        "f:secrets": { "k:{\"name\":\"a\"}": { ".": {}, "f:name": {}, "f:key": {} } },
        "f:litellm": { "f:accessGroups": {} },
    } });
    let alpha = json!({ "f:metadata": { "f:labels": { ".": {}, "f:key": {} } }, "f:spec": {
        "f:config": { "f:spread": {} }, "f:affinity": { "f:podAntiAffinity": {} },
        "f:observability": {
            "f:tracing": { "f:jaegerEndpoint": {} },
            "f:healthProbes": { ".": {}, "f:liveness": { "f:path": {} } },
        },
        "f:secrets": { "k:{\"name\":\"a\"}": { ".": {}, "f:name": {}, "f:awsSecretKey": {} } },
        "f:litellm": { "f:allowedUserGroups": {} },
    } });
    let converted = |fields: &Value, version: &str, desired: &str| -> Value {
        let fields = convert_fields(&raw(&fields.to_string()), version, desired).unwrap();
        serde_json::from_str(fields.get()).unwrap()
    };
    assert_eq!(converted(&beta, BETA_API_VERSION, API_VERSION), alpha);
    assert_eq!(converted(&alpha, API_VERSION, BETA_API_VERSION), beta);
    assert_eq!(converted(&beta, BETA_API_VERSION, BETA_API_VERSION), beta);
    assert!(convert_fields(&raw("{}"), "mcp.litellm.ai/v7", API_VERSION).is_err());
}

/// An `f64` has no 21 digits, and in the last bit it depends on who reads it.
#[test]
fn numbers_and_texts_of_the_configuration_are_not_read() {
    let text = r#"{"apiVersion":"mcp.litellm.ai/v1alpha1","kind":"MCPServer","spec":{"config":{"a":123456789012345678901,"b":0.1000000000000000055511151231257827,"c":1e999,"d":"\u0041","d":2,"affinity":{"podAntiAffinity":1}}}}"#;
    let there = convert(&raw(text), BETA_API_VERSION).unwrap();
    assert_eq!(there.get(), text.replace("v1alpha1", "v1beta1"));
    let back = convert(&there, API_VERSION).unwrap();
    assert_eq!(back.get(), text);
}

#[test]
fn what_cannot_be_converted_says_why() {
    for (object, desired, words) in [
        (json!([]), API_VERSION, "it is no JSON object"),
        (
            json!({ "apiVersion": API_VERSION, "kind": "MCPPlugin" }),
            BETA_API_VERSION,
            "\"MCPPlugin\" of \"mcp.litellm.ai/v1alpha1\" has one version",
        ),
        (
            alpha(),
            "mcp.litellm.ai/v2",
            "MCPServer has no version \"mcp.litellm.ai/v2\": there are mcp.litellm.ai/v1alpha1 and",
        ),
        (
            server("example.com/v1beta1", &json!({})),
            API_VERSION,
            "no version \"example.com/v1beta1\"",
        ),
        (
            json!({ "apiVersion": 1, "kind": [] }),
            API_VERSION,
            "\"\" of \"\"",
        ),
    ] {
        let error = convert(&raw(&object.to_string()), desired).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
    let many: Map<String, Value> = (0..3000).map(|n| (n.to_string(), json!(n))).collect();
    let error = convert(
        &raw(&server(API_VERSION, &Value::Object(many)).to_string()),
        BETA_API_VERSION,
    );
    let error = error.unwrap_err();
    assert_eq!(
        error,
        "it has more than 2048 members where an MCPServer has a few"
    );
}

/// They are no MCPServers, and the API server says so best.
#[test]
fn what_stands_in_the_way_of_a_field_stays() {
    for spec in [
        json!("text"),
        json!({ "observability": 7, "secrets": { "a": 1 }, "affinity": ["podAntiAffinity"] }),
        json!({ "secrets": [1, null, ["awsSecretKey"]], "litellm": "allowedUserGroups" }),
        json!({ "observability": { "tracing": [] } }),
    ] {
        let given = server(API_VERSION, &spec);
        let back = converted(&converted(&given, BETA_API_VERSION), API_VERSION);
        assert_eq!(back, given);
    }
}

#[test]
fn probes_find_a_place_where_there_is_none_yet() {
    for observability in [json!(null), json!({})] {
        let spec = json!({ "probes": { "startup": {} }, "observability": observability });
        let alpha = converted(&server(BETA_API_VERSION, &spec), API_VERSION);
        let wanted = json!({ "observability": { "healthProbes": { "startup": {} } } });
        assert_eq!(alpha["spec"], wanted);
    }
    let none = server(BETA_API_VERSION, &json!({ "probes": {} }));
    let back = converted(&converted(&none, API_VERSION), BETA_API_VERSION);
    assert_eq!(back["spec"], json!({ "probes": {}, "observability": {} }));
}

/// Names of both versions and others, anywhere.
fn name() -> impl Strategy<Value = String> {
    let known = [
        "affinity",
        "spread",
        "podAntiAffinity",
        "nodes",
        "zoneSpread",
        "zones",
        "observability",
        "tracing",
        "jaegerEndpoint",
        "endpoint",
        "healthProbes",
        "probes",
        "secrets",
        "awsSecretKey",
        "key",
        "litellm",
        "allowedUserGroups",
        "accessGroups",
        "config",
        "",
        "é\"\\",
    ];
    proptest::sample::select(known.to_vec()).prop_map(str::to_owned)
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(name(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Something that a schema allows, but for patterns and rules, of which conversion knows nothing.
fn of_schema(schema: &Value) -> BoxedStrategy<Value> {
    if let Some(choices) = schema["enum"].as_array() {
        return proptest::sample::select(choices.clone()).boxed();
    }
    let least = i64::from(schema["minimum"].as_f64().is_some_and(|least| least > 0.0));
    match schema["type"].as_str() {
        Some("object") if schema["properties"].is_object() => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let properties = schema["properties"].as_object().unwrap();
            let members = properties.iter().map(|(name, property)| {
                let (name, value) = (name.clone(), of_schema(property));
                let value = if required.contains(&json!(name)) {
                    value.prop_map(Some).boxed()
                } else {
                    proptest::option::of(value).boxed()
                };
                value.prop_map(move |value| value.map(|value| (name.clone(), value)))
            });
            let members: Vec<_> = members.collect();
            members
                .prop_map(|found| Value::Object(found.into_iter().flatten().collect()))
                .boxed()
        }
        Some("object") if schema["additionalProperties"].is_object() => btree_map(
            "[a-z]{1,8}",
            of_schema(&schema["additionalProperties"]),
            0..3,
        )
        .prop_map(|members| Value::Object(members.into_iter().collect()))
        .boxed(),
        Some("object") => btree_map(name(), anything(), 0..3)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
            .boxed(),
        Some("array") => vec(of_schema(&schema["items"]), 0..3)
            .prop_map(Value::from)
            .boxed(),
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        Some("integer") => (least..=least + 100).prop_map(Value::from).boxed(),
        Some("number") => (0..=8_u8).prop_map(|n| json!(f64::from(n) / 8.0)).boxed(),
        Some("string") => "[a-zA-Z0-9/:.-]{1,12}".prop_map(Value::from).boxed(),
        _ => prop_oneof![(0..100_i32).prop_map(Value::from), Just(json!("50%"))].boxed(),
    }
}

fn valid(at: usize) -> BoxedStrategy<Value> {
    let [definition, _] = definitions::all(true);
    let schema = serde_json::to_value(&definition.spec.versions[at].schema).unwrap();
    of_schema(&schema["openAPIV3Schema"]["properties"]["spec"])
}

/// But for an `observability` that was not there.
fn completed(mut object: Value) -> Value {
    let spec = object["spec"].as_object_mut();
    if let Some(spec) = spec.filter(|spec| spec.contains_key("probes")) {
        let observability = spec.entry("observability").or_insert(Value::Null);
        if observability.is_null() {
            *observability = json!({});
        }
    }
    object
}

proptest! {
    #[test]
    fn what_is_converted_there_and_back_is_the_same_whatever_it_is(spec in anything()) {
        let given = server(BETA_API_VERSION, &spec);
        let back = converted(&converted(&given, API_VERSION), BETA_API_VERSION);
        prop_assert_eq!(back, completed(given));
        // Of `v1alpha1`, `probes` is a name that nobody knows.
        let has_place = spec.get("probes").is_none() || spec["observability"].is_object();
        if has_place {
            let given = server(API_VERSION, &spec);
            let back = converted(&converted(&given, BETA_API_VERSION), API_VERSION);
            prop_assert_eq!(back, given);
        }
    }

    /// Nothing that the schema of one version allows is unknown to the other's.
    #[test]
    fn every_alpha_server_is_a_beta_server_and_comes_back(spec in valid(0)) {
        let given = server(API_VERSION, &spec);
        let there = converted(&given, BETA_API_VERSION);
        prop_assert_eq!(converted(&there, API_VERSION), given.clone());
        let typed: v1alpha1::McpServer = serde_json::from_value(given).unwrap();
        let beta: v1beta1::McpServer = serde_json::from_value(there).unwrap();
        let (typed, beta) = (json!(typed), json!(beta));
        prop_assert_eq!(converted(&typed, BETA_API_VERSION), beta);
    }

    #[test]
    fn every_beta_server_is_an_alpha_server_and_comes_back(spec in valid(1)) {
        let given = server(BETA_API_VERSION, &spec);
        let there = converted(&given, API_VERSION);
        prop_assert_eq!(converted(&there, BETA_API_VERSION), completed(given.clone()));
        let typed: v1beta1::McpServer = serde_json::from_value(given).unwrap();
        let alpha: v1alpha1::McpServer = serde_json::from_value(there).unwrap();
        prop_assert_eq!(converted(&json!(typed), API_VERSION), json!(alpha));
    }
}
