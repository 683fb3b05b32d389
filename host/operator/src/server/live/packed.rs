//! Objects as JSON text, packed.
//!
//! As trees, the many small maps of `managedFields` take some twenty times as much memory as text, and an object is looked
//! at rarely. The objects of a kind say nearly the same: beside one of them, another takes a tenth of its text.

use std::sync::{Arc, OnceLock};

use kube::api::DynamicObject;
use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};

/// What the objects of a kind are packed against: the first one. It stays, so that two of them that are packed differ only
/// if their texts do.
#[derive(Default)]
pub(super) struct Pattern(OnceLock<Arc<[u8]>>);

/// An object as text.
#[derive(Clone)]
pub(super) struct Packed {
    bytes: Arc<[u8]>,
    pattern: Arc<[u8]>,
}

impl Pattern {
    /// Packs the text of an object.
    pub(super) fn pack(&self, text: &[u8]) -> Packed {
        let pattern = self.0.get_or_init(|| text.into());
        Packed {
            bytes: compress_prepend_size_with_dict(text, pattern).into(),
            pattern: Arc::clone(pattern),
        }
    }
}

impl Packed {
    /// The object; what came as JSON can become JSON again.
    pub(super) fn object(&self) -> Option<DynamicObject> {
        let text = decompress_size_prepended_with_dict(&self.bytes, &self.pattern).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

impl PartialEq for Packed {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(name: &str) -> Vec<u8> {
        let fields = json!({ "f:spec": { "f:ports": { ".": {}, "k:{\"port\":8080}": { ".": {}, "f:name": {}, "f:port": {} } } } });
        let object = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": name, "managedFields": [{ "manager": "mcp-operator", "fieldsV1": fields }] },
            "spec": { "ports": [{ "name": "mcp", "port": 8080 }] },
        });
        serde_json::to_vec(&object).unwrap()
    }

    #[test]
    fn every_object_comes_out_as_it_went_in() {
        let pattern = Pattern::default();
        for name in ["first", "second", ""] {
            let text = text(name);
            let object: DynamicObject = serde_json::from_slice(&text).unwrap();
            assert_eq!(pattern.pack(&text).object(), Some(object));
        }
        let other = br#"{"metadata":{}}"#;
        assert!(pattern.pack(other).object().is_some());
    }

    #[test]
    fn objects_that_say_nearly_the_same_take_little() {
        let pattern = Pattern::default();
        pattern.pack(&text("first"));
        let (one, other) = (text("one"), text("other"));
        let packed = pattern.pack(&one);
        assert!(packed.bytes.len() * 4 < one.len(), "{}", packed.bytes.len());
        assert!(packed == pattern.pack(&one) && packed != pattern.pack(&other));
    }
}
