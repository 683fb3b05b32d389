//! Scalars that Kubernetes writes as a number or as text.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// A resource quantity in Kubernetes' notation, for example `100m` or `512Mi`.
///
/// Kept as the user wrote it; a bare number becomes text.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Quantity(pub String);

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Number(number) => Ok(Self(number.to_string())),
            other => Err(serde::de::Error::custom(format!(
                "expected a quantity such as \"100m\", found {other}"
            ))),
        }
    }
}

impl Quantity {
    /// Whether the quantity is absent in effect: empty, or zero in any unit.
    pub fn is_zero(&self) -> bool {
        let digits = self.0.trim_start_matches(['+', '-']);
        let number = digits
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .map_or(digits, |end| &digits[..end]);
        number.chars().all(|c| c == '0' || c == '.')
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A number of pods or a percentage of them, for example `1` or `50%`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum IntOrPercent {
    /// A number of pods.
    Int(i32),
    /// A percentage, with the sign.
    Percent(String),
}

#[cfg(feature = "crd")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator};

    impl JsonSchema for super::Quantity {
        fn schema_name() -> Cow<'static, str> {
            "Quantity".into()
        }
        fn inline_schema() -> bool {
            true
        }
        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            crate::schema::quantity(generator)
        }
    }

    impl JsonSchema for super::IntOrPercent {
        fn schema_name() -> Cow<'static, str> {
            "IntOrPercent".into()
        }
        fn inline_schema() -> bool {
            true
        }
        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            crate::schema::int_or_percent(generator)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_may_be_a_number() {
        let quantity: Quantity = serde_json::from_str("2").unwrap();
        assert_eq!(quantity, Quantity("2".into()));
        assert!(serde_json::from_str::<Quantity>("true").is_err());
    }

    #[test]
    fn zero_has_many_spellings() {
        for zero in ["", "0", "0m", "0Mi", "0.0", "-0"] {
            assert!(Quantity(zero.into()).is_zero(), "{zero:?}");
        }
        for some in ["1", "100m", "0.5", "10Mi", "1e3"] {
            assert!(!Quantity(some.into()).is_zero(), "{some:?}");
        }
    }
}
