//! What confines the operator's own account.

use mcp_operator_api::names::installation::CONFIGURATION;

use serde_json::Value;

use super::Finding;
use super::installation::{Found, Installation, place};
use super::webhooks::covers;

/// As it is installed, but for the namespace.
const SHIPPED: &str = include_str!("../../../../deploy/base/confinement.yaml");
const SHIPPED_NAMESPACE: &str = "mcp-operator-system";
const POLICY: &str = "ValidatingAdmissionPolicy";
const BINDING: &str = "ValidatingAdmissionPolicyBinding";

pub(super) fn check(installation: &Installation) -> Vec<Finding> {
    let shipped = SHIPPED.replace(SHIPPED_NAMESPACE, &installation.namespace);
    let shipped = serde_saphyr::from_multiple::<Value>(&shipped).unwrap_or_default();
    let mut findings = Vec::new();
    for kind in [POLICY, BINDING] {
        let at = place(kind, "", CONFIGURATION);
        let remedy = "apply it as it is in the chart or in deploy/base; API servers before 1.30 do not know it";
        match installation.object(kind, "", CONFIGURATION) {
            Found::Missing => findings.push(Finding::doubtful(
                at,
                "it is not there: whoever gets the operator's token may do everything that its roles say",
                remedy,
            )),
            Found::There(found) if kind == POLICY && found["spec"]["failurePolicy"] == "Ignore" => {
                findings.push(Finding::doubtful(at, "its failurePolicy is Ignore", remedy));
            }
            Found::There(found) if kind == BINDING => {
                let actions = found["spec"]["validationActions"].as_array();
                let denies = actions.is_some_and(|all| all.iter().any(|action| action == "Deny"));
                if denies {
                    findings.extend(changed(found, &shipped, kind, &at, remedy));
                } else {
                    findings.push(Finding::doubtful(at, "it denies nothing (validationActions)", remedy));
                }
            }
            Found::There(found) => findings.extend(changed(found, &shipped, kind, &at, remedy)),
            Found::Unread => {}
        }
    }
    findings
}

/// What is not as it is shipped: a condition that is never met confines nobody.
fn changed(
    found: &Value,
    shipped: &[Value],
    kind: &str,
    at: &str,
    remedy: &str,
) -> Option<Finding> {
    let wanted = shipped.iter().find(|it| it["kind"] == kind)?;
    let parts = wanted["spec"].as_object()?;
    let differs = |part: &&String| !covers(&found["spec"][part.as_str()], &parts[part.as_str()]);
    let changed: Vec<&str> = parts.keys().filter(differs).map(String::as_str).collect();
    let resources = "matchResources";
    let is_some = |part: &Value| {
        let is_object = part.as_object().is_some_and(|it| !it.is_empty());
        is_object || part.as_array().is_some_and(|it| !it.is_empty())
    };
    let mut narrowing = found["spec"][resources].as_object().into_iter().flatten();
    let is_narrowed = narrowing.any(|(_, part)| is_some(part));
    let narrowed = (is_narrowed && !parts.contains_key(resources)).then_some(resources);
    let changed: Vec<&str> = changed.into_iter().chain(narrowed).collect();
    (!changed.is_empty()).then(|| {
        Finding::doubtful(
            at,
            format!("it is not as it is shipped: {}", changed.join(", ")),
            remedy,
        )
    })
}
