//! The default rules compiled into a webhook, which is served as the operator's is.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use kube::api::DynamicObject;
use kube::core::admission::AdmissionResponse;
use mcp_operator_admission::{Drain, parse, serve};
use mcp_operator_api::v1alpha1;
use mcp_plugin_sdk::{McpServer, Metadata, Request, Validator};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use validation::{Ecr, Settings, Validation};

use crate::rig::{JUDGE, Judge};

/// A webhook that is served until the end.
pub(crate) struct Native {
    address: SocketAddr,
    /// Its certificate, in PEM.
    authority: String,
}

/// Serves it on a free port of loopback.
pub(crate) async fn serve_rules() -> Result<Native> {
    // Fails only if there is one already, which is then the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())?;
    let (_, tls) = watch::channel(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/validate", post(validate))
        .route("/mutate", post(mutate));
    tokio::spawn(serve(listener, tls, router, Drain::default()));
    Ok(Native {
        address,
        authority: made.cert.pem(),
    })
}

impl Native {
    /// What has the API server call it: for rules, and in one namespace for an annotation before them, as the operator sets one.
    pub(crate) fn configurations(&self) -> [Value; 2] {
        let (rules, both) = (Judge::Native, Judge::NativeTwice);
        [
            self.configuration("ValidatingWebhookConfiguration", "validate", &[rules, both]),
            self.configuration("MutatingWebhookConfiguration", "mutate", &[both]),
        ]
    }

    fn configuration(&self, kind: &str, path: &str, judges: &[Judge]) -> Value {
        let namespaces: Vec<_> = judges.iter().map(|judge| judge.namespace()).collect();
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": { "name": "bench-native" },
            "webhooks": [{
                "name": "native.bench.test", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
                "clientConfig": {
                    "url": format!("https://{}/{path}", self.address),
                    "caBundle": base64(&self.authority),
                },
                "namespaceSelector": {
                    "matchExpressions": [{ "key": JUDGE, "operator": "In", "values": namespaces }],
                },
                "rules": [{
                    "apiGroups": ["mcp.litellm.ai"], "apiVersions": ["v1alpha1"],
                    "operations": ["CREATE", "UPDATE"], "resources": ["mcpservers"], "scope": "Namespaced",
                }],
            }],
        })
    }
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

async fn validate(body: Bytes) -> (StatusCode, String) {
    match answer(&body) {
        Ok(answer) => (StatusCode::OK, answer),
        Err(why) => (StatusCode::BAD_REQUEST, format!("{why:#}")),
    }
}

fn answer(body: &[u8]) -> Result<String> {
    let request = parse(body).map_err(|why| anyhow!(why))?;
    let object = request.object.as_ref().context("there is no object")?;
    let found = errors(object)?;
    let response = AdmissionResponse::from(&request);
    let response = if found.is_empty() {
        response
    } else {
        response.deny(found.join(", "))
    };
    Ok(serde_json::to_string(&response.into_review())?)
}

/// Sets an annotation: an object without any has no place for one yet.
async fn mutate(body: Bytes) -> (StatusCode, String) {
    match parse(&body) {
        Ok(request) => {
            let annotations = json!([{ "op": "add", "path": "/metadata/annotations", "value": { "bench": "seen" } }]);
            let mut review = json!(AdmissionResponse::from(&request).into_review());
            review["response"]["patchType"] = json!("JSONPatch");
            review["response"]["patch"] = json!(base64(&annotations.to_string()));
            (StatusCode::OK, review.to_string())
        }
        Err(why) => (StatusCode::BAD_REQUEST, why),
    }
}

/// What the rules say of it.
fn errors(object: &DynamicObject) -> Result<Vec<String>> {
    let server: v1alpha1::McpServer = serde_json::from_value(serde_json::to_value(object)?)?;
    let server = McpServer {
        metadata: Metadata {
            name: server.metadata.name.unwrap_or_default(),
            namespace: server.metadata.namespace.unwrap_or_default(),
            labels: server.metadata.labels.unwrap_or_default(),
            annotations: server.metadata.annotations.unwrap_or_default(),
        },
        spec: server.spec,
    };
    let ecr = Ecr {
        accounts: vec!["123456789012".to_owned()],
        ..Ecr::default()
    };
    let settings = Settings {
        ecr,
        ..Settings::default()
    };
    let found = Validation::validate(&settings, &server, &Request::default());
    Ok(found
        .iter()
        .map(|finding| format!("{}: {}", finding.field, finding.message))
        .collect())
}
