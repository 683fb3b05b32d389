//! What confines the operator's own account.

use mcp_operator_api::names::installation::CONFIGURATION;

use super::Finding;
use super::installation::{Found, Installation, place};

const POLICY: &str = "ValidatingAdmissionPolicy";
const BINDING: &str = "ValidatingAdmissionPolicyBinding";

pub(super) fn check(installation: &Installation) -> Vec<Finding> {
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
                if !denies {
                    findings.push(Finding::doubtful(at, "it denies nothing (validationActions)", remedy));
                }
            }
            Found::Unread | Found::There(_) => {}
        }
    }
    findings
}
