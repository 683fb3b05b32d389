//! ExternalSecrets: what External Secrets fetches, and into which Secrets.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use mcp_operator_api::v1alpha1::{McpServerSpec, Secret};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::metadata::{child_name, object_meta};
use super::{SecretStoreSettings, Settings};
use crate::manifest::ManagedKind;
use crate::server_key::ServerKey;
use crate::validated_server::ValidatedServer;

/// Length of the longest name that can also be the value of a label.
const MAX_NAME_LENGTH: usize = 63;

/// A Secret that the pods of a server read, and the ExternalSecret of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretObject {
    /// Name of the Secret and of its ExternalSecret.
    pub name: String,
    /// Whether the pods also start without it.
    pub optional: bool,
    /// Whether External Secrets fetches it, because its key in the secret store is known.
    pub fetched: bool,
}

/// The Secrets that `spec.secrets` asks for.
pub fn secret_objects(server: &ServerKey, spec: &McpServerSpec) -> Vec<SecretObject> {
    let objects = by_object(server, spec).into_iter();
    let object = |(name, secrets): (String, Vec<&Secret>)| SecretObject {
        name,
        optional: secrets.iter().all(|secret| secret.optional),
        fetched: secrets.iter().any(|secret| remote_key(secret).is_some()),
    };
    objects.map(object).collect()
}

/// One for all required secrets, and one for each optional one.
pub(super) fn build(server: &ValidatedServer, settings: &Settings) -> Vec<ExternalSecret> {
    by_object(&server.key, &server.spec)
        .into_iter()
        .filter_map(|(name, secrets)| build_one(server, settings, &name, &secrets))
        .collect()
}

/// Name of the Kubernetes Secret that holds a secret. External Secrets fails a whole ExternalSecret
/// if one of its keys is missing, so each optional secret has one of its own.
pub(super) fn secret_object_name(
    server: &ServerKey,
    spec: &McpServerSpec,
    secret: &Secret,
) -> String {
    let name = format!("{}-secrets", child_name(&server.name));
    if !secret.optional {
        return name;
    }
    let suffix = suffix(secret);
    let readable = format!("{name}-{suffix}");
    let is_taken = suffix != secret.name
        && spec.secrets.iter().any(|other| {
            other.optional && other.name != secret.name && self::suffix(other) == suffix
        });
    if readable.len() <= MAX_NAME_LENGTH && !readable.ends_with('-') && !is_taken {
        return readable;
    }
    // It is too long, or another secret has the same suffix: a hash of the whole name makes it unique.
    let hash = hex::encode(&Sha256::digest(&secret.name)[..4]);
    let room = MAX_NAME_LENGTH - hash.len() - 1;
    let readable = if is_taken && readable.len() <= room {
        readable
    } else {
        name
    };
    format!("{}-{hash}", &readable[..readable.len().min(room)])
}

/// The name of an optional secret as a part of an object's name: that of `a_b`, `a.b` and `A-B` is the same.
fn suffix(secret: &Secret) -> String {
    secret.name.to_ascii_lowercase().replace(['_', '.'], "-")
}

fn by_object<'a>(server: &ServerKey, spec: &'a McpServerSpec) -> BTreeMap<String, Vec<&'a Secret>> {
    let mut objects: BTreeMap<String, Vec<&Secret>> = BTreeMap::new();
    for secret in &spec.secrets {
        objects
            .entry(secret_object_name(server, spec, secret))
            .or_default()
            .push(secret);
    }
    objects
}

/// Nothing where no key in the store is known: then somebody makes the Secret by hand.
fn build_one(
    server: &ValidatedServer,
    settings: &Settings,
    name: &str,
    secrets: &[&Secret],
) -> Option<ExternalSecret> {
    let mut data: Vec<Data> = secrets.iter().filter_map(|secret| datum(secret)).collect();
    if data.is_empty() {
        return None;
    }
    data.sort_by(|a, b| a.secret_key.cmp(&b.secret_key));
    let store = server.spec.secret_store.clone().unwrap_or_default();
    let defaults: &SecretStoreSettings = &settings.secret_store;
    let resource = ManagedKind::ExternalSecret.api_resource();
    let or_default = |value: Option<String>, default: &String| value.unwrap_or(default.clone());
    Some(ExternalSecret {
        api_version: resource.api_version,
        kind: resource.kind,
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..object_meta(server)
        },
        spec: ExternalSecretSpec {
            refresh_interval: or_default(store.refresh_interval, &defaults.refresh_interval),
            secret_store_ref: SecretStoreRef {
                name: or_default(store.name, &defaults.name),
                kind: or_default(store.kind, &defaults.kind),
            },
            // External Secrets copies the labels to the Secret: by them the operator sees that it was rotated.
            target: Target {
                name: name.to_owned(),
                creation_policy: "Owner",
            },
            data,
        },
    })
}

/// Its key in the secret store. A template that has none leaves an empty text.
fn remote_key(secret: &Secret) -> Option<&str> {
    secret
        .aws_secret_key
        .as_deref()
        .filter(|key| !key.is_empty())
}

fn datum(secret: &Secret) -> Option<Data> {
    Some(Data {
        secret_key: secret.name.clone(),
        remote_ref: RemoteRef {
            key: remote_key(secret)?.to_owned(),
            property: secret.property.clone(),
        },
    })
}

/// What the operator writes of an ExternalSecret, of which no Rust type is published.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExternalSecret {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    spec: ExternalSecretSpec,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalSecretSpec {
    refresh_interval: String,
    secret_store_ref: SecretStoreRef,
    target: Target,
    data: Vec<Data>,
}

#[derive(Clone, Debug, Serialize)]
struct SecretStoreRef {
    name: String,
    kind: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    name: String,
    creation_policy: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    secret_key: String,
    remote_ref: RemoteRef,
}

#[derive(Clone, Debug, Serialize)]
struct RemoteRef {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    property: Option<String>,
}
