//! Where an answer differs from what a case expects.
//!
//! An expectation says what it cares about: members that it does not have are not compared. Lists have as many items as are
//! expected, and of findings the order says nothing.

use std::fmt;

use serde_json::Value;

/// One place at which they differ.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// `findings[0].field`.
    path: String,
    expected: Option<Value>,
    found: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<Value>| {
            value
                .as_ref()
                .map_or_else(|| "nothing".to_owned(), Value::to_string)
        };
        writeln!(f, "{}", self.path)?;
        writeln!(f, "  expected {}", text(&self.expected))?;
        write!(f, "  got      {}", text(&self.found))
    }
}

/// All places where `found` lacks what is expected, or has something else.
pub(crate) fn differences(path: &str, expected: &Value, found: &Value) -> Vec<Difference> {
    let mut all = Vec::new();
    compare(path, expected, found, &mut all);
    all
}

fn compare(path: &str, expected: &Value, found: &Value, all: &mut Vec<Difference>) {
    match (expected, found) {
        (Value::Object(wanted), Value::Object(there)) => {
            for (name, wanted) in wanted {
                let path = format!("{path}.{name}");
                match there.get(name) {
                    Some(found) => compare(&path, wanted, found, all),
                    None => all.push(Difference {
                        path,
                        expected: Some(wanted.clone()),
                        found: None,
                    }),
                }
            }
        }
        (Value::Array(wanted), Value::Array(there)) => lists(path, wanted, there, all),
        _ if is_same(expected, found) => {}
        _ => all.push(Difference {
            path: path.to_owned(),
            expected: Some(expected.clone()),
            found: Some(found.clone()),
        }),
    }
}

/// `1` and `1.0` are the same number.
fn is_same(expected: &Value, found: &Value) -> bool {
    expected == found
        || matches!((expected.as_f64(), found.as_f64()), (Some(one), Some(other)) if one.total_cmp(&other).is_eq())
}

/// Items that fit go first, wherever they are; what is left is told in its order.
fn lists(path: &str, expected: &[Value], found: &[Value], all: &mut Vec<Difference>) {
    let has_order = !path.ends_with("findings");
    let mut left: Vec<&Value> = found.iter().collect();
    let mut unmet: Vec<(usize, &Value)> = Vec::new();
    for (index, wanted) in expected.iter().enumerate() {
        let fits = |item: &&Value| differences(path, wanted, item).is_empty();
        match left.iter().position(fits) {
            Some(place) if !has_order => {
                left.remove(place);
            }
            _ => unmet.push((index, wanted)),
        }
    }
    let mut left = left.into_iter();
    for (index, wanted) in unmet {
        let path = format!("{path}[{index}]");
        match left.next() {
            Some(item) => compare(&path, wanted, item, all),
            None => all.push(Difference {
                path,
                expected: Some(wanted.clone()),
                found: None,
            }),
        }
    }
    all.extend(left.zip(expected.len()..).map(|(item, index)| Difference {
        path: format!("{path}[{index}]"),
        expected: None,
        found: Some(item.clone()),
    }));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(path: &str, expected: Value, found: Value) -> Vec<String> {
        let all = differences(path, &expected, &found);
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_what_is_said_is_compared() {
        let found = json!([{ "code": "a", "field": "b", "message": "c" }]);
        assert!(texts("findings", json!([{ "code": "a" }]), found.clone()).is_empty());
        assert_eq!(
            texts("findings", json!([{ "code": "x" }]), found.clone()),
            ["findings[0].code\n  expected \"x\"\n  got      \"a\""]
        );
        assert_eq!(
            texts("findings", json!([]), json!([{ "code": "a" }])),
            ["findings[0]\n  expected nothing\n  got      {\"code\":\"a\"}"]
        );
        assert_eq!(
            texts(
                "findings",
                json!([{ "code": "a" }, { "code": "b" }]),
                json!([{ "code": "b" }])
            ),
            ["findings[0]\n  expected {\"code\":\"a\"}\n  got      nothing"]
        );
        assert_eq!(
            texts("findings", json!([{ "value": 1 }]), json!([{}])),
            ["findings[0].value\n  expected 1\n  got      nothing"]
        );
    }

    #[test]
    fn findings_have_no_order_and_steps_have() {
        let (ab, ba) = (
            json!([{ "a": 1 }, { "a": 2 }]),
            json!([{ "a": 2 }, { "a": 1 }]),
        );
        assert!(texts("findings", ab.clone(), ba.clone()).is_empty());
        assert_eq!(texts("plan.steps", ab, ba).len(), 2);
    }

    #[test]
    fn numbers_are_compared_by_what_they_are() {
        assert!(texts("a", json!(1), json!(1.0)).is_empty());
        assert_eq!(texts("a", json!(1), json!("1")).len(), 1);
    }
}
