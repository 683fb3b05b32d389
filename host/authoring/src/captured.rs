//! Requests that were kept: AdmissionReviews, and events of an API server's audit log.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use mcp_operator_api::names::SERVER_KIND;
use mcp_operator_offline::Decoder;
use serde::Deserialize;
use serde_json::{Deserializer, Value};

use crate::question::{OperationWord, RequestPart, User};

/// One request about an MCPServer.
#[derive(Debug)]
pub(crate) struct Captured {
    /// The uid of a review, or the audit id of an event.
    pub(crate) id: String,
    pub(crate) object: Value,
    pub(crate) request: RequestPart,
    /// What the API server answered then, where that was kept.
    pub(crate) answered: Option<String>,
}

/// What is read of a file.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    pub(crate) requests: Vec<Captured>,
    /// Requests that cannot be put again, each with the reason.
    pub(crate) left_out: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReviewRequest {
    uid: String,
    operation: String,
    #[serde(default)]
    dry_run: bool,
    user_info: UserInfo,
    object: Option<Value>,
    old_object: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuditEvent {
    #[serde(rename = "auditID")]
    audit_id: String,
    stage: String,
    verb: String,
    #[serde(rename = "requestURI", default)]
    request_uri: String,
    user: UserInfo,
    #[serde(default)]
    object_ref: ObjectReference,
    request_object: Option<Value>,
    response_object: Option<Value>,
    response_status: Option<Answered>,
}

/// What rules see of a user; requests may have more.
#[derive(Deserialize)]
struct UserInfo {
    username: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    extra: BTreeMap<String, Vec<String>>,
}

impl From<UserInfo> for User {
    fn from(
        UserInfo {
            username,
            uid,
            groups,
            extra,
        }: UserInfo,
    ) -> Self {
        Self {
            username,
            uid,
            groups,
            extra,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectReference {
    #[serde(default)]
    api_group: String,
    #[serde(default)]
    resource: String,
    #[serde(default)]
    subresource: String,
    #[serde(default)]
    namespace: String,
}

#[derive(Deserialize)]
struct Answered {
    code: Option<u16>,
    message: Option<String>,
}

/// Reads the documents of a text, one after the other, as JSON: a review, an event, or lists of events.
///
/// # Errors
/// What is neither, and where it stands.
pub(crate) fn read(text: &str, decoder: &Decoder) -> Result<Capture> {
    let mut capture = Capture::default();
    for (index, document) in Deserializer::from_str(text)
        .into_iter::<Value>()
        .enumerate()
    {
        let document = document.with_context(|| format!("document {} is no JSON", index + 1))?;
        capture
            .add(document, decoder)
            .with_context(|| format!("document {}", index + 1))?;
    }
    Ok(capture)
}

impl Capture {
    fn add(&mut self, mut document: Value, decoder: &Decoder) -> Result<()> {
        match document["kind"].as_str() {
            Some("AdmissionReview") => {
                let request: ReviewRequest = serde_json::from_value(document["request"].take())
                    .context("its request cannot be read")?;
                self.review(request)
            }
            Some("Event") => {
                let event = serde_json::from_value(document)
                    .context("it is no event of an audit log (audit.k8s.io/v1)")?;
                self.event(event, decoder)
            }
            Some("EventList") => {
                let items = document["items"].as_array_mut().map(std::mem::take);
                items
                    .unwrap_or_default()
                    .into_iter()
                    .try_for_each(|item| self.add(item, decoder))
            }
            other => bail!(
                "kind {}: an AdmissionReview or events of an audit log are wanted",
                other.unwrap_or("is missing")
            ),
        }
    }

    fn review(&mut self, request: ReviewRequest) -> Result<()> {
        let operation = match request.operation.as_str() {
            "CREATE" => OperationWord::Create,
            "UPDATE" => OperationWord::Update,
            other => {
                self.left_out
                    .push(format!("{}: no rule is asked about {other}", request.uid));
                return Ok(());
            }
        };
        let object = request.object.context("its request has no object")?;
        let kind = object["kind"].as_str().unwrap_or_default();
        ensure!(kind == SERVER_KIND, "{kind} is no {SERVER_KIND}");
        self.requests.push(Captured {
            id: request.uid,
            object,
            request: RequestPart::at_admission(
                operation,
                request.user_info.into(),
                request.dry_run,
                request.old_object.filter(|old| !old.is_null()),
            ),
            answered: None,
        });
        Ok(())
    }

    /// An audit log has much that is about something else, each request several times, and not always its object.
    fn event(&mut self, event: AuditEvent, decoder: &Decoder) -> Result<()> {
        let about = &event.object_ref;
        if (about.api_group.as_str(), about.resource.as_str()) != ("mcp.litellm.ai", "mcpservers")
            || !about.subresource.is_empty()
            || event.stage != "ResponseComplete"
        {
            return Ok(());
        }
        let operation = match event.verb.as_str() {
            "create" => OperationWord::Create,
            "update" | "patch" => OperationWord::Update,
            _ => return Ok(()),
        };
        let id = &event.audit_id;
        // What was written is in the answer; what was refused only in the request, which of a patch is a part.
        let is_server = |object: &Value| object["kind"] == SERVER_KIND;
        let stored = event.response_object.filter(is_server);
        let sent = event.request_object.filter(is_server);
        let object = match (event.verb.as_str(), stored, sent) {
            (_, Some(stored), _) => stored,
            ("create" | "update", None, Some(sent)) => decoder
                .server(sent, &about.namespace)
                .with_context(|| id.clone())?,
            ("create" | "update", None, None) => {
                self.left_out.push(format!(
                    "{id}: the event has no object, since the audit policy's level is below Request"
                ));
                return Ok(());
            }
            _ => {
                self.left_out.push(format!(
                    "{id}: of a patch that was refused an audit log has no object; an AdmissionReview has it"
                ));
                return Ok(());
            }
        };
        let answered = event.response_status.map(|status| {
            let code = status.code.map(|code| code.to_string());
            let parts = [code, status.message];
            parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
        });
        let dry_run = event.request_uri.contains("dryRun=All");
        self.requests.push(Captured {
            id: event.audit_id,
            object,
            request: RequestPart::at_admission(operation, event.user.into(), dry_run, None),
            answered: answered.filter(|answered| !answered.is_empty()),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server() -> Value {
        json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": "weather", "namespace": "tools" },
            "spec": { "image": { "repository": "a/b", "tag": "1" } },
        })
    }

    fn event(change: &Value) -> Value {
        let mut event = json!({
            "apiVersion": "audit.k8s.io/v1", "kind": "Event", "level": "Request", "auditID": "a-1",
            "stage": "ResponseComplete", "verb": "create", "requestURI": "/apis/x?dryRun=All&fieldManager=k",
            "user": { "username": "ann", "uid": "7", "groups": ["dev"], "extra": {} },
            "objectRef": { "apiGroup": "mcp.litellm.ai", "resource": "mcpservers", "namespace": "tools", "name": "weather" },
            "responseStatus": { "code": 422, "message": "no team" }, "requestObject": server(),
        });
        for (name, value) in change.as_object().unwrap() {
            event[name] = value.clone();
        }
        event
    }

    fn capture(documents: &[Value]) -> Result<Capture> {
        let text: Vec<String> = documents.iter().map(Value::to_string).collect();
        read(&text.join("\n"), &Decoder::new().unwrap())
    }

    #[test]
    fn a_review_is_put_again_as_it_was() {
        let review = json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "u-1", "operation": "UPDATE", "dryRun": true, "object": server(), "oldObject": server(),
            "userInfo": { "username": "ann", "groups": ["dev"] }, "options": {},
        } });
        let read = capture(&[review]).unwrap();
        assert_eq!(read.requests[0].id, "u-1");
        // Nothing is filled in: it is what the operator was sent.
        assert_eq!(read.requests[0].object, server());
        assert_eq!(read.requests[0].request.old_object, Some(server()));
    }

    #[test]
    fn of_an_audit_log_only_whole_requests_about_servers_are_taken() {
        let pods = json!({ "objectRef": { "resource": "pods" } });
        let deletion = json!({ "verb": "delete" });
        let status = json!({ "objectRef": { "apiGroup": "mcp.litellm.ai", "resource": "mcpservers", "subresource": "status" } });
        let begun = json!({ "stage": "RequestReceived" });
        let others = [pods, deletion, status, begun].map(|change| event(&change));
        let read = capture(&others).unwrap();
        assert_eq!((read.requests.len(), read.left_out.len()), (0, 0));

        let read = capture(&[event(&json!({}))]).unwrap();
        assert_eq!(read.requests[0].answered.as_deref(), Some("422 no team"));
        // As the API server has it when it asks.
        assert_eq!(read.requests[0].object["spec"]["port"], 8080);

        let patch = json!({ "verb": "patch", "requestObject": { "spec": {} } });
        let stored =
            json!({ "verb": "patch", "requestObject": { "spec": {} }, "responseObject": server() });
        let low = json!({ "requestObject": null });
        let read = capture(&[patch, stored, low].map(|change| event(&change))).unwrap();
        assert_eq!(read.requests.len(), 1);
        assert!(
            read.left_out[0].contains("an AdmissionReview has it"),
            "{read:?}"
        );
        assert!(read.left_out[1].contains("below Request"), "{read:?}");
    }

    #[test]
    fn what_is_something_else_is_told_with_its_place() {
        for (documents, expected) in [
            (
                vec![json!({ "kind": "Pod" })],
                "document 1: kind Pod: an AdmissionReview or events",
            ),
            (
                vec![
                    event(&json!({})),
                    json!({ "apiVersion": "v1", "kind": "Event" }),
                ],
                "document 2: it is no event of an audit log",
            ),
        ] {
            let error = format!("{:#}", capture(&documents).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
        let error = format!("{:#}", read("{", &Decoder::new().unwrap()).unwrap_err());
        assert!(error.contains("document 1 is no JSON"), "{error}");
    }
}
