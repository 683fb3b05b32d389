use super::*;
use mcp_operator_core::admission::PluginFailure;
use mcp_operator_core::field::ErrorType;

fn review(name: &str) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5", "operation": "CREATE", "name": name, "namespace": "litellm",
            "kind": { "group": "mcp.litellm.ai", "version": "v1alpha1", "kind": "MCPServer" },
            "resource": { "group": "mcp.litellm.ai", "version": "v1alpha1", "resource": "mcpservers" },
            "userInfo": { "username": "jane", "groups": ["developers"] }, "dryRun": false,
            "object": { "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "metadata": { "generateName": "git-" }, "spec": {} },
        },
    })
}

fn request(name: &str) -> AdmissionRequest<DynamicObject> {
    parse(review(name).to_string().as_bytes()).unwrap()
}

fn error(
    field: &str,
    error_type: ErrorType,
    bad_value: Option<Value>,
    message: &str,
) -> FieldError {
    FieldError {
        field: field.into(),
        error_type,
        bad_value,
        message: message.into(),
        code: "c".into(),
    }
}

/// The example of the architecture, as the API server gets it.
#[test]
fn a_denial_reads_as_one_of_the_api_server() {
    let errors = vec![
        error(
            "spec.image.tag",
            ErrorType::Invalid,
            Some(json!("latest")),
            "image tag must be specified and cannot be 'latest'",
        ),
        error(
            "spec.resources.limits",
            ErrorType::Required,
            None,
            "CPU and memory limits must be defined (OPA requirement)",
        ),
    ];
    let decision = Decision {
        denial: Some(Denial::Invalid(errors)),
        ..Decision::default()
    };
    let response =
        serde_json::to_value(respond(&request("github"), decision).into_review()).unwrap();
    assert_eq!(response["response"]["uid"], "705ab4f5");
    assert_eq!(
        response["response"]["status"],
        json!({
            "status": "Failure", "code": 422, "reason": "Invalid",
            "message": "MCPServer.mcp.litellm.ai \"github\" is invalid: [spec.image.tag: Invalid value: \"latest\": image tag must be specified and cannot be 'latest', spec.resources.limits: Required value: CPU and memory limits must be defined (OPA requirement)]",
            "details": {
                "name": "github", "group": "mcp.litellm.ai", "kind": "MCPServer",
                "causes": [
                    { "reason": "FieldValueInvalid", "field": "spec.image.tag", "message": "Invalid value: \"latest\": image tag must be specified and cannot be 'latest'" },
                    { "reason": "FieldValueRequired", "field": "spec.resources.limits", "message": "Required value: CPU and memory limits must be defined (OPA requirement)" },
                ],
            },
        })
    );
}

#[test]
fn one_error_needs_no_brackets_and_a_generated_name_is_shown() {
    let decision = Decision {
        denial: Some(Denial::Invalid(vec![error(
            "spec.port",
            ErrorType::Invalid,
            Some(json!(0)),
            "no",
        )])),
        ..Decision::default()
    };
    let response = respond(&request(""), decision);
    assert_eq!(
        response.result.message,
        "MCPServer.mcp.litellm.ai \"git-\" is invalid: spec.port: Invalid value: 0: no"
    );
}

#[test]
fn a_plugin_that_failed_is_not_the_users_fault() {
    let failure = PluginFailure {
        category: "Trapped",
        guest: true,
        message: "plugin team: trapped in validate".into(),
    };
    let decision = Decision {
        denial: Some(Denial::PluginFailed(vec![failure])),
        ..Decision::default()
    };
    let response = respond(&request("a"), decision);
    assert_eq!(
        (
            response.allowed,
            response.result.code,
            response.result.reason.as_str()
        ),
        (false, 500, "InternalError")
    );
    assert!(
        response
            .result
            .message
            .ends_with("plugin team: trapped in validate")
    );
}

#[test]
fn keys_of_annotations_are_what_the_api_takes() {
    assert_eq!(
        annotation_key("team-label.team label!"),
        "team-label.team_label"
    );
    assert_eq!(annotation_key("..."), "finding");
    assert_eq!(annotation_key(&"a".repeat(100)).len(), 63);
}

#[test]
fn an_unchanged_object_gets_no_patch() {
    let response = AdmissionResponse::from(&request("a"));
    let object = json!({ "spec": {} });
    assert_eq!(with_changes(response.clone(), &object, &object).patch, None);
    assert!(
        with_changes(response, &object, &json!({ "spec": { "a": 1 } }))
            .patch
            .is_some()
    );
}

proptest::proptest! {
    #[test]
    fn any_bytes_get_an_answer(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        let _ = parse(&body);
    }

    #[test]
    fn any_damage_gets_an_answer(at in 0usize..600, byte in proptest::prelude::any::<u8>()) {
        let mut body = review("a").to_string().into_bytes();
        let at = at % body.len();
        body[at] = byte;
        if let Ok(request) = parse(&body) {
            let _ = respond(&request, Decision::default()).into_review();
        }
    }
}
