//! What kubectl makes of an answer of the API server.

use std::collections::BTreeSet;

use kube::core::Status;

/// A denial, as kubectl prints it.
pub(crate) fn denial(status: &Status) -> String {
    let Some(details) = &status.details else {
        return format!("Error from server ({}): {}", status.reason, status.message);
    };
    let mut seen = BTreeSet::new();
    let mut causes: Vec<String> = Vec::new();
    for cause in &details.causes {
        let text = format!("{}: {}", cause.field, cause.message);
        if seen.insert(text.clone()) {
            causes.push(text);
        }
    }
    let title = format!("The {} {:?} is invalid: ", details.kind, details.name);
    match causes.as_slice() {
        [only] => format!("{title}{only}"),
        several => format!("{title}\n* {}", several.join("\n* ")),
    }
}

/// A manifest that the API server does not even take, as kubectl prints it.
pub(crate) fn bad_request(source: &str, message: &str) -> String {
    format!("Error from server (BadRequest): error when creating {source:?}: {message}")
}

#[cfg(test)]
mod tests {
    use kube::core::response::{StatusCause, StatusDetails};

    use super::*;

    fn status(causes: &[(&str, &str)]) -> Status {
        let causes = causes.iter().map(|(field, message)| StatusCause {
            field: (*field).into(),
            message: (*message).into(),
            reason: "FieldValueInvalid".into(),
        });
        let details = StatusDetails {
            name: "github".into(),
            kind: "MCPServer".into(),
            causes: causes.collect(),
            group: String::new(),
            uid: String::new(),
            retry_after_seconds: 0,
        };
        Status::failure("", "Invalid").with_details(details)
    }

    #[test]
    fn one_cause_stands_on_the_same_line_and_several_below() {
        let one = status(&[("spec.port", "Invalid value: 0: no")]);
        assert_eq!(
            denial(&one),
            "The MCPServer \"github\" is invalid: spec.port: Invalid value: 0: no"
        );
        let two = status(&[("a", "x"), ("b", "y"), ("a", "x")]);
        assert_eq!(
            denial(&two),
            "The MCPServer \"github\" is invalid: \n* a: x\n* b: y"
        );
    }
}
