//! Faults of the definitions.

use super::*;

fn of_definition(api: &ApiServer, kind: &str, change: impl FnOnce(&mut Value)) {
    let name = format!("{kind}.mcp.litellm.ai");
    edit(api, "CustomResourceDefinition", "", &name, change);
}

pub(super) const FAULTS: &[Fault] = &[
    (
        "the definition is deleted",
        |api| _ = api.delete("CustomResourceDefinition", "", "mcpservers.mcp.litellm.ai"),
        "CustomResourceDefinition mcpservers",
        "not installed",
    ),
    (
        "the definition is old",
        |api| {
            of_definition(api, "mcpservers", |it| {
                let spec = &mut it["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
                    ["spec"]["properties"];
                spec.as_object_mut().unwrap().remove("remote");
            });
        },
        "CustomResourceDefinition mcpservers",
        "lacks spec.remote",
    ),
    (
        "the definition lacks a rule",
        |api| {
            of_definition(api, "mcpservers", |it| {
                it["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"] =
                    json!([]);
            });
        },
        "CustomResourceDefinition mcpservers",
        "lacks the rule",
    ),
    (
        "the version is not served",
        |api| {
            of_definition(api, "mcpplugins", |it| {
                it["spec"]["versions"][0]["served"] = json!(false);
            });
        },
        "CustomResourceDefinition mcpplugins",
        "does not serve the version v1alpha1",
    ),
    (
        "the definition lacks a part",
        |api| {
            of_definition(api, "mcpservers", |it| {
                it["spec"]["versions"][0]["subresources"] = json!({ "status": {} });
            });
        },
        "CustomResourceDefinition mcpservers",
        "lacks the subresource scale",
    ),
    (
        "the definition lacks a bound",
        |api| {
            of_definition(api, "mcpservers", |it| {
                let spec = &mut it["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
                    ["spec"];
                let replicas = spec["properties"]["replicas"].as_object_mut().unwrap();
                replicas.remove("maximum");
            });
        },
        "CustomResourceDefinition mcpservers",
        "lacks maximum 1000 of spec.replicas",
    ),
    (
        "somebody else converts",
        |api| {
            of_definition(api, "mcpservers", |it| {
                it["spec"]["conversion"] = json!({ "strategy": "Webhook", "webhook": { "clientConfig": { "service": {
                    "namespace": HOME, "name": "other", "path": "/convert",
                } } } });
            });
        },
        "CustomResourceDefinition mcpservers",
        "converted by a webhook with the name \"other\"",
    ),
];
