//! An admission webhook of somebody else, in this process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::world::{World, environment};

/// Answers with the operations of a JSON Patch to an object that is written; it is given the whole request.
pub(crate) trait Mutate: Fn(&Value) -> Vec<Value> + Send + Sync + 'static {}
impl<F: Fn(&Value) -> Vec<Value> + Send + Sync + 'static> Mutate for F {}

/// What a webhook is asked about, as its configuration says it.
pub(crate) fn rule(group: &str, resource: &str, operations: &[&str]) -> Value {
    json!({ "apiGroups": [group], "apiVersions": ["v1"], "resources": [resource], "operations": operations })
}

/// Puts a webhook in force for what is written in the namespace of a test. It ends with the tests.
pub(crate) fn mutate(world: &World, rules: &[Value], mutate: impl Mutate) -> Result<()> {
    let host = environment().webhook_host;
    let signed = rcgen::generate_simple_self_signed([host.to_string()])?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()));
    let config =
        ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![signed.cert.der().clone()], key)?;
    let (config, mutate) = (Arc::new(config), Arc::new(mutate));
    let listener = TcpListener::bind((host, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, mutate) = (config.clone(), mutate.clone());
            // An API server that hangs up is its own concern.
            thread::spawn(move || serve(config, stream, &*mutate).ok());
        }
    });
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": { "name": world.namespace },
        "webhooks": [{
            "name": "injector.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "failurePolicy": "Fail", "reinvocationPolicy": "IfNeeded", "rules": rules,
            "namespaceSelector": { "matchLabels": { "test": world.namespace } },
            "clientConfig": { "url": format!("https://{address}/"), "caBundle": STANDARD.encode(signed.cert.pem()) },
        }],
    });
    world.apply(&configuration).map(drop)
}

/// One request on each connection.
fn serve(config: Arc<ServerConfig>, stream: TcpStream, mutate: &impl Mutate) -> Result<()> {
    let mut reader = BufReader::new(StreamOwned::new(ServerConnection::new(config)?, stream));
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.trim().split_once(": ")
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let review: Value = serde_json::from_slice(&body)?;
    let request = &review["request"];
    let uid = request["uid"].as_str().context("no request")?;
    let patch = STANDARD.encode(json!(mutate(request)).to_string());
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": { "uid": uid, "allowed": true, "patchType": "JSONPatch", "patch": patch },
    })
    .to_string();
    let mut stream = reader.into_inner();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    )?;
    stream.conn.send_close_notify();
    stream.flush().map_err(|error| anyhow!(error))
}
