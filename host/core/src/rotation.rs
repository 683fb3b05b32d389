//! Replaces pods when a Secret that they read has changed.
//!
//! Only Secrets that the pod template names count: the pods read no other one, even if it carries the label. The last hash of
//! each Secret is noted on the Deployment, where a change replaces no pods; the hash that the pods were last replaced for is
//! noted on the pod template. So the pods are not replaced for three things that only look like a change: a Secret that is
//! gone or cannot be read now (its last hash stays), one that is back with the same data, and one that the pods waited for.
//! Nor are they replaced when the key of the hashes is another one: nothing is known then about what has changed, and the new
//! hashes are noted on the Deployment. The hash on the pod template stays until the data of a Secret has changed.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::core::DynamicObject;
use mcp_operator_api::names::annotations::{SECRET_HASH, SECRETS_SEEN};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::hash_key::HashKey;

/// A hash of the data of a Secret. The operator keeps no data of Secrets.
pub type Fingerprint = [u8; 32];

/// Secrets by their names, with a hash of each.
type Seen = BTreeMap<String, String>;

/// Whose the hashes are.
#[derive(Clone, Copy, Debug)]
pub struct HashedFor<'a> {
    /// `namespace/name` of the server: a server that is restored from a backup has another uid, and the same pods.
    pub server: &'a str,
    /// Its uid, by which hashes were made before they were made by the name.
    pub uid: &'a str,
}

impl HashedFor<'_> {
    /// What was seen, with hashes of today in the place of those by the uid, where the data is still the same.
    fn renewed(
        &self,
        mut seen: Seen,
        known: Option<&BTreeMap<String, Fingerprint>>,
        key: &HashKey,
    ) -> Seen {
        for (name, hash) in &mut seen {
            let fingerprint = known.and_then(|known| known.get(name));
            if let Some(fingerprint) = fingerprint
                && *hash == key.hash(self.uid, name, fingerprint)
            {
                *hash = key.hash(self.server, name, fingerprint);
            }
        }
        seen
    }
}

/// Writes the hashes into a Deployment, which makes it replace its pods if they must be.
///
/// `live` is the Deployment in the cluster, `known` has the Secrets with the server's label, and is absent if they cannot be
/// read. Everybody who may read the Deployment can read the hashes, so they have a key that only the operator has: nobody
/// else can find out whether a guess is right. `of` says whose they are: two servers with one password do not show it.
pub fn stamp(
    deployment: &mut Value,
    live: Option<&DynamicObject>,
    known: Option<&BTreeMap<String, Fingerprint>>,
    key: &HashKey,
    of: &HashedFor<'_>,
) {
    let referenced = references(deployment);
    if referenced.is_empty() {
        return;
    }
    let before = live.and_then(seen).map(|seen| of.renewed(seen, known, key));
    let last = |name: &str| before.as_ref()?.get(name).cloned();
    let now: Seen = referenced
        .keys()
        .filter_map(|name| {
            let fingerprint = known.and_then(|known| known.get(*name));
            let hash = fingerprint.map(|fingerprint| key.hash(of.server, name, fingerprint));
            Some(((*name).to_owned(), hash.or_else(|| last(name))?))
        })
        .collect();
    // Without a required Secret no pod has started. Pods that run without an optional one do not notice when it is created.
    let may_run = before.is_some()
        && referenced
            .iter()
            .all(|(name, need)| *need == Need::Optional || last(name).is_some());
    // An empty note says that pods run without any Secret. That is unknown while Secrets cannot be read, and wrong while a
    // required one is missing.
    let run_without = known.is_some() && referenced.values().all(|need| *need == Need::Optional);
    let replaces_pods = |(name, hash): (&String, &String)| match last(name) {
        Some(last) => key.made(&last) && last != *hash,
        None => may_run,
    };
    let stamp = if live.is_none() || now.iter().any(replaces_pods) {
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

/// All Secrets that the containers of a Deployment read, including those that plugins added.
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

fn hash_of_all(seen: &Seen) -> Option<String> {
    (!seen.is_empty()).then(|| hex::encode(&Sha256::digest(json!(seen).to_string())[..8]))
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
