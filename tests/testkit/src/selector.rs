//! Which objects a list or a watch is about.

use serde_json::Value;

use crate::request::Request;
use crate::status::Failure;

/// Fields that can be selected of every kind.
const NAMES: [&str; 2] = ["metadata.name", "metadata.namespace"];
/// The same of events, besides those.
const OF_EVENTS: [&str; 4] = ["reason", "regarding.kind", "regarding.name", "type"];

/// Namespace, labels and fields that an object must have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    namespace: String,
    labels: Vec<Requirement>,
    fields: Vec<Requirement>,
}

#[derive(Clone, Debug)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Exists,
    Missing,
    In(Vec<String>),
    NotIn(Vec<String>),
}

impl Requirement {
    fn parse(text: &str) -> Self {
        let (text, values) = match text.split_once('(') {
            Some((before, values)) => {
                let values = values.trim_end_matches(')').split(',');
                let values = values.map(|value| value.trim().to_owned()).collect();
                (before.trim(), Some(values))
            }
            None => (text.trim(), None),
        };
        let one = |value: &str| vec![value.trim().to_owned()];
        let (key, test) = if let Some(values) = values {
            match text.strip_suffix(" notin") {
                Some(key) => (key, Test::NotIn(values)),
                None => (text.strip_suffix(" in").unwrap_or(text), Test::In(values)),
            }
        } else if let Some(key) = text.strip_prefix('!') {
            (key, Test::Missing)
        } else if let Some((key, value)) = text.split_once("!=") {
            (key, Test::NotIn(one(value)))
        } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
            (key, Test::In(one(value)))
        } else {
            (text, Test::Exists)
        };
        Self {
            key: key.trim().to_owned(),
            test,
        }
    }

    fn matches(&self, value: Option<&str>) -> bool {
        let is_one_of = |values: &[String]| values.iter().any(|one| Some(one.as_str()) == value);
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Missing => value.is_none(),
            Test::In(values) => is_one_of(values),
            Test::NotIn(values) => !is_one_of(values),
        }
    }
}

impl Selector {
    pub(crate) fn of(request: &Request) -> Result<Self, Failure> {
        let fields = requirements(request.parameter("fieldSelector"));
        let is_known = |field: &&Requirement| {
            let key = field.key.as_str();
            NAMES.contains(&key) || request.plural == "events" && OF_EVENTS.contains(&key)
        };
        let unknown = fields.iter().find(|field| !is_known(field));
        if let Some(field) = unknown {
            let message = format!("field label not supported: {}", field.key);
            return Err(Failure::bad_request(message));
        }
        Ok(Self {
            namespace: request.namespace.clone(),
            labels: requirements(request.parameter("labelSelector")),
            fields,
        })
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        let label = |key: &str| metadata["labels"].get(key).and_then(Value::as_str);
        let field = |key: &str| {
            object
                .pointer(&format!("/{}", key.replace('.', "/")))?
                .as_str()
        };
        (self.namespace.is_empty() || metadata["namespace"] == self.namespace.as_str())
            && self.labels.iter().all(|one| one.matches(label(&one.key)))
            && self.fields.iter().all(|one| one.matches(field(&one.key)))
    }
}

/// Commas within brackets separate values.
fn requirements(selector: &str) -> Vec<Requirement> {
    let mut depth = 0;
    let parts = selector.split(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    });
    parts
        .filter(|part| !part.trim().is_empty())
        .map(Requirement::parse)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_are_selected_as_kubectl_writes_it() {
        let object = json!({ "metadata": { "labels": { "app": "a", "tier": "web" } } });
        let selects = |labels: &str| {
            let selector = Selector {
                labels: requirements(labels),
                ..Selector::default()
            };
            selector.matches(&object)
        };
        for labels in [
            "",
            "app",
            "app=a",
            "app==a,tier",
            "app in (b, a),tier!=db",
            "!gone",
            "app notin (b,c)",
        ] {
            assert!(selects(labels), "{labels}");
        }
        for labels in ["gone", "app=b", "app in (b,c)", "!app", "app,tier=db"] {
            assert!(!selects(labels), "{labels}");
        }
    }
}
