//! Which secrets, and of which store. The store is asked with the platform's identity, which may read all of them.

use mcp_plugin_sdk::{Finding, McpServer, Path};

use super::{not_allowed, spec};
use crate::tenant::Tenant;

pub(crate) const KEY: &str = "secret-key-scope";
pub(crate) const STORE: &str = "secret-store";

pub(crate) fn keys(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let keys = server.spec.secrets.iter().enumerate();
    let keys = keys.filter_map(|(index, secret)| {
        let field = spec().child("secrets").index(index).child("awsSecretKey");
        // Without a key nothing is fetched.
        let key = secret
            .aws_secret_key
            .as_deref()
            .filter(|key| !key.is_empty())?;
        Some((field, key))
    });
    let (plain, ambiguous): (Vec<_>, Vec<_>) = keys.partition(|(_, key)| is_plain(key));
    let mut findings: Vec<Finding> = ambiguous
        .into_iter()
        .map(|(field, key)| {
            let message = "must not have empty parts, parts `.` or `..`, or any of `\\ % ? #` and control characters: some stores read another key then";
            Finding::invalid(KEY, field, key, message)
        })
        .collect();
    let allowed = tenant.allowed("secret-keys", &tenant.settings.secret_keys);
    findings.extend(not_allowed(KEY, allowed, plain));
    findings
}

/// Some stores are reached by HTTP: `team-a/../team-b/key` begins with `team-a/` and is a key of `team-b`.
fn is_plain(key: &str) -> bool {
    // An absolute path is one that a store may write in front of all its names.
    let key = key.strip_prefix('/').unwrap_or(key);
    let is_odd = |c: char| c.is_control() || "\\%?#".contains(c);
    !key.contains(is_odd) && !key.split('/').any(|part| ["", ".", ".."].contains(&part))
}

pub(crate) fn store(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let Some(store) = &server.spec.secret_store else {
        return default_store(tenant, server);
    };
    match (store.kind.as_deref(), store.name.as_deref()) {
        // It is in the namespace of the server.
        (Some("SecretStore"), _) => Vec::new(),
        (None, None) => default_store(tenant, server),
        (Some(_), None) => {
            let message = "name the ClusterSecretStore: which one it is decides whether this namespace may use it";
            vec![Finding::required(STORE, field("name"), message)]
        }
        // Without a kind it is that of the operator's default, which is ClusterSecretStore unless the platform says more.
        (_, Some(name)) => {
            let stores = &tenant.settings.cluster_secret_stores;
            let allowed = tenant.allowed("secret-stores", stores);
            not_allowed(STORE, allowed, [(field("name"), name)])
        }
    }
}

fn default_store(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let fetches = server
        .spec
        .secrets
        .iter()
        .any(|secret| secret.aws_secret_key.is_some());
    if tenant.settings.default_secret_store || !fetches {
        return Vec::new();
    }
    let message = "the platform gives no store to all namespaces: name one, with its kind";
    vec![Finding::required(
        STORE,
        spec().child("secretStore"),
        message,
    )]
}

fn field(member: &str) -> Path {
    spec().child("secretStore").child(member)
}
