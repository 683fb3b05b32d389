//! An object that is converted: there and back it is the same, and who manages its fields manages the same ones.

use mcp_operator_api::conversion::{convert, convert_fields};
use mcp_operator_api::names::{API_VERSION, BETA_API_VERSION};
use serde_json::Value;
use serde_json::value::RawValue;

pub(crate) fn run(data: &[u8]) {
    let Ok(object) = serde_json::from_slice::<&RawValue>(data) else {
        return;
    };
    if let Ok(there) = convert(object, BETA_API_VERSION) {
        // One that is in that version already was not looked into: a name that is no text is found on the way back.
        match (convert(&there, API_VERSION), convert(object, API_VERSION)) {
            (Ok(back), Ok(once)) => {
                assert!(is_same(&once, &back, "observability"), "{once} and {back}");
            }
            (back, once) => assert!(
                back.is_err() && once.is_err(),
                "{object}: {back:?}, {once:?}"
            ),
        }
    }
    if let Ok(there) = convert_fields(object, API_VERSION, BETA_API_VERSION) {
        let back = convert_fields(&there, BETA_API_VERSION, API_VERSION);
        let back = back.unwrap_or_else(|why| unreachable!("{there}: {why}"));
        assert!(
            is_same(object, &back, "f:observability"),
            "{object} and {back}"
        );
    }
}

/// But for an empty place that was made for probes.
fn is_same(one: &RawValue, other: &RawValue, place: &str) -> bool {
    let read = |raw: &RawValue| {
        let mut value: Value = serde_json::from_str(raw.get()).ok()?;
        for spec in ["spec", "f:spec"] {
            if let Some(spec) = value.get_mut(spec).and_then(Value::as_object_mut)
                && spec
                    .get(place)
                    .is_some_and(|it| it.is_null() || *it == Value::Object(serde_json::Map::new()))
            {
                spec.remove(place);
            }
        }
        Some(value)
    };
    // What nests too deeply for a tree, or has a number that none has, is compared by nobody.
    match (read(one), read(other)) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}
