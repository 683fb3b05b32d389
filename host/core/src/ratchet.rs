//! Ratcheting: a rule judges what an update changes.
//!
//! A rule that became stricter finds faults in objects that were admitted before it. If it refused every later update of them,
//! nobody could label such a server, take a finalizer away or scale it, and one of them would stop a whole folder of manifests
//! in Git. What was found before, and is left alone by the update, is therefore told as a warning.

use serde_json::{Map, Value};

use crate::admission::{Finding, Outcome};
use crate::field::{ErrorType, FieldError};

/// Annotations that follow from the rest of the object, so that they say nothing about what somebody changed.
const DERIVED_ANNOTATIONS: [&str; 3] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    mcp_operator_api::names::annotations::DEFAULTS,
    mcp_operator_api::names::annotations::PLUGINS_REVISION,
];

/// Makes warnings of the findings in `new` that the same plugin has in `old` (`before`), in a value that is the same in both.
/// Says whether there are any.
pub fn ratchet(outcomes: &mut [Outcome], before: &[Outcome], old: &Value, new: &Value) -> bool {
    let mut lowered = false;
    for outcome in outcomes {
        let known = before.iter().find(|known| known.plugin == outcome.plugin);
        let Some(known) = known.and_then(|known| known.result.as_ref().ok()) else {
            continue;
        };
        for finding in outcome.result.iter_mut().flatten() {
            if !finding.warning && is_left_alone(&finding.error, known, old, new) {
                finding.warning = true;
                lowered = true;
            }
        }
    }
    lowered
}

fn is_left_alone(error: &FieldError, known: &[Finding], old: &Value, new: &Value) -> bool {
    let place = Place::of(&error.field, new);
    let was_known = known.iter().any(|known| {
        Place::of(&known.error.field, old) == place
            && FieldError {
                field: error.field.clone(),
                ..known.error.clone()
            } == *error
    });
    was_known && place.is_same(error.error_type, old, new)
}

/// A field, in which items of a list that have a name are found by it: somebody may have put another item before them.
#[derive(Debug, PartialEq, Eq)]
struct Place(Vec<Step>);

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Named(String),
    Index(usize),
}

impl Place {
    /// Reads a path in apimachinery's notation.
    fn of(field: &str, object: &Value) -> Self {
        let mut at = Some(object);
        let mut steps = Vec::new();
        for part in parts(field) {
            let step = match (at, part.parse::<usize>()) {
                (Some(Value::Array(items)), Ok(index)) => {
                    let name = items.get(index).and_then(|item| item["name"].as_str());
                    name.map_or(Step::Index(index), |name| Step::Named(name.to_owned()))
                }
                _ => Step::Member(part.to_owned()),
            };
            at = at.and_then(|value| step.of(value));
            steps.push(step);
        }
        Self(steps)
    }

    /// Whether it has the same value in both. A field that is in neither is the same if it is missing; where something else
    /// is wrong with it, what would hold it must be the same.
    fn is_same(&self, error: ErrorType, old: &Value, new: &Value) -> bool {
        let (Some(old), Some(new)) = (judged(old), judged(new)) else {
            return false;
        };
        match (self.value(&old), self.value(&new)) {
            (None, None) => error == ErrorType::Required || self.is_held_by_same(&old, &new),
            (before, after) => before == after,
        }
    }

    fn value<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(object, |value, step| step.of(value))
    }

    fn is_held_by_same(&self, mut old: &Value, mut new: &Value) -> bool {
        for step in &self.0 {
            match (step.of(old), step.of(new)) {
                (Some(before), Some(after)) => (old, new) = (before, after),
                _ => break,
            }
        }
        old == new
    }
}

impl Step {
    fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Member(name) => value.get(name),
            Self::Index(index) => value.get(index),
            Self::Named(name) => {
                let mut items = value.as_array()?.iter();
                items.find(|item| item["name"].as_str() == Some(name))
            }
        }
    }
}

/// What people write and rules judge: not the bookkeeping of the API server.
fn judged(object: &Value) -> Option<Value> {
    let member = |name: &str| object["metadata"].get(name).cloned();
    let mut metadata = Map::new();
    metadata.extend(member("labels").map(|labels| ("labels".to_owned(), labels)));
    if let Some(Value::Object(mut annotations)) = member("annotations") {
        annotations.retain(|name, _| !DERIVED_ANNOTATIONS.contains(&name.as_str()));
        metadata.insert("annotations".to_owned(), annotations.into());
    }
    let mut judged = object.as_object()?.clone();
    judged.remove("status");
    judged.insert("metadata".to_owned(), metadata.into());
    Some(judged.into())
}

/// `metadata.labels[example.com/team]` has the parts `metadata`, `labels` and `example.com/team`.
fn parts(field: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = field;
    while !rest.is_empty() {
        let end = if let Some(inside) = rest.strip_prefix('[') {
            let end = inside.find(']').unwrap_or(inside.len());
            parts.push(&inside[..end]);
            end + 2
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            parts.push(&rest[..end]);
            end
        };
        rest = rest.get(end..).unwrap_or_default();
        rest = rest.strip_prefix('.').unwrap_or(rest);
    }
    parts
}

#[cfg(test)]
#[path = "ratchet_tests.rs"]
mod tests;
