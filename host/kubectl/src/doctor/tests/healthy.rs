//! An installation in which everything is right: the shipped manifests, and what controllers would make of them.

use kube::CustomResourceExt;
use mcp_operator_api::v1alpha1::{McpPlugin, McpServer};
use mcp_testkit::objects::{mcp_server, secret};
use mcp_testkit::workloads::{deployment_rolled_out, pod_of};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use time::OffsetDateTime;

use super::*;

pub(super) const HOME: &str = "mcp-operator-system";

pub(super) fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn date(days: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(now().as_second() + days * 86_400).unwrap()
}

/// A certificate authority with this name.
pub(super) fn authority(name: &str) -> (rcgen::Certificate, CertifiedIssuer<'static, KeyPair>) {
    authority_until(name, 200)
}

/// One with the name of that which is trusted, and that was valid before.
pub(super) fn expired_authority() -> rcgen::Certificate {
    authority_until("mcp-operator-webhook-ca", -1).0
}

fn authority_until(
    name: &str,
    days: i64,
) -> (rcgen::Certificate, CertifiedIssuer<'static, KeyPair>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params.not_before, params.not_after) = (date(-200), date(days));
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    (issuer.as_ref().clone(), issuer)
}

thread_local! {
    /// Whose certificates are trusted.
    static TRUSTED: (rcgen::Certificate, CertifiedIssuer<'static, KeyPair>) = authority("mcp-operator-webhook-ca");
}

/// A certificate that is trusted, for a name, from so many days on to so many.
pub(super) fn issued(name: &str, from: i64, to: i64) -> String {
    issued_with_key(name, from, to).0
}

/// The same with its key.
pub(super) fn issued_with_key(name: &str, from: i64, to: i64) -> (String, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date(from), date(to));
    let key = KeyPair::generate().unwrap();
    let certificate = TRUSTED.with(|(_, issuer)| params.signed_by(&key, issuer).unwrap().pem());
    (certificate, key.serialize_pem())
}

fn shipped(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

fn is(object: &Value, kind: &str) -> bool {
    object["kind"] == kind
}

pub(super) fn healthy() -> TestCluster {
    let cluster = TestCluster::new();
    let api = &cluster.api;
    api.admit("SubjectAccessReview", |review| {
        review["status"] = json!({ "allowed": true });
    });
    api.admit("MCPServer", |server| {
        server["metadata"]["annotations"]["mcp.litellm.ai/plugins-revision"] = json!("1");
    });
    for crd in [McpServer::crd(), McpPlugin::crd()] {
        api.put(crd);
    }
    let bundle = TRUSTED.with(|(authority, _)| BASE64_STANDARD.encode(authority.pem()));
    for mut configuration in shipped(include_str!("../../../../../deploy/base/webhook.yaml")) {
        for webhook in configuration["webhooks"].as_array_mut().unwrap() {
            webhook["clientConfig"]["caBundle"] = bundle.clone().into();
            webhook["rules"][0]["scope"] = json!("*");
        }
        api.put(configuration);
    }
    for policy in shipped(include_str!("../../../../../deploy/base/confinement.yaml")) {
        if [
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
        ]
        .iter()
        .any(|kind| is(&policy, kind))
        {
            api.put(policy);
        }
    }
    operator(api);
    plugins(api);
    litellm(api);
    let mut server = serde_json::to_value(mcp_server("tools", "weather")).unwrap();
    server["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    server["status"] = json!({ "observedGeneration": 1 });
    api.put(server);
    cluster
}

fn operator(api: &ApiServer) {
    for mut object in shipped(include_str!("../../../../../deploy/base/operator.yaml")) {
        if is(&object, "Service") {
            api.put(&object);
        }
        if is(&object, "Deployment") {
            deployment_rolled_out(&mut object);
            for name in ["manager-0", "manager-1"] {
                api.put(pod_of(&object, name));
            }
            api.put(object);
        }
    }
    for object in shipped(include_str!("../../../../../deploy/base/rbac.yaml")) {
        if is(&object, "ServiceAccount") {
            api.put(object);
        }
    }
    let label = json!({ "kubernetes.io/service-name": "mcp-operator-webhook-service" });
    api.put(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "name": "webhook", "namespace": HOME, "labels": label },
        "endpoints": [{ "addresses": ["10.0.0.1"], "conditions": { "ready": true } }],
    }));
    api.put(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": { "name": "mcp-operator-leader", "namespace": HOME },
        "spec": { "holderIdentity": "manager-0_0123456789abcdef", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T11:59:58.000000Z" },
    }));
    let (served, key) = issued_with_key(
        "mcp-operator-webhook-service.mcp-operator-system.svc",
        -1,
        90,
    );
    let data = json!({ "tls.crt": BASE64_STANDARD.encode(served), "tls.key": BASE64_STANDARD.encode(key) });
    api.put(secret(HOME, "mcp-operator-webhook", data));
}

fn plugins(api: &ApiServer) {
    for mut plugin in shipped(include_str!("../../../../../deploy/base/plugins.yaml")) {
        let is_registrar = plugin["metadata"]["name"] == "litellm-configmap";
        let interfaces = if is_registrar {
            "registrar"
        } else {
            "validator,defaulter"
        };
        plugin["status"] = json!({
            "observedGeneration": 1, "interfaces": interfaces, "conditions": [condition("Ready", "True", "InForce")],
        });
        if is_registrar {
            let registers = condition("Registrar", "True", "InForce");
            plugin["status"]["conditions"]
                .as_array_mut()
                .unwrap()
                .push(registers);
            plugin["spec"]["connections"] = json!([{
                "name": "litellm", "baseUrl": "http://litellm-proxy.litellm.svc:4000",
                "auth": { "secretKeyRef": { "name": "litellm-mcp-operator", "key": "token" } },
            }]);
        } else if plugin["metadata"]["name"] != "validation" {
            plugin["status"]["interfaces"] = json!("defaulter");
        }
        api.put(plugin);
    }
    api.put(secret(
        HOME,
        "litellm-mcp-operator",
        json!({ "token": "aHVudGVyMjI=" }),
    ));
}

/// As the manifest of the quick start has it.
fn litellm(api: &ApiServer) {
    for mut object in shipped(include_str!(
        "../../../../../deploy/samples/quickstart.yaml"
    )) {
        if object["metadata"]["namespace"] != "litellm"
            || !["ConfigMap", "Deployment", "Service"]
                .iter()
                .any(|kind| is(&object, kind))
        {
            continue;
        }
        if is(&object, "Deployment") {
            deployment_rolled_out(&mut object);
        }
        api.put(object);
    }
    api.put(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "name": "litellm", "namespace": "litellm", "labels": { "kubernetes.io/service-name": "litellm-proxy" } },
        "endpoints": [{ "addresses": ["10.0.0.2"], "conditions": { "ready": true } }],
    }));
    // In the quick start, too, LiteLLM does not start without it.
    assert!(
        api.get("ConfigMap", "litellm", "litellm-mcp-servers")
            .is_some()
    );
}
