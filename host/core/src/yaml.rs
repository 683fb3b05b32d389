//! YAML that every reader understands alike.
//!
//! Readers of YAML 1.1 (kubectl, Python) take `yes` and `010` for a truth value and a number, those of 1.2 for text, and
//! the serializer knows only the latter. So text that one of them could misread is quoted here.

use std::fmt::Write;

use serde_json::{Map, Value};

/// Words that are no text in YAML 1.1.
const WORDS: [&str; 12] = [
    "<<", "=", "~", "false", "n", "no", "null", "off", "on", "true", "y", "yes",
];

/// One document, with a line break at its end.
pub fn to_string(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => object(members, 0, &mut out),
        Value::Array(items) if !items.is_empty() => array(items, 0, &mut out),
        other => {
            out = scalar(other, 2);
            out.push('\n');
        }
    }
    out
}

fn object(members: &Map<String, Value>, indent: usize, out: &mut String) {
    for (index, (name, value)) in members.iter().enumerate() {
        // The first member of an item stands on the line of its dash.
        if index > 0 || !out.ends_with("- ") {
            pad(indent, out);
        }
        out.push_str(&one_line(name));
        out.push(':');
        match value {
            Value::Object(members) if !members.is_empty() => {
                out.push('\n');
                object(members, indent + 2, out);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                array(items, indent, out);
            }
            other => {
                // Writing to a String does not fail.
                let _ = writeln!(out, " {}", scalar(other, indent + 2));
            }
        }
    }
}

fn array(items: &[Value], indent: usize, out: &mut String) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 || !out.ends_with("- ") {
            pad(indent, out);
        }
        out.push_str("- ");
        match item {
            Value::Object(members) if !members.is_empty() => object(members, indent + 2, out),
            Value::Array(items) if !items.is_empty() => array(items, indent + 2, out),
            other => {
                let _ = writeln!(out, "{}", scalar(other, indent + 2));
            }
        }
    }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn scalar(value: &Value, indent: usize) -> String {
    match value {
        Value::String(text) if text.contains('\n') => block(text, indent),
        Value::String(text) => one_line(text),
        other => other.to_string(),
    }
}

fn one_line(text: &str) -> String {
    if is_ambiguous(text) {
        return format!("'{text}'");
    }
    match serde_yaml_ng::to_string(text) {
        Ok(written) if written.lines().count() == 1 => written.trim_end().to_owned(),
        _ => quoted(text),
    }
}

/// Text of several lines, below its key. What does not fit that notation is quoted.
fn block(text: &str, indent: usize) -> String {
    let is_printable = text.chars().all(|c| c == '\n' || !c.is_control());
    let trailing = text.len() - text.trim_end_matches('\n').len();
    if !is_printable || trailing > 1 || !starts_plainly(text) || has_breaks(text) {
        return quoted(text);
    }
    let mut out = String::from(if trailing == 0 { "|-" } else { "|" });
    for line in text.lines() {
        out.push('\n');
        if !line.is_empty() {
            pad(indent, &mut out);
            out.push_str(line);
        }
    }
    out
}

/// The indentation of a block is that of its first line.
fn starts_plainly(text: &str) -> bool {
    text.starts_with(|c: char| !c.is_whitespace())
}

/// Characters that are line breaks for some readers, and the mark of a text's beginning.
fn has_breaks(text: &str) -> bool {
    text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'])
}

/// As in JSON, which YAML understands.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Whether plain text would be a word or number for a reader of YAML 1.1.
fn is_ambiguous(text: &str) -> bool {
    let is_word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    let starts = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let is_number_like = |c: char| c.is_ascii_hexdigit() || "xXoO_.:+-".contains(c);
    let is_version = text.matches('.').count() > 1;
    is_word || (starts && !is_version && text.chars().all(is_number_like))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn text_that_looks_like_something_else_is_quoted() {
        let words = json!({ "on": "yes", "a": ["010", "1_000", "0x1f", "12:30", "2026-01-02", "1e3", "-", ".5", "Null", "~"] });
        assert_eq!(
            to_string(&words),
            "a:\n- '010'\n- '1_000'\n- '0x1f'\n- '12:30'\n- '2026-01-02'\n- '1e3'\n- '-'\n- '.5'\n- 'Null'\n- '~'\n'on': 'yes'\n"
        );
        let plain = json!({ "image": "ghcr.io/acme/a:1.0.0@sha256:ab", "version": "1.0.0", "cidr": "10.0.0.0/8", "cpu": "500m", "i": 1, "b": true, "f": 0.5, "z": null });
        assert_eq!(
            to_string(&plain),
            "b: true\ncidr: 10.0.0.0/8\ncpu: 500m\nf: 0.5\ni: 1\nimage: ghcr.io/acme/a:1.0.0@sha256:ab\nversion: 1.0.0\nz: null\n"
        );
    }

    #[test]
    fn shapes_are_those_of_manifests() {
        let value = json!({
            "text": "two\nlines\n", "cut": "a\n\n  b", "list": [{ "a": 1, "b": { "c": [] } }, [1, [2]], {}], "odd": " \n",
        });
        assert_eq!(
            to_string(&value),
            "cut: |-\n  a\n\n    b\nlist:\n- a: 1\n  b:\n    c: []\n- - 1\n  - - 2\n- {}\nodd: \" \\n\"\ntext: |\n  two\n  lines\n"
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

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in values()) {
            let text = to_string(&value);
            let read: Value = serde_yaml_ng::from_str(&text).unwrap_or_else(|error| Value::from(format!("{error}: {text}")));
            prop_assert_eq!(read, value);
        }
    }
}
