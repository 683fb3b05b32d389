//! YAML that every reader understands alike.
//!
//! Readers of YAML 1.1 (kubectl, Python) take `yes` and `010` for a boolean and a number, those of 1.2 for text: such text is
//! quoted.

use serde::Serialize;
pub use serde_saphyr::SerializeError as Error;
use serde_saphyr::ser_options;

/// One document, with a line break at its end.
///
/// # Errors
/// When the value has no form in YAML, such as a map whose keys are no text. JSON always has one.
pub fn to_string(value: &impl Serialize) -> Result<String, Error> {
    // Readers that are made from libyaml refuse a block that begins with a tab, so text of several lines is quoted.
    let options = ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(value, options)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use serde_saphyr::options;

    use super::*;

    #[test]
    fn text_that_looks_like_something_else_is_quoted() {
        let words = json!({ "on": "yes", "a": ["010", "1_000", "0x1f", "12:30", "2026-01-02", "1e3", "93e447655166", "-", ".5", "Null", "~"] });
        assert_eq!(
            to_string(&words).unwrap(),
            "a:\n- \"010\"\n- \"1_000\"\n- \"0x1f\"\n- \"12:30\"\n- \"2026-01-02\"\n- \"1e3\"\n- \"93e447655166\"\n- '-'\n- \".5\"\n- \"Null\"\n- \"~\"\n\"on\": \"yes\"\n"
        );
        let plain = json!({ "image": "ghcr.io/acme/a:1.0.0@sha256:ab", "version": "1.0.0", "cidr": "10.0.0.0/8", "cpu": "500m", "i": 1, "b": true, "f": 0.5, "z": null });
        assert_eq!(
            to_string(&plain).unwrap(),
            "b: true\ncidr: 10.0.0.0/8\ncpu: 500m\nf: 0.5\ni: 1\nimage: ghcr.io/acme/a:1.0.0@sha256:ab\nversion: \"1.0.0\"\nz: null\n"
        );
    }

    #[test]
    fn shapes_are_those_of_manifests() {
        let value = json!({
            "text": "two\nlines\n", "cut": "a\n\n  b", "list": [{ "a": 1, "b": { "c": [] } }, [1, [2]], {}], "odd": " \n",
        });
        assert_eq!(
            to_string(&value).unwrap(),
            "cut: \"a\\n\\n  b\"\nlist:\n- a: 1\n  b:\n    c: []\n- - 1\n  - - 2\n- {}\nodd: \" \\n\"\ntext: \"two\\nlines\\n\"\n"
        );
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            ".*",
            "[ -~\n\t]{0,12}",
            "[-+.0-9a-fxo_:#'\"]{1,6}",
            Just("yes".to_owned()),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// What readers of YAML 1.1 and of YAML 1.2 make of a text. The last one is another implementation.
    fn read(text: &str) -> [Value; 3] {
        let yaml_11 = options! { legacy_octal_numbers: true, strict_booleans: false };
        let yaml_12 = options! { strict_booleans: true };
        let explain = |error: &dyn std::error::Error| Value::from(format!("{error}: {text}"));
        let saphyr = |options| {
            serde_saphyr::from_str_with_options(text, options)
                .unwrap_or_else(|error| explain(&error))
        };
        let libyaml = serde_yaml_ng::from_str(text).unwrap_or_else(|error| explain(&error));
        [saphyr(yaml_11), saphyr(yaml_12), libyaml]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_alike(value in values()) {
            let text = to_string(&value).unwrap();
            for found in read(&text) {
                prop_assert_eq!(&found, &value);
            }
        }
    }
}
