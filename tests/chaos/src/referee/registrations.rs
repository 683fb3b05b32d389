//! LiteLLM has each server that is wanted, once, as it was wanted last, and no other of ours.

use std::collections::BTreeMap;

use serde_json::Value;

use super::users::Servers;

/// Ids of entries are `<instance>.<namespace>.<name>`.
const INSTANCE: &str = "mcp-operator.";

pub(crate) fn judge(servers: &Servers, list: &[Value]) -> Vec<String> {
    let mut entries = BTreeMap::<String, Vec<&Value>>::new();
    for entry in list {
        let id = entry["server_id"].as_str().unwrap_or_default();
        if let Some(server) = id.strip_prefix(INSTANCE) {
            let server = server.replacen('.', "/", 1);
            entries.entry(server).or_default().push(entry);
        }
    }
    let mut found = Vec::new();
    for (name, server) in servers.living() {
        let entries = entries.remove(name).unwrap_or_default();
        match entries[..] {
            [] => found.push(format!("{name} is not registered")),
            [entry] => {
                let (said, wanted) = (entry["description"].as_str(), server.description.as_deref());
                if wanted.is_some() && said != wanted {
                    found.push(format!(
                        "{name} is registered as {said:?} instead of {wanted:?}"
                    ));
                }
            }
            _ => found.push(format!("{name} is registered {} times", entries.len())),
        }
    }
    let left = entries.into_keys();
    found.extend(left.map(|name| format!("{name} is registered, and nobody wants it")));
    found
}
