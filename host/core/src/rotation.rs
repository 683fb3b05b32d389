//! Replaces pods when a Secret that they read has changed.
//!
//! Only Secrets that the pod template names count: another one that carries the label is not read by the pods. What was
//! last seen of each is noted on the Deployment, where it replaces nobody, and what the pods were last replaced for on the
//! pod template. So three things leave the pods alone that only look like a change: a Secret that is gone or cannot be
//! read now (its last hash stays), one that is back with the same data, and one that they waited for.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use kube::ResourceExt;
use kube::core::DynamicObject;
use mcp_operator_api::names::annotations::{SECRET_HASH, SECRETS_SEEN};
use serde_json::{Value, json};
use sha2::Sha256;

/// What is known about the data of a Secret: never the data itself.
pub type Fingerprint = [u8; 32];

/// Secrets by their names, with a hash of each.
type Seen = BTreeMap<String, String>;

/// Puts into a Deployment what makes it replace its pods, if that must be.
///
/// `live` is the Deployment that there is, `known` what is known of the Secrets with the server's label; none if they
/// cannot be read. Hashes are keyed, because everybody who may see a Deployment can read them: the same password gives
/// another hash under another key, and none that a list of known hashes has.
pub fn stamp(
    deployment: &mut Value,
    live: Option<&DynamicObject>,
    known: Option<&BTreeMap<String, Fingerprint>>,
    key: &str,
) {
    let referenced = references(deployment);
    if referenced.is_empty() {
        return;
    }
    let before = live.and_then(seen);
    let last = |name: &str| before.as_ref()?.get(name).cloned();
    let now: Seen = referenced
        .keys()
        .filter_map(|name| {
            let fingerprint = known.and_then(|known| known.get(*name));
            let hash = fingerprint.and_then(|fingerprint| hash(key, name, fingerprint));
            Some(((*name).to_owned(), hash.or_else(|| last(name))?))
        })
        .collect();
    // Without a required one no pod has started. Pods that run without an optional one do not know that it came.
    let may_run = before.is_some()
        && referenced
            .iter()
            .all(|(name, need)| *need == Need::Optional || last(name).is_some());
    // An empty note means that pods run without any: while a required one is missing they do not run, and where nothing
    // could be seen yet nobody knows.
    let run_without = known.is_some() && referenced.values().all(|need| *need == Need::Optional);
    let is_reason = |(name, hash): (&String, &String)| match last(name) {
        Some(last) => last != *hash,
        None => may_run,
    };
    let stamp = if live.is_none() || now.iter().any(is_reason) {
        hash_of_all(&now)
    } else {
        live.and_then(stamped)
    };
    if let Some(stamp) = stamp {
        annotate(
            &mut deployment["spec"]["template"]["metadata"],
            SECRET_HASH,
            &stamp,
        );
    }
    if before.is_some() || !now.is_empty() || run_without {
        annotate(
            &mut deployment["metadata"],
            SECRETS_SEEN,
            &json!(now).to_string(),
        );
    }
}

/// Whether a pod starts without a Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    Optional,
    Required,
}

/// Whether the containers of a Deployment read any Secret.
pub fn reads_secrets(deployment: &Value) -> bool {
    !references(deployment).is_empty()
}

/// All Secrets that the containers of a Deployment read, whoever put them in.
fn references<'a>(deployment: &'a Value) -> BTreeMap<&'a str, Need> {
    let pod = &deployment["spec"]["template"]["spec"];
    let mut found = BTreeMap::new();
    let mut add = |reference: &'a Value, name: &str| {
        let Some(name) = reference[name].as_str() else {
            return;
        };
        let need = if reference["optional"] == true {
            Need::Optional
        } else {
            Need::Required
        };
        let known = found.entry(name).or_insert(need);
        *known = need.max(*known);
    };
    for container in ["initContainers", "containers"]
        .iter()
        .flat_map(|list| items(&pod[*list]))
    {
        for source in items(&container["envFrom"]) {
            add(&source["secretRef"], "name");
        }
        for variable in items(&container["env"]) {
            add(&variable["valueFrom"]["secretKeyRef"], "name");
        }
    }
    for volume in items(&pod["volumes"]) {
        add(&volume["secret"], "secretName");
        for source in items(&volume["projected"]["sources"]) {
            add(&source["secret"], "name");
        }
    }
    found
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn seen(live: &DynamicObject) -> Option<Seen> {
    serde_json::from_str(live.annotations().get(SECRETS_SEEN)?).ok()
}

fn stamped(live: &DynamicObject) -> Option<String> {
    let annotations = &live.data["spec"]["template"]["metadata"]["annotations"];
    Some(annotations[SECRET_HASH].as_str()?.to_owned())
}

fn annotate(metadata: &mut Value, name: &str, value: &str) {
    metadata["annotations"][name] = json!(value);
}

fn hash(key: &str, name: &str, fingerprint: &Fingerprint) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(name.as_bytes());
    mac.update(&[0]);
    mac.update(fingerprint);
    Some(hex::encode(&mac.finalize().into_bytes()[..8]))
}

fn hash_of_all(seen: &Seen) -> Option<String> {
    use sha2::Digest;
    (!seen.is_empty()).then(|| hex::encode(&Sha256::digest(json!(seen).to_string())[..8]))
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
