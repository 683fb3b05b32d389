//! Where an outcome differs from the one that is expected. All members of all records count.

use serde_json::Value;

/// Longest text of a value in a difference, in characters.
const SHOWN: usize = 200;

/// The first place at which they differ, as text of some lines.
pub(super) fn difference(path: &str, expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Object(wanted), Value::Object(there)) if wanted.keys().eq(there.keys()) => wanted
            .iter()
            .zip(there.values())
            .find_map(|((name, wanted), there)| {
                difference(&format!("{path}.{name}"), wanted, there)
            }),
        (Value::Array(wanted), Value::Array(there)) if wanted.len() == there.len() => wanted
            .iter()
            .zip(there)
            .enumerate()
            .find_map(|(index, (wanted, there))| {
                difference(&format!("{path}[{index}]"), wanted, there)
            }),
        (Value::String(wanted), Value::String(there)) if is_same_text(wanted, there) => None,
        _ if expected == found => None,
        _ => Some(format!(
            "{}\n       expected {}\n       got      {}",
            path.trim_start_matches('.'),
            shown(expected),
            shown(found)
        )),
    }
}

/// Texts are the same, or are JSON that says the same.
fn is_same_text(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    one == other || read(one).is_some_and(|one| Some(one) == read(other))
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_place_is_named_and_nothing_may_be_left_out() {
        let expected =
            json!({ "ok": [{ "code": "a", "field": null }, { "code": "b", "field": "x" }] });
        assert_eq!(difference("", &expected, &expected), None);
        for (found, path) in [
            (
                json!({ "ok": [{ "code": "a", "field": null }, { "code": "c", "field": "x" }] }),
                "ok[1].code\n",
            ),
            (
                json!({ "ok": [{ "code": "a", "field": null }, { "code": "b" }] }),
                "ok[1]\n",
            ),
            (json!({ "ok": [{ "code": "a", "field": null }] }), "ok\n"),
            (json!("trap"), "\n"),
        ] {
            let said = difference("", &expected, &found).unwrap();
            assert!(said.starts_with(path), "{said}");
        }
    }

    #[test]
    fn json_is_compared_by_what_it_says_and_other_text_to_the_byte() {
        let same = |one: &str, other: &str| difference("", &json!(one), &json!(other)).is_none();
        assert!(same(r#"{"a":1,"b":"ü"}"#, r#"{ "b": "\u00fc", "a": 1 }"#));
        assert!(!same(r#"{"a":1}"#, r#"{"a":2}"#));
        assert!(same("no JSON", "no JSON") && !same("no JSON", "no  JSON"));
    }
}
