//! The default rules as a ValidatingAdmissionPolicy: what the API server can judge by itself.

use serde_json::{Value, json};

use crate::rig::{JUDGE, Judge};

/// The policy, and what puts it into force.
pub(crate) fn policy() -> [Value; 2] {
    let rules = [
        (
            "!has(object.spec.image) || object.spec.image.repository.matches('^123456789012[.]dkr[.]ecr[.][a-z0-9-]+[.]amazonaws[.]com/')",
            "the image comes from an approved registry",
        ),
        (
            "!has(object.spec.image) || has(object.spec.image.digest) || (has(object.spec.image.tag) && object.spec.image.tag != 'latest')",
            "the image has a tag other than latest, or a digest",
        ),
        (
            "!has(object.spec.transport) || object.spec.transport in ['http', 'sse']",
            "the transport is sse or http",
        ),
        (
            "has(object.spec.resources) && has(object.spec.resources.limits) && 'cpu' in object.spec.resources.limits && 'memory' in object.spec.resources.limits",
            "CPU and memory limits must be defined",
        ),
        (
            "!has(object.spec.resources.limits) || object.spec.resources.limits.all(name, isQuantity(string(object.spec.resources.limits[name])) && quantity(string(object.spec.resources.limits[name])).isGreaterThan(quantity('0')))",
            "limits are positive quantities",
        ),
        (
            "!has(object.spec.resources.requests) || object.spec.resources.requests.all(name, !(name in object.spec.resources.limits) || !quantity(string(object.spec.resources.requests[name])).isGreaterThan(quantity(string(object.spec.resources.limits[name]))))",
            "requests are no more than limits",
        ),
        (
            "!has(object.spec.replicas) || object.spec.replicas >= 1",
            "there is at least one pod",
        ),
        (
            "!has(object.spec.secrets) || object.spec.secrets.all(secret, (has(secret.optional) && secret.optional) || has(secret.awsSecretKey))",
            "every secret that is not optional names its key",
        ),
    ];
    let validations: Vec<Value> = rules
        .iter()
        .map(|(expression, message)| json!({ "expression": expression, "message": message }))
        .collect();
    let name = "bench-rules";
    [
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": { "name": name },
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": { "resourceRules": [{
                    "apiGroups": ["mcp.litellm.ai"], "apiVersions": ["v1alpha1"],
                    "operations": ["CREATE", "UPDATE"], "resources": ["mcpservers"],
                }] },
                "validations": validations,
            },
        }),
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": { "name": name },
            "spec": {
                "policyName": name, "validationActions": ["Deny"],
                "matchResources": { "namespaceSelector": { "matchLabels": { JUDGE: Judge::Cel.namespace() } } },
            },
        }),
    ]
}
