//! kmcp (kagent.dev): MCPServer.

use serde_json::{Value, json};

use super::container::{STDIO, Spec, WAY_IN, add_env, image, resources, set, set_replicas};
use super::field_reader::Fields;

pub(super) fn server(fields: &mut Fields) -> Option<Spec> {
    let transport = fields.text("transportType");
    let mut spec = Spec::new();
    let has_image = fields.inside("deployment", |deployment| {
        let reference = deployment.text("image");
        set(&mut spec, "port", deployment.take("port"));
        set(
            &mut spec,
            "command",
            deployment.text("cmd").map(|command| json!([command])),
        );
        set(&mut spec, "args", deployment.take("args"));
        if let Some(Value::Object(variables)) = deployment.take("env") {
            let variables = variables
                .into_iter()
                .map(|(name, value)| json!({ "name": name, "value": value }));
            add_env(&mut spec, variables);
        }
        resources(&mut spec, deployment);
        set_replicas(&mut spec, deployment.take("replicas"));
        set(
            &mut spec,
            "imagePullSecrets",
            deployment.take("imagePullSecrets"),
        );
        set(&mut spec, "nodeSelector", deployment.take("nodeSelector"));
        set(&mut spec, "tolerations", deployment.take("tolerations"));
        set(
            &mut spec,
            "serviceAccountName",
            deployment.take("serviceAccountName"),
        );
        deployment.leave(
            "secretRefs",
            "Secrets are not mounted: env reads single keys of them (valueFrom.secretKeyRef)",
        );
        deployment.leave(
            "configMapRefs",
            "ConfigMaps are not mounted: env reads single keys of them (valueFrom.configMapKeyRef)",
        );
        match reference {
            Some(reference) => image(&mut spec, &reference, deployment),
            None => return false,
        }
        true
    });
    fields.take("stdioTransport");
    if transport.as_deref() != Some("http") {
        fields.refuse(STDIO);
        return None;
    }
    if !has_image {
        fields.note("there is no deployment.image: an MCPServer needs one that serves by itself");
        return None;
    }
    fields.inside("httpTransport", |http| {
        set(&mut spec, "port", http.take("targetPort"));
        set(
            &mut spec,
            "path",
            http.text("path").filter(|path| path != "/mcp"),
        );
    });
    if spec.get("port").and_then(Value::as_i64) == Some(8080) {
        spec.remove("port");
    }
    for name in ["authn", "authz"] {
        fields.leave(name, WAY_IN);
    }
    fields.leave("routeFilter", "browsers call LiteLLM, not the server");
    Some(spec)
}
