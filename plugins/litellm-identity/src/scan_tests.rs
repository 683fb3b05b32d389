use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// What a parser of all JSON would say.
fn scanned(text: &str) -> Result<Vec<Map<String, Value>>, Unreadable> {
    let mut list = Vec::new();
    objects(text, |members| {
        let mut object = Map::new();
        while let Some((key, value)) = members.next()? {
            object.insert(key.into_owned(), value.read()?);
        }
        list.push(object);
        Ok(())
    })?;
    Ok(list)
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any_text(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// Full of what ends texts, lists and objects.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[\"\\\\{}\\[\\],: a\n]{0,20}", "\\PC{0,20}"]
}

proptest! {
    #[test]
    fn reads_what_a_parser_reads(
        list in prop::collection::vec(prop::collection::btree_map(any_text(), any_value(), 0..6), 0..4),
        is_pretty in any::<bool>(),
    ) {
        let write = if is_pretty { serde_json::to_string_pretty } else { serde_json::to_string };
        let text = write(&list).unwrap();
        prop_assert_eq!(json!(scanned(&text).unwrap()), serde_json::from_str::<Value>(&text).unwrap());
        // What was cut off is noticed, wherever.
        for end in 0..text.len() {
            if text.is_char_boundary(end) {
                prop_assert!(scanned(&text[..end]).is_err(), "{}", &text[..end]);
            }
        }
    }

    #[test]
    fn any_text_has_an_answer(text in "[\"\\\\{}\\[\\],: a1\n]{0,40}|\\PC*") {
        let parsed = serde_json::from_str::<Vec<Map<String, Value>>>(&text);
        let scanned = scanned(&text);
        // With all members read, it is as strict as a parser.
        prop_assert_eq!(scanned.is_ok(), parsed.is_ok());
    }

    #[test]
    fn the_end_of_a_text_is_found(plain in "[^\"\\\\\\x00-\\x1f]{0,40}", special in "[\"\\\\\\x00-\\x1f]", after in "(?s).{0,20}") {
        prop_assert_eq!(plain_prefix(format!("{plain}{special}{after}").as_bytes()), plain.len());
        prop_assert_eq!(plain_prefix(plain.as_bytes()), plain.len());
    }
}

#[test]
fn only_lists_of_objects() {
    for text in [
        "",
        "{}",
        "<html>",
        "[1]",
        "[{}",
        "[{},]",
        "[{} {}]",
        "[,{}]",
        "[{}] x",
        r#"[{"a":}]"#,
        r#"[{"a" 1}]"#,
        r"[{1:1}]",
    ] {
        assert!(scanned(text).is_err(), "{text}");
    }
    assert_eq!(
        scanned(" [ { \"a\\u0062\" : \"c\\n\" } ] ").unwrap()[0]["ab"],
        "c\n"
    );
}
