use serde_json::{Map, Value, json};

use super::*;

fn schema(definition: &CustomResourceDefinition, version: &str) -> Value {
    let versions = &definition.spec.versions;
    let version = versions.iter().find(|it| it.name == version).unwrap();
    let schema = version.schema.as_ref().unwrap();
    serde_json::to_value(schema.open_api_v3_schema.as_ref().unwrap()).unwrap()
}

#[test]
fn what_is_stored_is_always_served_and_the_other_version_only_if_somebody_asks() {
    for serves_beta in [false, true] {
        let [servers, plugins] = all(serves_beta);
        let versions: Vec<_> = servers
            .spec
            .versions
            .iter()
            .map(|version| (version.name.as_str(), version.served, version.storage))
            .collect();
        // The stored one first: programs of this project take the first.
        assert_eq!(
            versions,
            [("v1alpha1", true, true), ("v1beta1", serves_beta, false)]
        );
        assert_eq!(servers.spec.conversion, None, "the operator's own");
        assert_eq!(plugins.spec.versions.len(), 1);
    }
}

fn without_descriptions(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("description").is_some_and(Value::is_string) {
                members.remove("description");
            }
            members.values_mut().for_each(without_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(without_descriptions),
        _ => {}
    }
}

fn rename(members: &mut Value, names: &[(&str, &str)]) {
    let Some(members) = members.as_object_mut() else {
        return;
    };
    for (from, to) in names {
        if let Some(member) = members.remove(*from) {
            members.insert((*to).to_owned(), member);
        }
    }
}

/// Renames fields of an object, in its properties and in its default.
fn renamed(schema: &mut Value, names: &[(&str, &str)]) {
    for part in ["properties", "default"] {
        if let Some(part) = schema.get_mut(part) {
            rename(part, names);
        }
    }
}

/// Whatever may be said in one version may be said in the other, with the same bounds, rules and defaults.
#[test]
fn versions_differ_in_where_fields_are_and_in_nothing_else() {
    let [servers, _] = all(true);
    let (mut alpha, mut beta) = (schema(&servers, "v1alpha1"), schema(&servers, "v1beta1"));
    without_descriptions(&mut alpha);
    without_descriptions(&mut beta);
    let fields = &mut alpha["properties"]["spec"]["properties"];
    renamed(
        &mut fields["affinity"],
        &[("podAntiAffinity", "nodes"), ("zoneSpread", "zones")],
    );
    rename(fields, &[("affinity", "spread")]);
    renamed(&mut fields["secrets"]["items"], &[("awsSecretKey", "key")]);
    renamed(
        &mut fields["litellm"],
        &[("allowedUserGroups", "accessGroups")],
    );
    let observability = &mut fields["observability"];
    let mut default = observability["default"].take();
    rename(&mut default, &[("healthProbes", "probes")]);
    let mut probes = Map::new();
    let members = observability["properties"].as_object_mut().unwrap();
    probes.extend(
        members
            .remove("healthProbes")
            .unwrap()
            .as_object()
            .cloned()
            .unwrap(),
    );
    let nothing = default.as_object_mut().unwrap().remove("probes").unwrap();
    assert_eq!(probes["default"], nothing);
    observability["default"] = default;
    let tracing = &mut observability["properties"]["tracing"];
    renamed(tracing, &[("jaegerEndpoint", "endpoint")]);
    let text = tracing.to_string().replace("jaegerEndpoint", "endpoint");
    *tracing = serde_json::from_str(&text).unwrap();
    fields["probes"] = Value::Object(probes);
    let difference = |one: &Value, other: &Value| -> Vec<String> {
        let mut names: Vec<_> = one.as_object().unwrap().keys().collect();
        names.extend(other.as_object().unwrap().keys());
        let differs = names.into_iter().filter(|name| one[*name] != other[*name]);
        differs.cloned().collect()
    };
    let spec = "/properties/spec/properties";
    let (one, other) = (alpha.pointer(spec).unwrap(), beta.pointer(spec).unwrap());
    assert_eq!(difference(one, other), Vec::<String>::new());
    assert_eq!(alpha, beta);
    let columns = |at: usize| json!(servers.spec.versions[at].additional_printer_columns);
    assert_eq!(columns(0), columns(1));
    let subresources = |at: usize| json!(servers.spec.versions[at].subresources);
    assert_eq!(subresources(0), subresources(1));
}
