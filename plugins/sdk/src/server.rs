//! The typed MCPServer.

use std::collections::BTreeMap;
use std::fmt;

use mcp_operator_api::v1alpha1::McpServerSpec;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Where `kubectl apply` keeps a copy of all that was applied, as a text.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An MCPServer. Members that this version of the SDK does not know are in [`Request::object()`](crate::Request::object).
#[derive(Clone, Debug, Deserialize)]
pub struct McpServer {
    /// The metadata that rules need.
    #[serde(default)]
    pub metadata: Metadata,
    /// The specification, as the CRD documents it, with its defaults.
    pub spec: McpServerSpec,
}

/// A part of Kubernetes' `ObjectMeta`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata {
    /// `metadata.name`; empty at admission if the API server generates it.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`, without `kubectl.kubernetes.io/last-applied-configuration`. That one says the object once more, and
    /// reading it takes a tenth of a call of the default rules. It is in [`Request::object()`](crate::Request::object).
    #[serde(deserialize_with = "annotations")]
    pub annotations: BTreeMap<String, String>,
}

fn annotations<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    struct Annotations;

    impl<'de> Visitor<'de> for Annotations {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a map")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Self::Value, M::Error> {
            let mut annotations = BTreeMap::new();
            while let Some(name) = members.next_key::<String>()? {
                if name == LAST_APPLIED {
                    members.next_value::<IgnoredAny>()?;
                } else {
                    annotations.insert(name, members.next_value()?);
                }
            }
            Ok(annotations)
        }
    }

    deserializer.deserialize_map(Annotations)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_kubectl_keeps_in_an_annotation_is_not_read() {
        let metadata = json!({
            "name": "a",
            "annotations": { "a": "1", LAST_APPLIED: "{\"spec\":{}}", "team": "ai" },
        });
        let metadata: Metadata = serde_json::from_value(metadata).unwrap();
        let expected =
            [("a", "1"), ("team", "ai")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(metadata.annotations, BTreeMap::from(expected));
    }

    #[test]
    fn annotations_are_texts() {
        let metadata = json!({ "annotations": { "a": 1 } });
        let error = serde_json::from_value::<Metadata>(metadata).unwrap_err();
        assert!(error.to_string().contains("expected a string"), "{error}");
    }
}
