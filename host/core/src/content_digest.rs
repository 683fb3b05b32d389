//! ConfigMaps as they are kept and compared: with a digest of their data in its place.
//!
//! A server may have several, of a quarter of a mebibyte each, and all that is asked of them is whether they are as they
//! were made.

use kube::core::DynamicObject;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Digest of the data of a ConfigMap, in hexadecimal digits.
pub fn digest(data: &Value) -> String {
    hex::encode(Sha256::digest(data.to_string()))
}

/// The data of a manifest of a ConfigMap becomes its digest.
pub fn summarize(config_map: &mut Value) {
    let data = &config_map["data"];
    if data.is_object() {
        config_map["data"] = json!(digest(data));
    }
}

/// The data of a ConfigMap of the cluster becomes its digest, and whoever holds a part of the data holds that.
pub fn summarize_live(config_map: &mut DynamicObject) {
    if config_map.data["data"].is_object() {
        summarize(&mut config_map.data);
    }
    for entry in config_map.metadata.managed_fields.iter_mut().flatten() {
        if let Some(fields) = &mut entry.fields_v1
            && let Some(data) = fields.0.get_mut("f:data")
        {
            *data = json!({});
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssa_diff::differences;

    fn config_map(data: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a", "labels": { "a": "b" } }, "immutable": true, "data": data,
        })
    }

    /// Paths of what an apply would change, with digests in the place of the data.
    fn found(desired: &Value, live: &Value) -> Vec<String> {
        let mut object = config_map(live);
        object["metadata"]["managedFields"] = json!([{
            "manager": "me", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": { "f:labels": { "f:a": {} } }, "f:data": { "f:a": {} }, "f:immutable": {},
            },
        }]);
        let mut live: DynamicObject = serde_json::from_value(object).unwrap();
        for _ in 0..2 {
            summarize_live(&mut live);
        }
        assert!(!json!(live).to_string().contains("secret"));
        let mut desired = config_map(desired);
        summarize(&mut desired);
        let found = differences(&desired, &json!(live), "me").into_iter();
        found.map(|difference| difference.path).collect()
    }

    #[test]
    fn the_digests_of_the_same_data_are_the_same_and_of_other_data_are_not() {
        let data = json!({ "a": "secret" });
        assert_eq!(found(&data, &data), [""; 0]);
        for other in [
            json!({ "a": "secret2" }),
            json!({ "b": "secret" }),
            json!({ "a": "secret", "b": "c" }),
            json!({}),
        ] {
            assert_eq!(found(&data, &other), [".data"], "{other}");
        }
    }
}
