//! In which fields an adopted pod template differs from the one that the operator would make.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Members by which the items of lists in pods are told from each other.
const KEYS: [&str; 4] = ["name", "mountPath", "containerPort", "topologyKey"];

/// Paths below `spec.template` of the Deployment. Of what only the adopted template has, items of lists, labels and annotations
/// count: other fields may be defaults of the API server.
pub(super) fn differences(wanted: &Value, adopted: &Value) -> Vec<String> {
    let mut found = BTreeSet::new();
    compare("", wanted, adopted, &mut found);
    found.into_iter().collect()
}

fn compare(path: &str, wanted: &Value, adopted: &Value, found: &mut BTreeSet<String>) {
    match (wanted, adopted) {
        (Value::Object(wanted), Value::Object(adopted)) => members(path, wanted, adopted, found),
        (Value::Array(wanted), Value::Array(adopted)) => items(path, wanted, adopted, found),
        (wanted, adopted) if wanted != adopted => drop(found.insert(path.to_owned())),
        _ => {}
    }
}

fn members(
    path: &str,
    wanted: &Map<String, Value>,
    adopted: &Map<String, Value>,
    found: &mut BTreeSet<String>,
) {
    let null = Value::Null;
    for (name, value) in wanted {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        compare(&path, value, adopted.get(name).unwrap_or(&null), found);
    }
    if path.ends_with(".labels") || path.ends_with(".annotations") {
        let more = adopted.keys().filter(|name| !wanted.contains_key(*name));
        found.extend(more.map(|name| format!("{path}.{name}")));
    }
}

fn items(path: &str, wanted: &[Value], adopted: &[Value], found: &mut BTreeSet<String>) {
    // The only container of a pod is the same one, whatever its name.
    if path.ends_with("containers") && wanted.len() == 1 && adopted.len() == 1 {
        let path = format!("{path}[{}]", adopted[0]["name"].as_str().unwrap_or("0"));
        return compare(&path, &wanted[0], &adopted[0], found);
    }
    let key = KEYS.into_iter().find(|key| {
        wanted
            .iter()
            .chain(adopted)
            .all(|item| !item[*key].is_null())
    });
    let Some(key) = key else {
        if wanted.len() != adopted.len() {
            found.insert(path.to_owned());
            return;
        }
        for (wanted, adopted) in wanted.iter().zip(adopted) {
            compare(path, wanted, adopted, found);
        }
        return;
    };
    let text = |item: &Value| match &item[key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    for item in wanted {
        let path = format!("{path}[{}]", text(item));
        match adopted.iter().find(|other| other[key] == item[key]) {
            Some(other) => compare(&path, item, other, found),
            None => drop(found.insert(path)),
        }
    }
    let more = adopted
        .iter()
        .filter(|item| !wanted.iter().any(|other| other[key] == item[key]));
    found.extend(more.map(|item| format!("{path}[{}]", text(item))));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_named_and_defaults_are_none() {
        let wanted = json!({
            "metadata": { "labels": { "a": "1" } },
            "spec": { "containers": [{ "name": "server", "image": "i:2", "args": ["--x"], "env": [{ "name": "A", "value": "1" }, { "name": "B" }] }] },
        });
        let mut adopted = wanted.clone();
        adopted["spec"]["dnsPolicy"] = "ClusterFirst".into();
        assert_eq!(differences(&wanted, &adopted), [""; 0]);
        adopted["metadata"]["labels"] = json!({ "a": "1", "app": "mcp" });
        adopted["spec"]["containers"] = json!([{ "name": "mcp", "image": "i:1", "env": [{ "name": "A", "value": "2" }, { "name": "C" }] }]);
        assert_eq!(
            differences(&wanted, &adopted),
            [
                "metadata.labels.app",
                "spec.containers[mcp].args",
                "spec.containers[mcp].env[A].value",
                "spec.containers[mcp].env[B]",
                "spec.containers[mcp].env[C]",
                "spec.containers[mcp].image",
                "spec.containers[mcp].name",
            ]
        );
    }
}
