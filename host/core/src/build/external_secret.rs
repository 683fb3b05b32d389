//! ExternalSecrets: what External Secrets fetches, and into which Secrets.

use std::collections::BTreeMap;

use kube::ResourceExt;
use mcp_operator_api::v1alpha1::{McpServer, Secret};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::metadata::{child_name, object_meta};
use super::{SecretStoreSettings, Settings};
use crate::manifest::{ManagedKind, Manifest};

/// Longest name that can also be the value of a label.
const LONGEST_NAME: usize = 63;

/// A Secret that the pods of a server read, and the ExternalSecret of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretObject {
    /// Name of both.
    pub name: String,
    /// The pods also start without it.
    pub optional: bool,
    /// External Secrets fetches it: its key in the secret store is known.
    pub fetched: bool,
}

/// The Secrets that `spec.secrets` asks for.
pub fn secret_objects(server: &McpServer) -> Vec<SecretObject> {
    let objects = by_object(server).into_iter();
    let object = |(name, secrets): (String, Vec<&Secret>)| SecretObject {
        name,
        optional: secrets.iter().all(|secret| secret.optional),
        fetched: secrets.iter().any(|secret| secret.aws_secret_key.is_some()),
    };
    objects.map(object).collect()
}

/// One for all secrets that the server needs, and one for each that is optional.
pub(super) fn build(server: &McpServer, settings: &Settings) -> Vec<Manifest> {
    by_object(server)
        .into_iter()
        .filter_map(|(name, secrets)| build_one(server, settings, &name, &secrets))
        .collect()
}

/// Name of the Kubernetes Secret that holds a secret. External Secrets fails a whole ExternalSecret
/// if one of its keys is missing, so each optional secret has one of its own.
pub(super) fn secret_object_name(server: &McpServer, secret: &Secret) -> String {
    let name = format!("{}-secrets", child_name(&server.name_any()));
    if !secret.optional {
        return name;
    }
    let suffix = suffix(secret);
    let readable = format!("{name}-{suffix}");
    let is_taken = suffix != secret.name
        && server.spec.secrets.iter().any(|other| {
            other.optional && other.name != secret.name && self::suffix(other) == suffix
        });
    if readable.len() <= LONGEST_NAME && !readable.ends_with('-') && !is_taken {
        return readable;
    }
    // Cut, or one of two that read the same: a hash of the whole name keeps it the only one.
    let hash = hex::encode(&Sha256::digest(&secret.name)[..4]);
    let room = LONGEST_NAME - hash.len() - 1;
    let readable = if is_taken && readable.len() <= room {
        readable
    } else {
        name
    };
    format!("{}-{hash}", &readable[..readable.len().min(room)])
}

/// What an optional secret's object is named after: `a_b`, `a.b` and `A-B` read the same.
fn suffix(secret: &Secret) -> String {
    secret.name.to_ascii_lowercase().replace(['_', '.'], "-")
}

fn by_object(server: &McpServer) -> BTreeMap<String, Vec<&Secret>> {
    let mut objects: BTreeMap<String, Vec<&Secret>> = BTreeMap::new();
    for secret in &server.spec.secrets {
        objects
            .entry(secret_object_name(server, secret))
            .or_default()
            .push(secret);
    }
    objects
}

/// Nothing where no key in the store is known: then somebody makes the Secret by hand.
fn build_one(
    server: &McpServer,
    settings: &Settings,
    name: &str,
    secrets: &[&Secret],
) -> Option<Manifest> {
    let mut data: Vec<Value> = secrets.iter().filter_map(|secret| datum(secret)).collect();
    if data.is_empty() {
        return None;
    }
    data.sort_by(|a, b| a["secretKey"].as_str().cmp(&b["secretKey"].as_str()));
    let store = server.spec.secret_store.clone().unwrap_or_default();
    let defaults: &SecretStoreSettings = &settings.secret_store;
    let mut metadata = object_meta(server);
    metadata.name = Some(name.to_owned());
    let resource = ManagedKind::ExternalSecret.api_resource();
    let object = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata,
        "spec": {
            "refreshInterval": store.refresh_interval.as_ref().unwrap_or(&defaults.refresh_interval),
            "secretStoreRef": {
                "name": store.name.as_ref().unwrap_or(&defaults.name),
                "kind": store.kind.as_ref().unwrap_or(&defaults.kind),
            },
            // It copies our labels to the Secret, by which its rotation is seen.
            "target": { "name": name, "creationPolicy": "Owner" },
            "data": data,
        },
    });
    Some(Manifest::new(ManagedKind::ExternalSecret, object))
}

fn datum(secret: &Secret) -> Option<Value> {
    let mut reference = json!({ "key": secret.aws_secret_key.as_ref()? });
    if let Some(property) = &secret.property {
        reference["property"] = json!(property);
    }
    Some(json!({ "secretKey": secret.name, "remoteRef": reference }))
}
