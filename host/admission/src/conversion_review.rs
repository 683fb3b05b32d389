//! ConversionReviews: MCPServers in another version, which the API server asks for. Pure, and answered without any plugin: who
//! reads an object must get it whatever rules there are.

use mcp_operator_api::conversion::convert;
use mcp_operator_core::text::one_line;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

const API_VERSION: &str = "apiextensions.k8s.io/v1";
const KIND: &str = "ConversionReview";
/// Longest message of a failure: it repeats what an object says of itself.
const MAX_MESSAGE_BYTES: usize = 512;

/// For each byte of a body: the objects as they were found, as they are converted, and all of them as an answer, which has
/// twice the room that it needs while it grows; an object of two bytes is also a place in two lists.
const BYTE: usize = 20;
/// What is read of one object at a time ([`convert`] bounds it), and the answer's own.
const ONE_OBJECT: usize = 512 << 10;

/// Bytes of memory that a conversion takes at most, besides the body itself. Objects stay text, so that it does not depend on
/// what is in them.
pub(crate) fn cost(body: &[u8]) -> usize {
    body.len() * BYTE + ONE_OBJECT
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: String,
    kind: String,
    #[serde(borrow)]
    request: Request<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    uid: String,
    #[serde(rename = "desiredAPIVersion")]
    desired_api_version: String,
    #[serde(borrow, default)]
    objects: Vec<&'a RawValue>,
}

/// The answer to a ConversionReview.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    api_version: &'static str,
    kind: &'static str,
    response: Response,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    uid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    converted_objects: Option<Vec<Box<RawValue>>>,
    result: Outcome,
}

#[derive(Debug, Serialize)]
struct Outcome {
    status: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
}

impl Answer {
    /// Whether all objects were converted.
    pub(crate) fn is_success(&self) -> bool {
        self.response.converted_objects.is_some()
    }
}

/// Converts all objects of a review, or none.
///
/// # Errors
/// It is no review that could be answered.
pub(crate) fn answer(body: &[u8]) -> Result<Answer, String> {
    let review: Review<'_> = serde_json::from_slice(body)
        .map_err(|error| format!("the body is no ConversionReview: {error}"))?;
    if (review.api_version.as_str(), review.kind.as_str()) != (API_VERSION, KIND) {
        return Err(format!("the body is no {KIND} of {API_VERSION}"));
    }
    let request = review.request;
    let converted: Result<Vec<_>, String> = request
        .objects
        .iter()
        .enumerate()
        .map(|(index, object)| {
            convert(object, &request.desired_api_version)
                .map_err(|why| format!("objects[{index}] cannot be converted: {why}"))
        })
        .collect();
    let (converted_objects, result) = match converted {
        Ok(converted) => (Some(converted), Outcome::new("Success", "")),
        Err(why) => (None, Outcome::new("Failure", &why)),
    };
    Ok(Answer {
        api_version: API_VERSION,
        kind: KIND,
        response: Response {
            uid: request.uid,
            converted_objects,
            result,
        },
    })
}

impl Outcome {
    fn new(status: &'static str, message: &str) -> Self {
        Self {
            status,
            message: one_line(message, MAX_MESSAGE_BYTES),
        }
    }
}

#[cfg(test)]
#[path = "conversion_review_tests.rs"]
mod tests;
