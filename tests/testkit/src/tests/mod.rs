mod applies;
mod faults;
mod ownership;
mod reads;
mod watches;
mod writes;

use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::Status;
use kube::{Api, Result};
use mcp_operator_core::manifest::ManagedKind;
use serde_json::{Value, json};

use crate::ApiServer;

fn api(server: &ApiServer, resource: &ApiResource) -> Api<DynamicObject> {
    Api::namespaced_with(server.client(), "tools", resource)
}

fn of_kind(server: &ApiServer, kind: ManagedKind) -> Api<DynamicObject> {
    api(server, &kind.api_resource())
}

fn value(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap()
}

/// An apply of a Deployment with this specification.
async fn apply_spec(server: &ApiServer, params: &PatchParams, spec: Value) -> Result<Value> {
    let object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "a" }, "spec": spec,
    });
    let api = of_kind(server, ManagedKind::Deployment);
    let applied = api.patch("a", params, &Patch::Apply(&object)).await?;
    Ok(value(&applied))
}

fn refused<T: std::fmt::Debug>(result: Result<T>) -> Status {
    match result {
        Err(kube::Error::Api(status)) => *status,
        other => panic!("{other:?}"),
    }
}
