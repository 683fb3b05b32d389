//! What nobody would notice: an answer that the operator takes, and that its users cannot use.

use mcp_operator_offline::Decoder;
use mcp_operator_policy::ActivePlugin;
use serde_json::Value;

/// The words that errors of Kubernetes have.
const ERROR_TYPES: [&str; 8] = [
    "Invalid",
    "Required",
    "NotSupported",
    "Forbidden",
    "Duplicate",
    "TooLong",
    "TooMany",
    "NotFound",
];

/// One sentence about each mistake in these findings.
pub(crate) fn in_findings(
    plugin: &ActivePlugin,
    decoder: &Decoder,
    findings: &Value,
) -> Vec<String> {
    let rules: Vec<&str> = plugin
        .description()
        .rules
        .iter()
        .map(|rule| rule.code.as_str())
        .collect();
    let findings = findings.as_array().into_iter().flatten();
    findings
        .flat_map(|finding| in_finding(&rules, decoder, finding))
        .collect()
}

fn in_finding(rules: &[&str], decoder: &Decoder, finding: &Value) -> Vec<String> {
    let text = |name: &str| finding[name].as_str().unwrap_or_default();
    let (code, field, kind) = (text("code"), text("field"), text("type"));
    let mut said = Vec::new();
    if !is_kebab_case(code) {
        said.push(format!("code {code:?}: rules have names in kebab-case, such as image-tag, which metrics and logs show"));
    } else if !rules.contains(&code) {
        said.push(format!(
            "code {code:?} is none of the rules of the description: {rules:?}"
        ));
    }
    if !field.is_empty() && !decoder.has_field(field) {
        said.push(format!("field {field:?} is no field of an MCPServer, in the notation spec.secrets[0].name or metadata.labels[team]"));
    }
    if !ERROR_TYPES.contains(&kind) {
        said.push(format!(
            "type {kind:?} is shown as Invalid: it is none of {}",
            ERROR_TYPES.join(", ")
        ));
    }
    if text("message").trim().is_empty() {
        said.push(format!(
            "the finding of {code:?} has no message: say what is wrong and how to mend it"
        ));
    }
    said
}

fn is_kebab_case(code: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .chars()
                .all(|one| one.is_ascii_lowercase() || one.is_ascii_digit())
    };
    code.split('-').all(is_word)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_mistake_has_a_sentence() {
        let decoder = Decoder::new().unwrap();
        let said = |finding: Value| in_finding(&["owner"], &decoder, &finding);
        let good = json!({ "code": "owner", "field": "metadata.labels[owner]", "type": "Required", "message": "say who" });
        assert!(said(good.clone()).is_empty());
        for (member, value, expected) in [
            ("code", "Bad Code!", "kebab-case"),
            ("code", "ownr", "none of the rules"),
            ("field", "spec.imag.tag", "no field of an MCPServer"),
            ("type", "invalid", "is shown as Invalid"),
            ("message", " ", "has no message"),
        ] {
            let mut wrong = good.clone();
            wrong[member] = json!(value);
            let said = said(wrong);
            assert!(said.len() == 1 && said[0].contains(expected), "{said:?}");
        }
    }
}
