//! What plugins find, on its way into an answer.

use arbitrary::{Result, Unstructured};
use kube::api::DynamicObject;
use kube::core::admission::AdmissionRequest;
use mcp_operator_admission::{fuzzing as admission, parse};
use mcp_operator_api::v1alpha1::{FailurePolicy, Mode, OnExisting};
use mcp_operator_core::admission::{Outcome, PluginFailure, decide};
use mcp_operator_policy::fuzzing as policy;
use mcp_plugin_host::contract::{Finding, Severity};

/// Findings of one answer that are shown one by one, and one that counts the rest.
const MOST: usize = 101;
/// Bytes of a text of a plugin.
const LONGEST: usize = 1024;
const REVIEW: &[u8] = br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE","name":"a","namespace":"tools","userInfo":{},"dryRun":false,"kind":{"group":"mcp.litellm.ai","version":"v1alpha1","kind":"MCPServer"},"resource":{"group":"mcp.litellm.ai","version":"v1alpha1","resource":"mcpservers"}}}"#;

pub(crate) fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(count) = input.int_in_range(1..=4_usize) else {
        return;
    };
    let answers: Result<Vec<(Outcome, bool)>> = (0..count)
        .map(|number| answer(&mut input, &format!("plugin-{number}")))
        .collect();
    if let Ok(answers) = answers {
        check(answers);
    }
}

/// What one plugin says, and whether it refuses.
fn answer(input: &mut Unstructured<'_>, plugin: &str) -> Result<(Outcome, bool)> {
    let mode = *input.choose(&[Mode::Enforce, Mode::Warn, Mode::Audit])?;
    let failure_policy = *input.choose(&[FailurePolicy::Fail, FailurePolicy::Ignore])?;
    let on_existing = *input.choose(&[OnExisting::Keep, OnExisting::Deregister])?;
    let outcome = |result| Outcome {
        plugin: plugin.to_owned(),
        mode,
        failure_policy,
        on_existing,
        result,
    };
    if input.ratio(1, 4)? {
        let guest = input.arbitrary()?;
        let failure = PluginFailure {
            category: "Trapped",
            guest,
            message: format!("plugin {plugin} failed"),
        };
        let refuses = mode == Mode::Enforce && (guest || failure_policy == FailurePolicy::Fail);
        return Ok((outcome(Err(failure)), refuses));
    }
    let said = findings(input)?;
    let is_error = |finding: &Finding| finding.severity == Severity::Error;
    let refuses = mode == Mode::Enforce && said.iter().any(is_error);
    let findings = policy::findings(said);
    assert!(findings.len() <= MOST, "{} findings", findings.len());
    for finding in &findings {
        let error = &finding.error;
        for text in [&error.field, &error.message, &error.code] {
            assert!(text.len() <= LONGEST && !text.contains(char::is_control));
        }
    }
    Ok((outcome(Ok(findings)), refuses))
}

fn findings(input: &mut Unstructured<'_>) -> Result<Vec<Finding>> {
    let mut said = Vec::new();
    while said.len() < 300 && input.arbitrary()? {
        let finding = Finding {
            code: input.arbitrary()?,
            field: input.arbitrary()?,
            error_type: (*input.choose(&["Invalid", "Required", "TooMany", "no word"])?).to_owned(),
            bad_value: input.arbitrary()?,
            message: input.arbitrary()?,
            severity: *input.choose(&[Severity::Error, Severity::Warning])?,
        };
        // Some plugins say the same of each of many items.
        let times = if input.ratio(1, 16)? { 120 } else { 1 };
        said.extend(std::iter::repeat_n(finding, times));
    }
    Ok(said)
}

/// Whoever refuses is heard, whatever others say, and in whichever order.
fn check(answers: Vec<(Outcome, bool)>) {
    let refused = answers.iter().any(|(_, refuses)| *refuses);
    let mut outcomes: Vec<Outcome> = answers.into_iter().map(|(outcome, _)| outcome).collect();
    let decision = decide(&outcomes);
    assert_eq!(
        decision.denial.is_some(),
        refused,
        "an object is refused by whoever may, and by nobody else: {decision:?}"
    );
    outcomes.reverse();
    assert_eq!(decide(&outcomes), decision, "the order makes no difference");
    let Some(request) = request() else {
        unreachable!("the review of this target is one");
    };
    let answer = admission::respond(&request, decision);
    assert_eq!(answer.allowed, !refused);
    for warning in answer.warnings.iter().flatten() {
        assert!(warning.len() <= 512 && !warning.contains(char::is_control));
    }
    for (key, text) in &answer.audit_annotations {
        let valid = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        assert!(!key.is_empty() && key.len() <= 63 && key.chars().all(valid));
        assert!(text.len() <= 4096);
    }
    let written = serde_json::to_string(&answer.into_review());
    assert!(written.is_ok(), "an answer can be written: {written:?}");
}

fn request() -> Option<AdmissionRequest<DynamicObject>> {
    parse(REVIEW).ok()
}
