//! The body of a request to the webhook: read, judged, completed and answered.

use futures::FutureExt;
use json_patch::Patch;
use kube::api::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, Operation};
use mcp_operator_admission::{fuzzing, mutate, parse, validate};
use serde_json::{Value, json};

use crate::counting::most_during;
use crate::webhook::state;

/// What an answer itself takes, however small the review is.
const ANSWER: usize = 16 << 10;

pub(crate) fn run(body: &[u8]) {
    let (request, taken) = most_during(|| parse(body));
    let Ok(request) = request else {
        return;
    };
    let is_update = fuzzing::is_update(body);
    assert_eq!(
        is_update,
        Ok(request.operation == Operation::Update),
        "the head of a review says what all of it says"
    );
    let charged = fuzzing::heap_cost(body) + ANSWER;
    let most = taken.max(judged(&request)).max(completed(&request));
    assert!(
        most <= charged,
        "judging takes {most} bytes, and is charged {charged}"
    );
    assert_written_again(&request);
}

/// What is written of a review is read as the same, if its objects say what they are, as all do that an API server sends: of
/// others the reader drops a part.
fn assert_written_again(request: &AdmissionRequest<DynamicObject>) {
    let has_types = |object: &Option<DynamicObject>| {
        let object = object.as_ref();
        object.is_none_or(|object| object.types.is_some())
    };
    if !has_types(&request.object) || !has_types(&request.old_object) {
        return;
    }
    let written = json!(request);
    let review = json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": written });
    let again = parse(review.to_string().as_bytes()).map(|again| json!(again));
    let again = again.unwrap_or_default();
    assert!(is_same(&written, &again), "{again} of {written}");
}

/// Fractions may differ in the last bit: they are read quickly instead of exactly.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let (exact, other_exact) = (one.as_f64(), other.as_f64());
            let near = exact.zip(other_exact).is_some_and(|(one, other)| {
                (one - other).abs() <= one.abs().max(other.abs()) * f64::EPSILON * 4.0
            });
            one == other || near
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, one)| other.get(name).is_some_and(|other| is_same(one, other)))
        }
        _ => one == other,
    }
}

/// Bytes that it takes to say whether the object is allowed.
fn judged(request: &AdmissionRequest<DynamicObject>) -> usize {
    let (answer, taken) = most_during(|| validate(state(), request, None).now_or_never());
    let answered = answer.is_some_and(|answer| {
        assert_is_answer(request, &answer);
        answer.patch.is_none()
    });
    assert!(answered, "a judgement waits for nobody and changes nothing");
    taken
}

/// Bytes that it takes to complete the object.
fn completed(request: &AdmissionRequest<DynamicObject>) -> usize {
    let (answer, taken) = most_during(|| mutate(state(), request, None).now_or_never());
    let Some(answer) = answer else {
        unreachable!("nothing is waited for");
    };
    assert_is_answer(request, &answer);
    if let Some(patch) = &answer.patch {
        assert_done_at_once(request, patch);
    }
    taken
}

/// An answer that the API server takes.
fn assert_is_answer(request: &AdmissionRequest<DynamicObject>, answer: &AdmissionResponse) {
    assert_eq!(answer.uid, request.uid, "an answer to this request");
    let status = &answer.result;
    assert!(
        answer.allowed || (status.code >= 400 && !status.message.is_empty()),
        "a refusal says why"
    );
    for warning in answer.warnings.iter().flatten() {
        assert!(!warning.contains(char::is_control) && warning.len() <= 512);
    }
    let written = serde_json::to_value(answer.clone().into_review()).unwrap_or_default();
    assert_eq!(written["response"]["uid"], request.uid.as_str());
    assert_eq!(written["response"]["allowed"], answer.allowed);
}

/// The patch fits the object, and what comes of it is complete.
fn assert_done_at_once(request: &AdmissionRequest<DynamicObject>, patch: &[u8]) {
    let completed = patched(&json!(request.object), patch);
    let object = serde_json::from_value(completed.clone()).ok();
    let again = AdmissionRequest {
        object,
        ..request.clone()
    };
    let answer = mutate(state(), &again, None).now_or_never();
    let more = answer.and_then(|answer| answer.patch);
    let twice = more.map_or_else(|| completed.clone(), |more| patched(&completed, &more));
    assert_eq!(twice, completed, "completed twice is completed once");
}

fn patched(object: &Value, patch: &[u8]) -> Value {
    let mut object = object.clone();
    let patch = serde_json::from_slice(patch).unwrap_or(Patch(Vec::new()));
    assert!(!patch.0.is_empty(), "a patch changes something");
    let applied = json_patch::patch(&mut object, &patch);
    assert!(applied.is_ok(), "the patch does not fit: {applied:?}");
    object
}
