//! What expressions may name, as values of CEL.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::{Context, Value};
use mcp_plugin_sdk::{Operation, Request, Stage, normalized};
use serde_json::{Value as Json, json};

/// Values that the operator adds to a request.
pub(crate) const NAMESPACE: &str = "namespace";
pub(crate) const RENDERED: &str = "rendered";
/// Names that expressions may use, besides `variables`.
pub(crate) const ROOTS: [&str; 6] = [
    "object",
    "oldObject",
    "namespaceObject",
    "request",
    RENDERED,
    "params",
];

/// Binds those names that expressions use: what is not asked for is not even parsed.
///
/// What is not known is not bound, so that what asks for it fails.
pub(crate) fn bind(
    context: &mut Context<'_>,
    roots: &BTreeSet<&str>,
    params: &Json,
    object: &Json,
    request: &Request,
) {
    for root in roots {
        let value = match *root {
            "object" => Some(object.clone()),
            "oldObject" => Some(request.old_object().map_or(Json::Null, normalized)),
            "namespaceObject" => request.namespace().map(|namespace| {
                let metadata = json!({
                    "name": namespace.name,
                    "labels": namespace.labels,
                    "annotations": namespace.annotations,
                });
                json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata })
            }),
            "request" => Some(asked(object, request)),
            RENDERED => request.context(RENDERED),
            "params" => Some(params.clone()),
            _ => None,
        };
        if let Some(value) = value {
            context.add_variable_from_value(*root, to_cel(value));
        }
    }
}

fn asked(object: &Json, request: &Request) -> Json {
    let operation = match request.operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
    };
    let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default();
    let mut asked = json!({
        "operation": operation,
        "name": text("name"),
        "namespace": text("namespace"),
        "dryRun": request.dry_run,
        "kind": { "group": "mcp.litellm.ai", "version": "v1alpha1", "kind": "MCPServer" },
    });
    if let Some(username) = &request.username {
        asked["userInfo"] = json!({
            "username": username, "uid": request.user_uid, "groups": request.groups,
            "extra": request.user_extra,
        });
    }
    asked
}

/// Why a validation about a request cannot be judged here.
pub(crate) fn lacks_requester(request: &Request) -> bool {
    request.stage != Stage::Reconcile && request.username.is_none()
}

pub(crate) fn to_cel(value: Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::Int(value),
            (None, Some(value)) => Value::UInt(value),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(value) => Value::String(Arc::new(value)),
        Json::Array(items) => Value::List(Arc::new(items.into_iter().map(to_cel).collect())),
        Json::Object(members) => {
            let members: HashMap<Key, Value> = members
                .into_iter()
                .map(|(name, value)| (Key::String(Arc::new(name)), to_cel(value)))
                .collect();
            Value::Map(Map {
                map: Arc::new(members),
            })
        }
    }
}
