//! Servers that run elsewhere: which fields they have, where they may be ([`url`]), and what happens when one moves from
//! here to there or back ([`relocation`]).

pub mod relocation;
pub mod url;

use mcp_operator_api::v1alpha1::McpServerSpec;
use serde_json::{Map, Value};

use crate::field::{ErrorType, FieldError};

/// Fields of the specification that are not about pods.
const WITHOUT_PODS: [&str; 4] = ["type", "transport", "remote", "litellm"];

/// The fields beside `spec.remote` that would do nothing, and so mislead. One that says what is said by default cannot be
/// told from one that nobody wrote, and passes.
pub(crate) fn errors(spec: &McpServerSpec) -> Vec<FieldError> {
    if spec.remote.is_none() {
        return Vec::new();
    }
    let defaults = fields(&serde_json::from_value::<McpServerSpec>(Value::Object(
        Map::new(),
    )));
    let given = fields(&Ok(spec.clone()));
    given
        .iter()
        .filter(|(field, value)| {
            !WITHOUT_PODS.contains(&field.as_str()) && defaults.get(*field) != Some(*value)
        })
        .map(|(field, _)| FieldError {
            field: format!("spec.{field}"),
            error_type: ErrorType::Forbidden,
            bad_value: None,
            message: remedy(field).into(),
            code: "remote-fields".into(),
        })
        .collect()
}

fn remedy(field: &str) -> &'static str {
    match field {
        "image" => "excludes spec.remote: keep the one that says where the server runs",
        "path" => "a remote server has none of its own: write it into spec.remote.url",
        _ => {
            "a remote server has no pods in this cluster: remove the field, or give spec.image in place of spec.remote"
        }
    }
}

fn fields(spec: &serde_json::Result<McpServerSpec>) -> Map<String, Value> {
    let spec = spec.as_ref().ok();
    match spec.and_then(|spec| serde_json::to_value(spec).ok()) {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields_of(extra: Value) -> Vec<String> {
        let mut spec = json!({ "remote": { "url": "https://mcp.example.com/mcp" } });
        let members = spec.as_object_mut().unwrap();
        members.extend(extra.as_object().unwrap().clone());
        let spec: McpServerSpec = serde_json::from_value(spec).unwrap();
        let found = errors(&spec);
        found.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn what_is_about_pods_is_refused_by_name() {
        for (field, value) in [
            ("image", json!({ "repository": "acme/mcp" })),
            ("port", json!(9000)),
            ("path", json!("/mcp")),
            ("replicas", json!(0)),
            ("autoscaling", json!({ "maxReplicas": 3 })),
            ("podDisruptionBudget", json!({ "enabled": false })),
            ("affinity", json!({ "podAntiAffinity": "required" })),
            ("resources", json!({ "limits": { "cpu": "1" } })),
            ("command", json!(["serve"])),
            ("args", json!(["--debug"])),
            ("env", json!([{ "name": "A", "value": "b" }])),
            ("imagePullSecrets", json!([{ "name": "a" }])),
            ("terminationGracePeriodSeconds", json!(5)),
            ("config", json!({ "a": 1 })),
            ("secrets", json!([{ "name": "a" }])),
            ("secretStore", json!({ "name": "a" })),
            (
                "aws",
                json!({ "iamRole": "arn:aws:iam::111122223333:role/a" }),
            ),
            ("observability", json!({ "tracing": { "enabled": true } })),
            ("networkPolicy", json!({})),
        ] {
            let found = fields_of(json!({ field: value }));
            assert_eq!(found, [format!("spec.{field}")]);
        }
    }

    #[test]
    fn what_the_schema_fills_in_is_no_mistake() {
        let defaults = json!({
            "type": "external-saas", "transport": "sse", "port": 8080, "replicas": 2,
            "litellm": { "autoRegister": true, "allowedTools": ["search"], "auth": { "type": "bearerToken" } },
        });
        assert!(fields_of(defaults).is_empty());
    }
}
